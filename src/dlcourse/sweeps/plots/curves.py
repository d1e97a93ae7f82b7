"""The learning curves of a sweep's jobs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dlcourse.plots.curves import LINES, MARKS, curve_points, save
from dlcourse.runs.files import read_rows
from dlcourse.sweeps.plots.sweep import LONGEST_LABEL, job_label, number, sweep_title
from dlcourse.sweeps.results import Configuration, Sweep

NAMED = 10  # configurations in a legend; with more, it lists the best and the worst


def draw_sweep_curves(path: Path, sweep: Sweep, rows: Sequence[Configuration]) -> None:
    """The leading metric and the loss by epoch: validation solid, training dashed.

    Without a validation split it is the figures in training; nothing is drawn where no job has two epochs of any.

    Args:
        path: of the PNG.
        sweep: the sweep to draw.
        rows: the configurations to draw, best first; seeds of one share a colour.
    """
    short = sweep.metric.partition("/")[2]
    tables = {job.name: read_rows(sweep.folder / job.name / "metrics.csv") for row in rows for job in row.jobs}
    panels = [name for name in dict.fromkeys((short, "loss")) if _splits(tables, name)]
    if not panels:
        return
    figure = Figure(figsize=(3 + 5 * len(panels), 4.2), layout="constrained")
    labels = [", ".join(row.values) or "each seed" for row in rows]
    title = ", ".join(key.rpartition(".")[2] for key in sweep.config_keys()) or "seed"
    if max(map(len, [*labels, title])) > LONGEST_LABEL:
        labels, title = [job_label(row) for row in rows], ""
    for name, axes in zip(panels, figure.subplots(1, len(panels), squeeze=False)[0], strict=True):
        splits = _splits(tables, name)
        values = []
        for number_, (row, label, colour) in enumerate(zip(rows, labels, _colours(rows), strict=True)):
            for split, style in zip(splits, ("-", "--"), strict=False):
                drawn = [points for job in row.jobs if (points := curve_points(tables[job.name], f"{split}/{name}"))[0]]
                for place, (x, y) in enumerate(drawn):
                    named = split == splits[0] and not place
                    alpha = 0.9 if len(drawn) == 1 else 0.6
                    mark = MARKS[number_ % len(MARKS)] if len(rows) <= NAMED else ""
                    more: dict[str, Any] = {"marker": mark, "markevery": max(1, len(x) // 8), "markersize": 4}
                    axes.plot(x, y, style, color=colour, alpha=alpha, label=label if named else "", **more)
                    values += y
        if not (sweep.higher and name == short) and min(values) > 0 and max(values) / min(values) > 20:
            axes.set_yscale("log")
        label = f"{splits[0]}/{name}" + (", dashed: in training" if len(splits) > 1 else "")
        axes.set(xlabel="epoch", ylabel=label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    figure.suptitle(sweep_title(sweep, rows))
    lines, named = figure.axes[0].get_legend_handles_labels()
    order = "best first"
    if len(lines) > NAMED:
        ends = [*range(NAMED // 2), *range(len(lines) - NAMED // 2, len(lines))]
        lines, named = [lines[i] for i in ends], [named[i] for i in ends]
        order = f"the best and\nthe worst {NAMED // 2}"
    title = f"{title}\n{order}".strip()
    figure.legend(lines, named, loc="outside right upper", fontsize=8, title=title, title_fontsize=8)
    save(figure, path)


def _splits(tables: dict[str, list[dict[str, str]]], name: str) -> list[str]:
    """The splits among validation and training that have curves of a metric."""
    curves = {
        split: [curve_points(table, f"{split}/{name}")[0] for table in tables.values()] for split in ("val", "train")
    }
    return [split for split, found in curves.items() if any(len(x) > 1 for x in found)]


def _colours(rows: Sequence[Configuration]) -> list:
    """A colour for each configuration: by value where one number is swept, else in sequence."""
    numbers = [number(row.values[0]) if len(row.values) == 1 else float("nan") for row in rows]
    ramp = colormaps["viridis"]  # without its yellow end, which is not seen on white
    if len(rows) > 1 and all(value == value for value in numbers):
        order = sorted(numbers)
        return [ramp(0.8 * order.index(value) / (len(order) - 1)) for value in numbers]
    if len(rows) <= len(LINES):
        return list(LINES[: len(rows)])
    return [ramp(0.8 * place / (len(rows) - 1)) for place in range(len(rows))]
