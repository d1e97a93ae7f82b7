"""The picture of a sweep: a line over a swept number, bars over anything else."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from dlcourse.plots.curves import ANSWER, TRAIN, VALIDATION, save


def draw_sweep(
    path: Path, keys: Sequence[str], header: Sequence[str], rows: Sequence[Sequence[Any]], metric: str
) -> None:
    """Train, validation and test figures of finished jobs.

    Args:
        path: of the PNG.
        keys: swept keys; one numeric key makes a line, everything else bars.
        header, rows: the sweep's table.
        metric: as `test/error_minutes`; the same figure of the other splits is drawn beside it.
    """
    short = metric.partition("/")[2]
    columns = [
        (f"{split}/{short}", colour) for split, colour in (("train", TRAIN), ("val", VALIDATION), ("test", ANSWER))
    ]
    columns = [(header.index(name), name, colour) for name, colour in columns if name in header]
    positions = [header.index(key) for key in keys]
    numbers = [_number(row[positions[0]]) for row in rows] if len(keys) == 1 else []
    figure = Figure(figsize=(max(5.5, 0.5 * len(rows) + 3), 3.8), layout="constrained")
    axes = figure.subplots()
    if len(numbers) > 1 and not any(math.isnan(number) for number in numbers):
        order = sorted(range(len(rows)), key=lambda i: numbers[i])
        x = [numbers[i] for i in order]
        for column, name, colour in columns:
            axes.plot(x, [rows[i][column] for i in order], marker="o", label=name, color=colour)
        if x[0] > 0 and x[-1] / x[0] > 8:
            axes.set_xscale("log")
        axes.set_xticks(x, [str(rows[i][positions[0]]) for i in order])
        axes.minorticks_off()
        axes.set_xlabel(keys[0])
    else:
        width = 0.8 / len(columns)
        for place, (column, name, colour) in enumerate(columns):
            heights = [row[column] or 0 for row in rows]
            axes.bar([i + place * width for i in range(len(rows))], heights, width, label=name, color=colour)
        labels = ["\n".join(str(row[position]) for position in positions) for row in rows]
        axes.set_xticks([i + width * (len(columns) - 1) / 2 for i in range(len(rows))], labels, rotation=30, ha="right")
        axes.set_xlabel(", ".join(keys))
    axes.set(ylabel=short, title=path.parent.name)
    axes.grid(alpha=0.3)
    axes.legend()
    save(figure, path)


def _number(value: Any) -> float:
    """The number, NaN where it is none."""
    try:
        return float(value)
    except ValueError:
        return math.nan
