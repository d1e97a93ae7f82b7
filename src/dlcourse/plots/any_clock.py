"""Plots of the reader of any clock: the dial that it found, and its reading, drawn into the image."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.axes import Axes
from torch import Tensor

from dlcourse.clocks.dial import seen_at
from dlcourse.clocks.encodings import MINUTES, confidence
from dlcourse.data.module import DataModule
from dlcourse.models.any_clock import FOUND, MORE
from dlcourse.models.base import BaseModule
from dlcourse.plots.curves import ANSWER, TRUTH, VALIDATION
from dlcourse.plots.sheet import contact_sheet, ending, unsure_marks

SHOWN = 60
HOUR, MINUTE = 0.5, 0.85  # lengths of the drawn hands in dial radii
DETAIL = 300  # pixels a side of an image on the sheet


def draw(folder: Path, model: BaseModule, data: DataModule) -> None:
    """`plots/found.png`: test images with the dials that were found and their readings."""
    images = data.arrays[model.split][0][:24]
    answers = {name: part[: len(images)] for name, part in model.last_predictions.items()}
    draw_predictions(folder / "plots" / "found.png", model, images, answers, [Path()] * len(images))


def draw_predictions(
    path: Path, model: BaseModule, images: Tensor, answers: dict[str, Tensor], files: Sequence[Path]
) -> None:
    """A contact sheet of the first images with outline, hands and twelve as read, and the runner-up's hands dotted."""
    rows = model.format_predictions(answers)
    doubts = unsure_marks(model, confidence(answers["probabilities"], answers["minutes"])[0], len(rows))
    titles = [
        (f"{row['time']}  {row['confidence']:.0%}, or {row['runner_up']}{doubt}" if row["runner_up"] else row["time"])
        + (f"\nand {row['others']}" if row.get("others") else "")
        + f"\n{ending(file.name, 28)}"
        for row, doubt, file in zip(rows, doubts, files, strict=True)
    ]
    step = max(images.shape[1] // DETAIL, 1)
    shown = [image[::step, ::step].numpy() for image in images[:SHOWN]]

    def decorate(axes: Axes, i: int) -> None:
        if rows[i]["runner_up"]:
            draw_reading(axes, {name: part[i : i + 1] for name, part in answers.items()}, shown[i].shape[0])
        for k in range(answers["more_pose"].shape[1] if rows[i].get("others") else 0):
            other = {name: answers[f"more_{name}"][i, k, None] for name in MORE}
            if other["pose"][0, 7] >= FOUND:
                draw_reading(axes, other, shown[i].shape[0])

    contact_sheet(path, shown, titles[:SHOWN], "Predicted times", cell=2.6, columns=5, decorate=decorate)


def draw_reading(axes: Axes, answer: dict[str, Tensor], side: int) -> None:
    """The outline, hands and twelve of one reading in its image; the runner-up's hands are dotted.

    Args:
        axes: that show the image.
        answer: the reader's predictions of the image, each [1, ...].
        side: pixels of the image's longer side, which the pose is relative to.
    """
    pose, turn = answer["pose"], answer["turn"].item()
    around = torch.arange(61) * (2 * math.pi / 60)
    rim = torch.stack([around.sin(), -around.cos()], -1)
    _line(axes, pose, rim, side, color=VALIDATION, linewidth=1.5)
    _line(axes, pose, _toward(turn, 0.9, 1.0), side, color=VALIDATION, linewidth=3)
    for minutes, style in (
        (answer["runner_up"].item(), {"color": TRUTH, "linestyle": ":"}),
        (answer["minutes"].item(), {"color": ANSWER}),
    ):
        _line(axes, pose, _toward(turn + minutes * 360 / MINUTES, 0, HOUR), side, linewidth=3, **style)
        _line(axes, pose, _toward(turn + minutes % 60 * 6, 0, MINUTE), side, linewidth=1.5, **style)


def _toward(degrees: float, start: float, end: float) -> Tensor:
    """Two points [2, 2] of the dial's plane in a direction, clockwise of up."""
    angle = math.radians(degrees)
    return torch.tensor([[start], [end]]) * torch.tensor([math.sin(angle), -math.cos(angle)])


def _line(axes: Axes, pose: Tensor, points: Tensor, side: int, **style) -> None:
    x, y = (seen_at(pose, points)[0] * side - 0.5).unbind(1)
    axes.plot(x.tolist(), y.tolist(), solid_capstyle="round", **style)
