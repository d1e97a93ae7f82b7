"""A trained model small enough to ship: its weights in eight bits, its config and its figures, in a folder.

Weights of two dimensions and more are stored as whole numbers from -127 to 127 with a scale for each of their first
dimension (an output channel), everything else in half precision. The folder is a small run: `predict run=FOLDER`
answers with it.
"""

import io
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor

from dlcourse import results
from dlcourse.build import build_data, load_run, weights_of
from dlcourse.errors import UserError
from dlcourse.models.family import SCHEMA

READER = Path(__file__).parent / "clock_reader"  # the one that ships
LIMIT = 4 * 2**20  # bytes of its weights
BITS = (8, 16)


def packed(state: Mapping[str, Tensor], bits: int = 8) -> dict[str, Tensor]:
    """Weights by name, smaller.

    Args:
        state: tensors of any kind; those of whole numbers stay as they are.
        bits: 8, or 16 for half precision throughout.
    """
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        if not value.is_floating_point():
            found[name] = value
        elif bits == 8 and value.ndim > 1:
            rows = value.float().flatten(1)
            scale = rows.abs().amax(1).clamp_min(1e-12) / 127
            found[name] = (rows / scale[:, None]).round().to(torch.int8).view_as(value).contiguous()
            found[f"{name}:scale"] = scale
        else:
            found[name] = value.half()
    return found


def export(run: Path, output: Path = READER, bits: int = 8) -> dict[str, Any]:
    """Write a run's best weights, packed, into a folder, after measuring them as they are there.

    Args:
        run: folder of a completed run.
        output: the folder; what it held is replaced.
        bits: 8 or 16, see `packed`.

    Returns:
        The result.json of the folder: the run's, with the test metrics of the packed weights.

    Raises:
        UserError: there is no such run, it is not completed, or its weights are too many.
    """
    from dlcourse.evaluation import measure_split
    from dlcourse.trainers import make_trainer, quiet

    quiet()
    if bits not in BITS:
        raise UserError(f"bits={bits} is unknown: take 8 or 16")
    cfg, model = load_run(run)
    before = results.read_result(run)
    if before is None or before["status"] != "completed":
        raise UserError(f"{run} is no completed run: go on with it by train run={run}")
    _check_output(output)
    if output == READER and model.kind != "time":
        raise UserError(f"{run} reads no clocks, as the built-in reader does: name a folder for it by output=DIR")
    state = packed(model.state_dict(), bits)
    into = io.BytesIO()
    torch.save({"dlcourse": {"schema": SCHEMA, "task": model.task.to_dict(), "bits": bits}, "state_dict": state}, into)
    size = into.getbuffer().nbytes
    if size > LIMIT:
        raise UserError(
            f"{run} takes {size / 2**20:.1f} MB in {bits} bits, more than the {LIMIT // 2**20} MB of a reader: "
            f"{'take bits=8' if bits == 16 else 'train a smaller net'}"
        )
    data = build_data(cfg)
    data.prepare_data()
    data.setup()
    model.load_state_dict(weights_of({"state_dict": state}))
    settings = cfg.trainer.copy()
    settings.accelerator, settings.devices, settings.strategy, settings.precision = "cpu", 1, "auto", "32-true"
    # the other splits' figures were measured before the weights were packed
    metrics = measure_split(make_trainer(settings, logger=False, enable_checkpointing=False), model, data, "test")
    known = results.read_result(output) if output == READER else None
    if known is not None and metrics["test/error_minutes"] > known["metrics"]["test/error_minutes"]:
        raise UserError(
            f"{run} is {metrics['test/error_minutes']:.2f} minutes off, the built-in reader "
            f"{known['metrics']['test/error_minutes']:.2f}: name a folder for it by output=DIR"
        )
    result = before | {
        "metrics": before["metrics"] | metrics,
        "precision": "32-true",
        "checkpoint_mb": round(size / 2**20, 2),
        "bits": bits,
        "rendered": data.rendered,
    }
    for key in (
        "data_dir",
        "data.data_dir",
        "data.path",
        "model.init_from",
        "model.net.init_from",
    ):  # places of the machine that trained it
        if OmegaConf.select(cfg, key) is not None:
            OmegaConf.update(cfg, key, "data" if key.endswith("data_dir") else None)
    part = output.with_name(f".{output.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    (part / "weights.pt").write_bytes(into.getvalue())
    results.write_text(part / results.CONFIG, OmegaConf.to_yaml(cfg))
    results.write_result(part, result)
    shutil.rmtree(output, ignore_errors=True)
    part.rename(output)
    return result


def _check_output(output: Path) -> None:
    """Refuse to replace anything but what export wrote."""
    if output.exists() and not output.is_dir():
        raise UserError(f"output={output} is a file: name a new folder")
    held = {path.name for path in output.iterdir()} if output.exists() else set()
    if held - {"weights.pt", results.CONFIG, results.RESULT}:
        raise UserError(f"output={output} holds other files: name a new folder, or one that export wrote")


def built_in(folder: Path = READER) -> Path:
    """The reader that ships, as a run's folder.

    Raises:
        UserError: this copy of dlcourse has none.
    """
    if not (folder / "weights.pt").exists():
        raise UserError(
            "this copy of dlcourse has no built-in reader: give run=DIR, a folder that train wrote, or make one with "
            "python -m dlcourse.export run=DIR"
        )
    return folder
