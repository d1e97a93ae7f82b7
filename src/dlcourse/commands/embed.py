"""A data set, or a run's features of it, on a map of two dimensions, and how far that map can be trusted."""

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from dlcourse.analysis.reduction import TRUSTED, check_enough, quality, reduction
from dlcourse.data.batches import seeded
from dlcourse.data.module import Arrays, DataModule
from dlcourse.errors import UserError
from dlcourse.models.activations import features
from dlcourse.models.base import BaseModule
from dlcourse.models.build import build_data, load_run
from dlcourse.plots.maps import METHOD_NAMES, coloured, draw_maps, write_map
from dlcourse.plots.sheet import displayable
from dlcourse.runs.files import write_text
from dlcourse.runs.provenance import git_commit, versions
from dlcourse.runs.references import known_references, references
from dlcourse.runs.result import CONFIG, Result, read_result, write_result
from dlcourse.runs.table import text_table
from dlcourse.training.trainer import quiet


def embed(cfg: DictConfig, folder: Path, overrides: Sequence[str] = ()) -> Result:
    """Make, measure and draw one map.

    Args:
        cfg: composed from conf/embed.yaml.
        folder: where plots/map.png, plots/map.csv, config.yaml and result.json go.
        overrides: recorded in result.json.

    Returns:
        The content of result.json.

    Raises:
        UserError: too few samples for the method, no labels to colour by, a run without features.
    """
    quiet()
    done = read_result(folder) if cfg.resume else None
    if done and done.status == "completed":
        print(_table(done, folder))
        return done
    chosen = reduction(cfg.method, **cfg.methods.get(cfg.method, {}), seed=cfg.seed)
    seconds: dict[str, float] = {}
    with _timed(seconds, "prepare"):
        data, model = _sources(cfg)
        inputs, labels = _samples(cfg, data, max(chosen.smallest, 2 * TRUSTED + 1))
        pictures = _thumbnails(inputs, data.title) if cfg.thumbnails else None
        points = (inputs if model is None else features(model, inputs)).flatten(1).float().numpy()
    with _timed(seconds, "compile"):
        chosen.warm_up(points)
    cpu = time.process_time()
    with _timed(seconds, "fit"):
        places = chosen.fit(points)
    cpu = time.process_time() - cpu
    with _timed(seconds, "measure"):
        metrics = quality(points, places, labels.numpy() if data.task.kind == "classes" else None)
    # Reported is the map of all training samples as they are.
    whole = model is None and cfg.split == "train" and len(points) == len(data.arrays["train"][0])
    ids = known_references(cfg.references.get(data.title, []) if whole else [])
    result = Result(
        "embed",
        "completed",
        model=cfg.method,
        data=data.title,
        rendered=data.rendered,
        metrics={f"{cfg.split}/{name}": value for name, value in metrics.items()},
        references=[{k: row[k] for k in ("id", "metric", "value", "better")} for row in references(ids)],
        parameters=0,
        seed=cfg.seed,
        seconds=seconds,
        cpu_seconds=round(cpu, 1),
        device="cpu",
        versions=versions("scikit-learn", "openTSNE", "umap-learn"),
        git=git_commit(),
        overrides=list(overrides),
        run=cfg.run,
        samples=len(points),
    )
    (folder / "plots").mkdir(parents=True, exist_ok=True)
    write_text(folder / CONFIG, OmegaConf.to_yaml(cfg, resolve=True))
    shown = coloured(places, labels.numpy() if cfg.colour else None, data.task, pictures)
    write_map(folder / "plots" / "map.csv", shown)
    source = data.title if model is None else f"features of {Path(cfg.run).name}"
    draw_maps(folder / "plots" / "map.png", {f"{source} by {METHOD_NAMES[cfg.method]}": shown})
    write_result(folder, result)
    print(_table(result, folder), flush=True)
    return result


def _sources(cfg: DictConfig) -> tuple[DataModule, BaseModule | None]:
    """The data, set up, and the model of the run whose features are asked for."""
    run_cfg, model = load_run(Path(cfg.run), cfg.trust) if cfg.run is not None else (cfg, None)
    data = build_data(cfg if cfg.get("data") is not None else run_cfg)
    data.prepare_data()
    data.setup()
    if model is not None and data.task.kind != model.kind:
        raise UserError(f"{cfg.run} learnt {model.kind} but {data.title} asks for {data.task.kind}: choose other data")
    return data, model


def _samples(cfg: DictConfig, data: DataModule, smallest: int) -> Arrays:
    """What is mapped: the chosen split, or as much of it as `max_samples` allows, in its stored order."""
    if cfg.split not in data.arrays:
        raise UserError(f"{data.title} has no {cfg.split} split: take {', '.join(data.arrays)}")
    if cfg.colour and data.task.kind not in ("classes", "time"):
        raise UserError(f"{data.title} has no labels to colour its map by: set colour=false")
    inputs, labels = data.arrays[cfg.split]
    check_enough(cfg.method, smallest, min(len(inputs), cfg.max_samples))
    order = torch.randperm(len(inputs), generator=seeded(cfg.seed))[: cfg.max_samples].sort().values
    return inputs[order], labels[order]


def _thumbnails(inputs: Tensor, title: str) -> np.ndarray:
    pictures = displayable(inputs)
    if pictures is None:
        raise UserError(f"{title} has no pictures to draw as thumbnails: leave thumbnails=true out")
    return pictures.numpy()


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Generator[None]:
    start = time.perf_counter()
    yield
    seconds[step] = round(time.perf_counter() - start, 2)


def _table(result: Result, folder: Path) -> str:
    reported = {row["metric"]: (row["value"], row["id"]) for row in result.references}
    rows = [[name, value, *reported.get(name, (None, ""))] for name, value in result.metrics.items()]
    spent = ", ".join(f"{step} {value:.1f} s" for step, value in result.seconds.items())
    what = f"{result.model} of {result.samples:,} samples of {result.data}"
    lines = ["", text_table(["metric", "ours", "reported", "by"], rows), "", f"{what}: {spent}"]
    return "\n".join([*lines, f"everything is in {folder}"])
