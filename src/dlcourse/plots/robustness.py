"""Pictures of how a clock reader's error depends on the renderer's hidden parameters, and on its own confidence."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from dlcourse.analysis import Bin as Calibrated
from dlcourse.clocks.encodings import circular_error
from dlcourse.plots.calibration import draw_calibration
from dlcourse.plots.curves import ANSWER, TRAIN, VALIDATION, save
from dlcourse.plots.time import draw_answers
from dlcourse.robustness import FACTORS, Bin, Risk


def draw_robustness(path: Path, rows: Sequence[Bin]) -> None:
    """A panel a factor: mean error with its standard error, median, the trained range shaded, counts below.

    Args:
        path: of the PNG.
        rows: from `robustness.curves`.
    """
    figure = Figure(figsize=(13, 7.4), layout="constrained")
    figure.suptitle("Error on rendered pictures by what the renderer hides; shaded: the range that is trained on")
    figures = [row.error_minutes for row in rows if row.count]
    logarithmic = max(figures) > 20 * max(min(figures), 0.05)
    for axes, factor in zip(figure.subplots(2, 3).flat, FACTORS, strict=True):
        part = [row for row in rows if row.factor == factor.name]
        edges = [part[0].low, *(row.high for row in part)]
        middles = [(row.low + row.high) / 2 for row in part]
        trained = [row for row in part if row.trained]
        if trained:
            axes.axvspan(trained[0].low, trained[-1].high, color="0.5", alpha=0.13, linewidth=0)
        mean, spread = np.array([row.error_minutes for row in part]), np.array([row.standard_error for row in part])
        axes.errorbar(
            middles,
            mean,
            np.nan_to_num(spread),
            marker="o",
            markersize=4,
            capsize=2,
            color=TRAIN,
            label="mean ± its error",
        )
        axes.plot(
            middles,
            [row.error_minutes_median for row in part],
            marker="_",
            linestyle="",
            color=VALIDATION,
            label="median",
        )
        if logarithmic:
            axes.set_yscale("symlog", linthresh=0.5)
        axes.set(xlabel=factor.label, ylabel="minutes off", xlim=(edges[0], edges[-1]))
        axes.set_ylim(bottom=0, top=1.35 * max(figures))
        counts = sorted({row.count for row in part})
        axes.set_title(f"{sum(row.count for row in part)} pictures, {counts[0]} to {counts[-1]} a point", fontsize=9)
        axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize=8)
    save(figure, path)


def draw_hard(path: Path, pictures: Tensor, minutes: Tensor, truth: Tensor) -> None:
    """The worst answers [N] of the hard subset [N, S, S], with its mean error."""
    error = circular_error(minutes, truth)
    worst = error.argsort(descending=True, stable=True)[:24]
    title = f"Bright reflection and upside down: {error.mean():.2f} minutes off in {len(error)} pictures; the worst"
    draw_answers(path, pictures[worst], minutes[worst], truth[worst], title)


def draw_confidence(plots: Path, bins: Sequence[Calibrated], error: float, found: Sequence[Risk]) -> None:
    """calibration.png, how often answers of a confidence are right, and risk_coverage.png, the surest ones alone."""
    draw_calibration(plots / "calibration.png", bins, error)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True)
    coverage = [100 * row.coverage for row in found]
    left.plot(coverage, [row.error_minutes for row in found], color=TRAIN)
    left.set(ylabel="minutes off, mean", title="Error among the surest answers")
    right.plot(coverage, [100 * row.within_one_minute for row in found], color=TRAIN, label="within one minute")
    right.plot(
        coverage, [100 * row.confidence for row in found], color=ANSWER, linestyle="--", label="confidence of the last"
    )
    right.set(ylabel="%", title="How many of them are right")
    right.legend(fontsize=8)
    for axes in (left, right):
        axes.set(xlabel="share of answers given, the surest first, %", xlim=(0, 100))
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    save(figure, plots / "risk_coverage.png")
