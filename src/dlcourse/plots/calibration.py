"""Calibration of a classifier's confidence."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from dlcourse.analysis.classification import Bin
from dlcourse.plots.curves import TRAIN, VALIDATION, save


def draw_calibration(path: Path, bins: Sequence[Bin], error: float) -> None:
    """A reliability diagram: accuracy by confidence, and the number of predictions.

    Args:
        path: of the PNG.
        bins: from `analysis.classification.calibration_bins`.
        error: the expected calibration error, a share of 1.
    """
    figure = Figure(figsize=(5.6, 6.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    filled = [row for row in bins if row.count]
    middles, width = [(row.low + row.high) / 2 for row in filled], 0.9 / len(bins)
    upper.bar(middles, [row.accuracy for row in filled], width, color=TRAIN, label="right answers")
    upper.plot([0, 1], [0, 1], color="0.4", linestyle="--", linewidth=1, label="perfect calibration")
    upper.plot(
        [row.confidence for row in filled],
        [row.confidence for row in filled],
        color=VALIDATION,
        marker="o",
        markersize=5,
        linestyle="",
        label="confidence, mean",
    )
    for row in filled:
        upper.plot([row.confidence] * 2, [row.accuracy, row.confidence], color=VALIDATION, linewidth=1.5)
    upper.set(ylabel="share of right answers", xlim=(0, 1), ylim=(0, 1.03))
    total = sum(row.count for row in bins)
    confidence = sum(row.count * row.confidence for row in filled) / max(1, total)
    accuracy = sum(row.count * row.accuracy for row in filled) / max(1, total)
    gap = confidence - accuracy
    verdict = "perfect calibration" if abs(gap) < 0.005 else "too sure" if gap > 0 else "not sure enough"
    upper.set_title(
        f"Expected calibration error {error:.1%}\n{confidence:.1%} sure on average, {accuracy:.1%} right: {verdict}",
        fontsize=11,
    )
    upper.legend(loc="upper left", fontsize=8)
    bars = lower.bar(middles, [row.count for row in filled], width, color=TRAIN)
    lower.bar_label(bars, [f"{row.count}" for row in filled], fontsize=7, padding=1)
    lower.set_yscale("log")
    lower.set(xlabel="confidence of the answer", ylabel="answers", ylim=(0.7, 6 * max(row.count for row in bins)))
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
        axes.set_axisbelow(True)
    save(figure, path)
