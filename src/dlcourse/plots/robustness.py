"""Plots of a clock reader's error over the scene parameters, and over its confidence."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from dlcourse.analysis.classification import Bin as Calibrated
from dlcourse.analysis.robustness import FACTORS, Bin, Examined, Risk
from dlcourse.clocks.encodings import circular_error
from dlcourse.plots.calibration import draw_calibration
from dlcourse.plots.curves import ANSWER, TRAIN, VALIDATION, save
from dlcourse.plots.time import draw_answers


def draw_examined(plots: Path, examined: Examined) -> None:
    """Draw all plots of this module into a folder."""
    draw_robustness(plots / "robustness.png", examined.curves, examined.kind)
    draw_hard(plots / "hard.png", *examined.hard)
    if examined.risks:
        draw_confidence(plots, examined.calibration, examined.metrics["test/calibration_error"], examined.risks)


def draw_robustness(path: Path, rows: Sequence[Bin], kind: str = "free") -> None:
    """Two panels per factor: mean error with standard error, and below it the share of errors above a minute.

    Args:
        path: of the PNG.
        rows: from `robustness.curves`.
        kind: of the scenes.
    """
    figure = Figure(figsize=(13, 11), layout="constrained")
    figure.suptitle("Error on rendered images by hidden parameter of the scene; grey: the range that is trained on")
    figures = [row.error_minutes for row in rows if row.count]
    logarithmic = max(figures) > 20 * max(min(figures), 0.05)
    grid = figure.subplots(4, 3, height_ratios=[3, 2, 3, 2])
    panels = [(grid[row, column], grid[row + 1, column]) for row in (0, 2) for column in range(3)]
    for (axes, below), factor in zip(panels, FACTORS[kind], strict=True):
        part = [row for row in rows if row.factor == factor.name]
        middles = [(row.low + row.high) / 2 for row in part]
        trained = [row for row in part if row.trained]
        spread = np.nan_to_num([row.standard_error for row in part])
        mean = [row.error_minutes for row in part]
        axes.errorbar(middles, mean, spread, marker="o", markersize=4, capsize=2, color=TRAIN)
        if logarithmic:
            axes.set_yscale("symlog", linthresh=1)
        axes.set(ylabel="mean error ± its error,\nminutes")
        axes.set_ylim(bottom=0, top=1.35 * max(figures))
        counts = [row.count for row in part]
        each = str(min(counts)) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
        axes.set_title(f"{sum(counts)} images, {each} a point", fontsize=9)
        missed = [100 * (1 - row.within_one_minute) for row in part]
        below.plot(middles, missed, color=VALIDATION, marker="s", markersize=4)
        below.set(xlabel=factor.label, ylabel="off by more than\na minute, %", ylim=(0, 105))
        for one in (axes, below):
            if trained:
                one.axvspan(trained[0].low, trained[-1].high, color="0.5", alpha=0.13, linewidth=0)
            one.set_xlim(part[0].low, part[-1].high)
            one.grid(alpha=0.3)
    save(figure, path)


def draw_hard(path: Path, pictures: Tensor, minutes: Tensor, truth: Tensor) -> None:
    """The worst predictions [N] of the hard subset [N, S, S], with its mean error."""
    error = circular_error(minutes, truth)
    worst = error.argsort(descending=True, stable=True)[:24]
    title = f"Bright reflection and upside down: {error.mean():.2f} minutes of error in {len(error)} images; the worst"
    draw_answers(path, pictures[worst], minutes[worst], truth[worst], title)


def draw_confidence(plots: Path, bins: Sequence[Calibrated], error: float, found: Sequence[Risk]) -> None:
    """calibration.png, accuracy by confidence, and risk_coverage.png, the error of the most confident predictions."""
    draw_calibration(plots / "calibration.png", bins, error)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True)
    coverage = [100 * row.coverage for row in found]
    left.plot(coverage, [row.error_minutes for row in found], color=TRAIN)
    left.set(ylabel="minutes of error, mean", title="Error of the most confident predictions")
    right.plot(coverage, [100 * row.within_one_minute for row in found], color=TRAIN, label="within one minute")
    right.plot(
        coverage,
        [100 * row.confidence for row in found],
        color=ANSWER,
        linestyle="--",
        label="confidence of the least sure",
    )
    right.set(ylabel="%", title="Share of them that is right")
    right.legend(fontsize=8)
    for axes in (left, right):
        axes.set(xlabel="share of predictions, the most confident first, %", xlim=(0, 100))
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    save(figure, plots / "risk_coverage.png")
