"""Exports a run as a small folder: quantized weights, config and result.

Weights of two or more dimensions are stored as integers from -127 to 127 with one scale per output channel (the first
dimension), everything else in half precision. `predict run=FOLDER` loads such a folder like any other run.
"""

import io
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from dlcourse.analysis.feature_spaces import CHOICES
from dlcourse.errors import UserError
from dlcourse.models.any_clock import AnyClockReader
from dlcourse.models.base import SCHEMA, BaseModule
from dlcourse.models.build import ANY_READER, READER, build_data, load_run
from dlcourse.models.generative import Generative
from dlcourse.models.quantization import packed, weights_of
from dlcourse.runs.files import write_text
from dlcourse.runs.keys import PLACE, SOURCE, keys_of_kind
from dlcourse.runs.result import CONFIG, RESULT, Result, read_result, write_result

LIMIT = 4 * 2**20  # bytes of an exported checkpoint
BITS = (8, 16)


def export(
    run: Path, output: Path | None = None, bits: int = 8, trust: Iterable[str] = (), data_dir: str | None = None
) -> tuple[Result, Path]:
    """Quantize a run's best weights, test them and write them into a folder.

    Args:
        run: folder of a completed run.
        output: the output folder; an earlier export in it is replaced. None: that of the built-in reader of its kind.
        bits: 8 or 16, see `packed`.
        trust: packages or full class names outside dlcourse that the run may build.
        data_dir: the folder of the data; None: the run's.

    Returns:
        The result of the run with the test metrics of the quantized weights, as in the folder's result.json; and the
        output folder.

    Raises:
        UserError: the run does not exist, is not completed, or is too large.
    """
    from dlcourse.training.trainer import quiet

    quiet()
    if bits not in BITS:
        raise UserError(f"bits={bits} is not supported: use 8 or 16")
    cfg, model = load_run(run, trust)
    before = read_result(run)
    if before is None or before.status != "completed":
        raise UserError(f"{run} is not a completed run: resume it with python -m dlcourse.train run={run}")
    own = ANY_READER if isinstance(model, AnyClockReader) else READER
    output = own if output is None else output
    _check_output(output)
    if output == own and model.kind != "time":
        raise UserError(f"{run} is not a clock reader and cannot replace the built-in one: set output=DIR")
    state = packed(model.state_dict(), bits)
    weights = _checkpoint(run, model, state, bits)
    model.load_state_dict(weights_of({"state_dict": state}))
    metrics, rendered = _tested(cfg, model, data_dir)
    if output == own:
        _check_not_worse(run, output, metrics)
    result = replace(
        before,
        verb="export",
        metrics=before.metrics | metrics,
        precision="32-true",
        checkpoint_mb=round(len(weights) / 2**20, 2),
        bits=bits,
        rendered=rendered,
        overrides=_drop_paths(cfg, before.overrides, isinstance(model, Generative)),
        config_dir=None,
    )
    place = output.resolve()  # which has a name, also where the output is the working folder
    part, earlier = (place.with_name(f".{place.name}.{end}") for end in ("part", "before"))
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        (part / "weights.pt").write_bytes(weights)
        write_text(part / CONFIG, OmegaConf.to_yaml(cfg))
        write_result(part, result)
        if place.exists():
            shutil.rmtree(earlier, ignore_errors=True)
            place.rename(earlier)  # it stays until the new one is in its place
        part.rename(place)
        shutil.rmtree(earlier, ignore_errors=True)
    finally:
        shutil.rmtree(part, ignore_errors=True)  # left by a full disk
        if earlier.exists() and not place.exists():
            earlier.rename(place)
    return result, output


def _checkpoint(run: Path, model: BaseModule, state: dict[str, Any], bits: int) -> bytes:
    """The checkpoint file of quantized weights.

    Raises:
        UserError: it is too large.
    """
    into = io.BytesIO()
    torch.save({"dlcourse": {"schema": SCHEMA, "task": model.task.to_dict(), "bits": bits}, "state_dict": state}, into)
    size = into.getbuffer().nbytes
    if size > LIMIT:
        raise UserError(
            f"{run} needs {size / 2**20:.1f} MB with {bits} bits, the limit is {LIMIT // 2**20} MB: "
            f"{'use bits=8' if bits == 16 else 'train a smaller net'}"
        )
    return into.getvalue()


def _tested(cfg: DictConfig, model: BaseModule, data_dir: str | None) -> tuple[dict[str, float], bool]:
    """The test metrics of a model, and whether the images are rendered.

    The metrics of the other splits remain those of the weights before quantization.
    """
    from dlcourse.commands.measure import measure_split
    from dlcourse.training.trainer import make_trainer

    cfg = cfg.copy()
    if data_dir is not None:
        OmegaConf.update(cfg, "data.data_dir", data_dir)
    data = build_data(cfg)
    data.prepare_data()
    data.setup()
    if model.kind == "pictures":
        data.as_pictures()
    settings = cfg.trainer.copy()
    settings.accelerator, settings.devices, settings.strategy, settings.precision = "cpu", 1, "auto", "32-true"
    trainer = make_trainer(settings, logger=False, enable_checkpointing=False)
    return measure_split(trainer, model, data, "test"), data.rendered


def _check_not_worse(run: Path, output: Path, metrics: dict[str, float]) -> None:
    """Refuse to replace a built-in reader by a worse one."""
    built_in = read_result(output)
    ours = metrics.get("test/error_minutes")
    theirs = built_in.metrics["test/error_minutes"] if built_in is not None else None
    if ours is not None and theirs is not None and ours > theirs:
        raise UserError(
            f"{run} has a test error of {ours:.2f} minutes, the built-in reader {theirs:.2f}: "
            "export it to another folder with output=DIR"
        )


def _drop_paths(cfg: DictConfig, overrides: Iterable[str], generative: bool) -> list[str]:
    """Remove the paths of the machine that trained a run from its config, and return its overrides without them."""
    places = set(keys_of_kind(PLACE, SOURCE))
    for key in places:
        if OmegaConf.select(cfg, key) is not None:
            OmegaConf.update(cfg, key, "data" if key.endswith("data_dir") else None)
    if generative and cfg.model.features not in CHOICES:  # the folder of a run
        OmegaConf.update(cfg, "model.features", CHOICES[0])
        places.add("model.features")
    kept = [word for word in overrides if word.partition("=")[0] not in places]
    if OmegaConf.select(cfg, "begun.overrides") is not None:
        OmegaConf.update(cfg, "begun.overrides", kept)
        OmegaConf.update(cfg, "begun.config_dir", None)
    return kept


def _check_output(output: Path) -> None:
    """Refuse to replace anything but an earlier export."""
    if output.exists() and not output.is_dir():
        raise UserError(f"output={output} is a file: use a new folder")
    names = {path.name for path in output.iterdir()} if output.exists() else set()
    if names - {"weights.pt", CONFIG, RESULT}:
        raise UserError(f"output={output} contains other files: use a new folder, or one that export wrote")
