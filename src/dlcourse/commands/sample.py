"""Pictures drawn by a trained model: samples, interpolations, and given pictures drawn again."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from dlcourse.analysis.latents import STEPS, WAYS, between
from dlcourse.data.batches import seeded
from dlcourse.data.image_files import UNREADABLE, picture_files, read_picture
from dlcourse.data.npz import read_npz
from dlcourse.errors import UserError
from dlcourse.models.build import load_run
from dlcourse.models.generative import Generative
from dlcourse.plots.mosaic import save_mosaic
from dlcourse.runs.files import replaced
from dlcourse.runs.provenance import git_commit, versions
from dlcourse.runs.result import Result, write_result

SHEET, ARRAYS = "samples.png", "samples.npz"


class Drawn(NamedTuple):
    """Pictures with the latents that they were drawn from, and how many of them make a row of the sheet."""

    pictures: Tensor  # uint8 [N, H, W] or [N, H, W, 3]
    z: Tensor  # [N, L]
    columns: int


def sample(cfg: DictConfig, folder: Path, overrides: Sequence[str] = ()) -> Drawn:
    """Draw, and write samples.png, samples.npz (pictures, z, truncation) and result.json into `folder`.

    Args:
        cfg: composed from conf/sample.yaml.
        folder: where the files go.
        overrides: recorded in result.json.

    Raises:
        UserError: no such run, a model that cannot do what is asked, or numbers that make no sense.
    """
    _check(cfg)
    run_cfg, model = load_run(Path(cfg.run), cfg.trust)
    if not isinstance(model, Generative):
        raise UserError(f"{cfg.run} holds a {type(model).__name__}, which draws nothing: take a vae or gan, say")
    truncation = _truncation(cfg)
    if truncation != 1:
        model.recalibrate_batch_norm(truncation)
    start = time.perf_counter()
    found = _draw(cfg, model)
    seconds = round(time.perf_counter() - start, 2)
    folder.mkdir(parents=True, exist_ok=True)
    save_mosaic(folder / SHEET, found.pictures, cfg.grid or found.columns)
    with replaced(folder / ARRAYS) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, pictures=found.pictures.numpy(), z=found.z.numpy(), truncation=truncation)
    result = Result(
        "sample",
        "completed",
        model=run_cfg.model.name,
        data=model.task.data,
        parameters=model.parameter_count(),
        seed=cfg.seed,
        seconds={"sample": seconds},
        device=model.device.type,
        versions=versions(),
        git=git_commit(),
        overrides=list(overrides),
        run=str(cfg.run),
        samples=len(found.pictures),
    )
    write_result(folder, result)
    print(f"{len(found.pictures)} pictures drawn\n\neverything is in {folder}", flush=True)
    return found


def _truncation(cfg: DictConfig) -> float:
    """Of the noise, which the latents of a file were truncated by already."""
    if cfg.latents is None or cfg.truncation != 1 or not Path(cfg.latents).is_file():
        return cfg.truncation
    stored = read_npz(Path(cfg.latents)).get("truncation")
    return 1.0 if stored is None or stored.size != 1 or not 0 <= float(stored) < math.inf else float(stored)


def _check(cfg: DictConfig) -> None:
    """Refuse numbers that make no sense, and two wishes at once."""
    for key in ("n", "grid", "interpolate"):
        value, least = cfg[key], 2 if key == "interpolate" else 1
        if value is not None and (not isinstance(value, int) or value < least):
            raise UserError(f"{key}={value} is no number of {least} or more: take 9, say")
    if not isinstance(cfg.seed, int) or cfg.seed < 0:
        raise UserError(f"seed={cfg.seed} is no whole number of 0 or more: take 1, say")
    if not isinstance(cfg.truncation, (int, float)) or not 0 <= cfg.truncation < math.inf:
        raise UserError(f"truncation={cfg.truncation} is no number of 0 or more: take 0.7, say")
    if cfg.way not in WAYS:
        raise UserError(f"way={cfg.way} is unknown: take {' or '.join(WAYS)}")
    asked = [key for key in ("between", "input", "latents") if cfg[key] is not None]
    if len(asked) > 1:
        raise UserError(f"{' and '.join(asked)} are different wishes: give one of them")
    if cfg.interpolate is not None and asked and asked != ["between"]:
        raise UserError(f"{asked[0]} leaves nothing to interpolate: leave interpolate out, or give between=[A,B]")


def _draw(cfg: DictConfig, model: Generative) -> Drawn:
    if cfg.between is not None:
        return _between_pictures(cfg, model)
    if cfg.input is not None:
        given = _read(picture_files(Path(cfg.input)), model, skips=Path(cfg.input).is_dir())
        z = model.latents(given)
        both = torch.stack([given, model.decode_images(z)], 1).flatten(0, 1)  # each original beside its own
        return Drawn(both, z, 2 * _columns(len(given)))
    if cfg.latents is not None:
        z = _latents(Path(cfg.latents), model)
    elif cfg.interpolate is not None:
        ends = model.sample_latents(2 * cfg.n, seeded(cfg.seed), cfg.truncation).cpu()
        ways = [between(ends[2 * i], ends[2 * i + 1], cfg.interpolate, cfg.way) for i in range(cfg.n)]
        return Drawn(model.decode_images(torch.cat(ways)), torch.cat(ways), cfg.interpolate)
    else:
        z = model.sample_latents(cfg.n, seeded(cfg.seed), cfg.truncation).cpu()
    return Drawn(model.decode_images(z), z, _columns(len(z)))


def _columns(count: int) -> int:
    return math.ceil(math.sqrt(count))


def _between_pictures(cfg: DictConfig, model: Generative) -> Drawn:
    """The first picture, the steps between the latents of both, and the second one."""
    names = cfg.between
    if isinstance(names, str) or len(names) != 2:
        raise UserError(f"between={names} are not two pictures: between=[A.png,B.png]")
    files = [Path(str(name)) for name in names]
    for file in files:
        if not file.is_file():
            raise UserError(f"between: {file} does not exist: name two pictures, between=[A.png,B.png]")
    given = _read(files, model)
    z = between(*model.latents(given), steps=cfg.interpolate or STEPS, way=cfg.way)
    drawn = torch.cat([given[:1], model.decode_images(z), given[1:]])
    return Drawn(drawn, z, len(drawn))


def _read(files: Sequence[Path], model: Generative, skips: bool = False) -> Tensor:
    pictures = []
    for file in files:
        try:
            pictures.append(read_picture(file, model.task.in_shape))
        except UNREADABLE:
            if not skips:
                raise UserError(f"{file} is no picture that can be read: give a PNG, JPEG or the like") from None
            print(f"skipped {file.name}: no picture that can be read")
    if not pictures:
        raise UserError(f"{files[0].parent} holds no picture that can be read: give a PNG, JPEG or the like")
    return torch.from_numpy(np.stack(pictures))


def _latents(path: Path, model: Generative) -> Tensor:
    if not path.is_file():
        raise UserError(f"latents={path} does not exist: name an .npz that sample wrote")
    z = read_npz(path).get("z")
    if z is None or z.ndim != 2 or z.dtype.kind != "f" or not len(z) or not np.isfinite(z).all():
        raise UserError(f"{path} holds no numbers z [N, {model.latent}]: name an .npz that sample wrote")
    if z.shape[1] != model.latent:
        raise UserError(
            f"{path} has latents of {z.shape[1]} numbers, but the run draws from {model.latent}: take those of this run"
        )
    return torch.from_numpy(z).float()
