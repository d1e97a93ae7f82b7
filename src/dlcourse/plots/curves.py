"""Loss curves and metrics over the epochs, from metrics.csv."""

import csv
from pathlib import Path

from matplotlib.figure import Figure

TRAIN, VALIDATION, TRUTH, ANSWER = "#4477aa", "#ee6677", "#228833", "#cc3311"  # Tol's bright colours


def save(figure: Figure, path: Path) -> None:
    """Write a picture as PNG."""
    figure.savefig(path, dpi=110, bbox_inches="tight")


def draw_curves(folder: Path, metric: str) -> None:
    """`plots/curves.png`: loss of training and validation, and one validation metric, by epoch.

    Args:
        folder: the run folder.
        metric: name in metrics.csv of the figure on the right, such as val/error_minutes.
    """
    with (folder / "metrics.csv").open(encoding="utf8", newline="") as file:
        rows = list(csv.DictReader(file))
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, colour in (("train/loss", TRAIN), ("val/loss", VALIDATION)):
        left.plot(*_points(rows, name), color=colour, label=name, marker=".")
    left.set(xlabel="epoch", ylabel="loss", title="Loss")
    left.legend()
    right.plot(*_points(rows, metric), color=VALIDATION, marker=".")
    right.set(xlabel="epoch", ylabel=metric, title=metric)
    values = _points(rows, metric)[1]
    if values and min(values) > 0 and max(values) / min(values) > 20:
        right.set_yscale("log")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    save(figure, folder / "plots" / "curves.png")


def _points(rows: list[dict[str, str]], name: str) -> tuple[list[int], list[float]]:
    found = [(int(row["epoch"]) + 1, float(row[name])) for row in rows if row.get(name)]
    return [epoch for epoch, _ in found], [value for _, value in found]
