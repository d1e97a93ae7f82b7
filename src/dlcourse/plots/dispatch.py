"""The one table from a kind of task, or a family, to its plots.

Modules are imported when they draw, because matplotlib and torch take seconds to import.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcourse.runs.result import CONFIG
from dlcourse.runs.stored_config import read_stored

if TYPE_CHECKING:
    from torch import Tensor

    from dlcourse.data.module import DataModule
    from dlcourse.models.base import BaseModule
    from dlcourse.runs.result import Result

# A module offers `draw(folder, model, data)` and, where it makes sense for its kind or family,
# `draw_predictions`, `draw_size_and_time` and `draw_jobs`. A kind without an entry has no plots.
MODULES = {
    # kinds of task
    "classes": "dlcourse.plots.classes",
    "time": "dlcourse.plots.time",
    "pictures": "dlcourse.plots.generative",
    # families and nets, on top of their kind
    "any_clock": "dlcourse.plots.any_clock",
    "centres": "dlcourse.plots.centres",
    "flow": "dlcourse.plots.flow",
    "gan": "dlcourse.plots.gan",
    "perceptron": "dlcourse.plots.perceptron",
    "polar": "dlcourse.plots.polar",
    "probe": "dlcourse.plots.probe",
    "vae": "dlcourse.plots.vae",
    "xor": "dlcourse.plots.xor",
    "xor_search": "dlcourse.plots.xor_search",
}


def _function(name: str, function: str) -> Any:
    """A drawing function of the table's module `name`, or of the module of that dotted name; None where it has none."""
    module = MODULES.get(name, name if "." in name else None)
    return None if module is None else getattr(import_module(module), function, None)


def draw(folder: Path, model: "BaseModule", data: "DataModule") -> None:
    """Draw a run into `folder`/plots: the plots of the model's kind of task, then those of its family."""
    (folder / "plots").mkdir(exist_ok=True)
    for name in model.plots():
        if (draw_one := _function(name, "draw")) is not None:
            draw_one(folder, model, data)


def draw_predictions(
    path: Path, model: "BaseModule", images: "Tensor", predictions: "dict[str, Tensor]", files: list[Path]
) -> None:
    """Draw images with their predictions as one sheet, if the model's kind of task or its family has one.

    Args:
        path: of the PNG.
        model: gave the predictions; its family, or its kind of task, says what the sheet shows.
        images: uint8 [N, H, W] or [N, H, W, 3].
        predictions: from `model.predictions`.
        files: where each image comes from.
    """
    drawing = [found for name in model.plots() if (found := _function(name, "draw_predictions")) is not None]
    if drawing:
        drawing[-1](path, model, images, predictions, files)


def draw_size_and_time(folder: Path, kind: str, result: "Result") -> None:
    """Draw a run among its neighbours by accuracy, size and time, for kinds of task that have the plot.

    Args:
        folder: of the run; its result.json is written.
        kind: of the task.
        result: content of result.json.
    """
    if (draw_among := _function(kind, "draw_size_and_time")) is not None:
        draw_among(folder, result)


def draw_jobs(folder: Path, model: str, jobs: Sequence[Path]) -> None:
    """Draw the jobs of a sweep in one plot, if the family of their model has such a plot.

    The plot gets a config and a state dict for each job, in their order.

    Args:
        folder: of the sweep.
        model: its name in the jobs' results.
        jobs: folders of completed jobs with this model.
    """
    if model not in MODULES or (draw_all := _function(model, "draw_jobs")) is None:
        return
    from dlcourse.models.build import load_checkpoint

    best = "checkpoints/best.ckpt"
    draw_all(
        folder, [(read_stored(job / CONFIG, builds=False), load_checkpoint(job / best)["state_dict"]) for job in jobs]
    )
