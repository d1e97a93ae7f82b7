"""Plots of a clock reader's predictions: the errors, their sizes, and the worst mistakes."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor

from dlcourse.clocks.encodings import MINUTES, circular_error, clock_text, confidence, minutes_of
from dlcourse.data.module import DataModule
from dlcourse.models.base import BaseModule
from dlcourse.plots.curves import ANSWER, TRAIN, TRUTH, draw_curves, save
from dlcourse.plots.sheet import contact_sheet, ending, shown_sample, unsure_marks


def draw(folder: Path, model: BaseModule, data: DataModule) -> None:
    """Draw all plots of a tested clock reader into `folder`/plots, from the predictions of its last split."""
    plots = folder / "plots"
    answers = model.last_predictions
    truth, minutes = minutes_of(answers["labels"]), answers["minutes"]
    pictures = data.arrays[model.split][0][: len(truth)]
    if (folder / "metrics.csv").exists():
        draw_curves(folder, "val/error_minutes")
    error = circular_error(minutes, truth)
    _draw_errors(plots / "errors.png", truth, error)
    worst = error.argsort(descending=True)[:24]
    draw_answers(plots / "worst.png", pictures[worst], minutes[worst], truth[worst], "The worst answers")
    sample, labels, title = shown_sample(model, data)
    draw_answers(plots / "samples.png", sample[:24], None, minutes_of(labels[:24]), title)
    if "probabilities" in answers:
        chosen = torch.cat([worst[:3], error.argsort()[:1]])
        _draw_distributions(
            plots / "distributions.png", pictures[chosen], answers["probabilities"][chosen], truth[chosen]
        )


def _draw_errors(path: Path, truth: Tensor, error: Tensor) -> None:
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    histogram, by_hour, by_minute = figure.subplots(1, 3)
    edges = [-0.5, 0.5, 1.5, 2.5, 5.5, 10.5, 30.5, 60.5, 180.5, 360.5]
    names = ["0", "1", "2", "3-5", "6-10", "11-30", "31-60", "61-180", "181-360"]
    counts = torch.histogram(error.round().float(), torch.tensor(edges)).hist
    bars = histogram.bar(names, (counts / len(error)).tolist(), color=TRAIN)
    histogram.bar_label(bars, [f"{int(count)}" for count in counts], fontsize=7)
    histogram.tick_params("x", rotation=60)
    histogram.set(
        title=f"Error of {len(error)} answers, mean {error.mean():.2f}", xlabel="minutes of error", ylabel="share"
    )
    for axes, part, size, name in ((by_hour, truth // 60, 12, "hour"), (by_minute, truth % 60, 60, "minute")):
        count = torch.bincount(part, minlength=size).clamp_min(1)
        axes.bar(range(size), (torch.bincount(part, error, size) / count).tolist(), color=TRAIN, width=1)
        axes.set(title=f"Mean error by {name}", xlabel=f"true {name}", ylabel="minutes of error")
    save(figure, path)


def draw_hands(axes: Axes, minutes: float, colour: str, reach: float) -> None:
    """A small upright clock's hands in the lower right corner of a picture drawn on `axes` with side `reach`."""
    x, y, radius = 0.83 * reach, 0.83 * reach, 0.15 * reach
    for turn, length in ((minutes / MINUTES, 0.55), (minutes % 60 / 60, 0.9)):
        angle = 2 * math.pi * turn
        axes.plot(
            [x, x + radius * length * math.sin(angle)], [y, y - radius * length * math.cos(angle)],
            color=colour, linewidth=1.8, solid_capstyle="round",
        )  # fmt: skip


def draw_answers(path: Path, pictures: Tensor, minutes: Tensor | None, truth: Tensor, title: str) -> None:
    """A sheet of pictures [N, S, S] under their times, and under the answers [N] where there are some."""
    titles = [
        clock_text(t) if minutes is None else f"{clock_text(minutes[i].item())} for {clock_text(t)}"
        for i, t in enumerate(truth.tolist())
    ]
    decorate = None if minutes is None else _dials(minutes.tolist(), truth.tolist())
    contact_sheet(path, list(pictures.numpy()), titles, title, decorate=decorate)


def _dials(minutes: Sequence[float], truth: Sequence[float] | None) -> Callable[[Axes, int], None]:
    """Draws a small upright dial on each picture, with the answer in red and the truth, if known, in green."""

    def draw_dial(axes: Axes, i: int) -> None:
        side = axes.get_xlim()[1] + 0.5
        axes.add_patch(Circle((0.83 * side, 0.83 * side), 0.155 * side, facecolor="white", edgecolor="black"))
        if truth is not None:
            draw_hands(axes, truth[i], TRUTH, side)
        draw_hands(axes, minutes[i], ANSWER, side)

    return draw_dial


def _draw_distributions(path: Path, pictures: Tensor, probabilities: Tensor, truth: Tensor) -> None:
    figure = Figure(figsize=(11, 1.7 * len(truth)), layout="constrained")
    figure.suptitle("How likely each of the 720 times is: three of the worst answers and a good one")
    answered = probabilities.argmax(1)
    sure, _ = confidence(probabilities, answered.float())
    for i, (left, right) in enumerate(figure.subplots(len(truth), 2, width_ratios=[1, 6], squeeze=False)):
        left.imshow(pictures[i].numpy(), cmap="gray", vmin=0, vmax=255)
        left.set_axis_off()
        right.semilogy(probabilities[i].clamp_min(1e-6).tolist(), color=TRAIN, linewidth=0.9)
        right.axvline(truth[i].item(), color=TRUTH, linestyle="--", label=f"true {clock_text(truth[i].item())}")
        answer = answered[i].item()
        right.axvline(
            answer, color=ANSWER, linestyle=":", label=f"answered {clock_text(answer)}, sure by {sure[i]:.0%}"
        )
        right.set(xlim=(0, MINUTES), xticks=range(0, 721, 60), xticklabels=[clock_text(t) for t in range(0, 721, 60)])
        right.legend(fontsize=7, loc="upper right")
    save(figure, path)


def draw_predictions(
    path: Path, model: BaseModule, pictures: Tensor, answers: dict[str, Tensor], files: Sequence[Path]
) -> None:
    """A contact sheet of the first 60 images [N, H, W] with their predictions."""
    minutes = answers["minutes"].tolist()
    sure = None
    if "probabilities" in answers:
        sure, _ = confidence(answers["probabilities"], answers["minutes"])
    shares = [""] * len(minutes) if sure is None else [f", {100 * share:.0f} %" for share in sure.tolist()]
    titles = [
        f"{clock_text(t)}{share}{doubt}\n{ending(file.name, 22)}"
        for t, share, doubt, file in zip(minutes, shares, unsure_marks(model, sure, len(minutes)), files, strict=True)
    ]
    sheet = list(pictures[:60].numpy())
    contact_sheet(path, sheet, titles[:60], "Predicted times", decorate=_dials(minutes, None))
