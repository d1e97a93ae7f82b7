"""The plot of a sweep: lines over one number, a heat map over two, bars for anything else."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from dlcourse.plots.curves import ANSWER, DASHES, LINES, MARKS, TEST, TRAIN, VALIDATION, save
from dlcourse.sweeps.results import Configuration, Sweep

MOST_BARS, FEW_BARS = 40, 12  # largest number of bars, and of configurations with one bar per split
LONGEST_LABEL = 70  # characters of a bar's label
WIDE = 8  # ratio of the largest to the smallest swept number above which the axis is logarithmic
COLOURS = {"train": TRAIN, "val": VALIDATION, "test": TEST}
STYLES = {"train": ("o", "--", "//"), "val": ("s", "-", ""), "test": ("^", ":", "..")}  # mark, dashes, hatch of a bar


def draw_sweep(path: Path, sweep: Sweep, rows: Sequence[Configuration]) -> None:
    """Plot the leading metric; error bars are the standard deviation over seeds.

    Args:
        path: of the PNG.
        sweep: whose keys choose the kind of picture. One number: a line for training, validation and test. Two: a heat
            map. A number and a few names: a line a name. Anything else: bars.
        rows: the configurations that have the figure, best first.
    """
    columns = list(zip(*(row.values for row in rows), strict=True))
    numeric = [place for place, column in enumerate(columns) if _numbers(column)]
    kinds = [len(set(column)) for column in columns]
    named = [place for place in range(len(columns)) if place not in numeric]
    if len(columns) == 1 and numeric and kinds[0] > 1:
        _draw_line(path, sweep, rows)
    elif len(columns) == 2 and len(numeric) == 2:
        _draw_map(path, sweep, rows)
    elif len(columns) == 2 and numeric and kinds[numeric[0]] > 2 and kinds[named[0]] <= len(LINES):
        _draw_lines(path, sweep, rows, numeric[0], named[0])
    else:
        _draw_bars(path, sweep, rows)


def number(value: str) -> float:
    """The text as a number, else NaN."""
    try:
        return float(value)
    except ValueError:
        return math.nan


def _numbers(values: Sequence[str]) -> bool:
    return all(math.isfinite(number(value)) for value in values)


def _series(sweep: Sweep) -> list[tuple[str, str]]:
    """The metric on each split that has it, and its colour."""
    short = sweep.metric.partition("/")[2]
    found = [(f"{split}/{short}", colour) for split, colour in COLOURS.items() if f"{split}/{short}" in sweep.shown]
    return found or [(sweep.metric, ANSWER)]


def _name(sweep: Sweep) -> str:
    return sweep.metric.partition("/")[2] or sweep.metric


def _draw_line(path: Path, sweep: Sweep, rows: Sequence[Configuration]) -> None:
    figure = Figure(figsize=(min(max(5.5, 0.5 * len(rows) + 3), 14), 3.8), layout="constrained")
    axes = figure.subplots()
    for metric, colour in _series(sweep):
        _line(axes, rows, 0, metric, metric, colour, *STYLES.get(metric.partition("/")[0], ("o", "-"))[:2])
    _finish(axes, sweep, rows, 0)
    save(figure, path)


def _draw_lines(path: Path, sweep: Sweep, rows: Sequence[Configuration], x: int, by: int) -> None:
    key = sweep.config_keys()[by]
    names = sorted({row.values[by] for row in rows})
    figure = Figure(figsize=(6.5, 4), layout="constrained")
    axes = figure.subplots()
    for name, colour, mark, dashes in zip(names, LINES, MARKS, DASHES, strict=False):
        part = [row for row in rows if row.values[by] == name]
        _line(axes, part, x, sweep.metric, f"{key}={name}", colour, mark, dashes)
    _finish(axes, sweep, rows, x)
    axes.set_ylabel(sweep.metric)
    save(figure, path)


def _line(
    axes: Axes, rows: Sequence[Configuration], x: int, metric: str, label: str, colour: str, mark: str, dashes: Any
) -> None:
    points = sorted((number(row.values[x]), row.mean(metric), row.deviation(metric)) for row in rows)
    places, means, deviations = np.array(points).T
    axes.errorbar(
        places, means, np.nan_to_num(deviations), marker=mark, linestyle=dashes, capsize=3, label=label, color=colour
    )


def _finish(axes: Axes, sweep: Sweep, rows: Sequence[Configuration], x: int) -> None:
    """Axes and title of a line plot."""
    shown = dict(sorted((number(row.values[x]), row.values[x]) for row in rows))
    places = list(shown)
    positive = [place for place in places if place > 0]
    if _logarithmic(places):
        axes.set_xscale("log")
    elif min(places) == 0 and positive and _logarithmic(positive):  # zero, then powers of ten
        axes.set_xscale("symlog", linthresh=min(positive), linscale=0.5)
    if len(places) <= 12:
        axes.set_xticks(places, list(shown.values()))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel=sweep.config_keys()[x], ylabel=_name(sweep), title=sweep_title(sweep, rows))
    figures = [value for row in rows for metric, _ in _series(sweep) for value in row.figures(metric)]
    if not sweep.higher and min(figures) > 0 and max(figures) / min(figures) > 50:
        axes.set_yscale("log")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9)


def _logarithmic(places: Sequence[float]) -> bool:
    return min(places) > 0 and max(places) / min(places) > WIDE


def sweep_title(sweep: Sweep, rows: Sequence[Configuration]) -> str:
    """What is swept of what, over the name of the sweep and the number of seeds."""
    counts = {len(row.figures(sweep.metric)) for row in rows}
    seeds = f", mean ± sd of {'-'.join(map(str, sorted({min(counts), max(counts)})))} seeds" if sweep.seeds() else ""
    keys = " and ".join(key.rpartition(".")[2] for key in sweep.config_keys()) or "seed"
    what = f"{_name(sweep)} by {keys}".replace("_", " ")
    return f"{sweep.subject + ': ' if sweep.subject else ''}{what}\nsweep {sweep.folder.name}{seeds}"


def _draw_map(path: Path, sweep: Sweep, rows: Sequence[Configuration]) -> None:
    """A heat map: the first swept key on the y axis, the second on the x axis; the best cell has a frame."""
    axis = [sorted({row.values[place] for row in rows}, key=number) for place in (0, 1)]
    cells = np.full([len(values) for values in axis], np.nan)
    for row in rows:
        cells[axis[0].index(row.values[0]), axis[1].index(row.values[1])] = row.mean(sweep.metric)
    figure = Figure(figsize=(2.6 + 0.75 * len(axis[1]), 1.8 + 0.5 * len(axis[0])), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(cells, origin="lower", aspect="auto", cmap="viridis" if sweep.higher else "viridis_r")
    figure.colorbar(image, label=sweep.metric)
    low, high = np.nanmin(cells), np.nanmax(cells)
    small = len(axis[0]) * len(axis[1]) > 60
    for place in np.ndindex(cells.shape):
        if not np.isnan(cells[place]):
            bright = (cells[place] - low) / (high - low or 1)
            dark = bright < 0.5 if sweep.higher else bright > 0.5
            colour, size = "white" if dark else "black", 6.5 if small else 8.5
            axes.text(place[1], place[0], f"{cells[place]:.3g}", ha="center", va="center", color=colour, fontsize=size)
    best = [axis[place].index(rows[0].values[place]) for place in (0, 1)]
    frame: dict[str, Any] = {"fill": False, "edgecolor": ANSWER, "linewidth": 2.5}
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((best[1] - 0.5, best[0] - 0.5), 1, 1, **frame))
    axes.set_xticks(range(len(axis[1])), axis[1])
    axes.set_yticks(range(len(axis[0])), axis[0])
    keys = sweep.config_keys()
    axes.set(xlabel=keys[1], ylabel=keys[0], title=sweep_title(sweep, rows))
    save(figure, path)


def _draw_bars(path: Path, sweep: Sweep, rows: Sequence[Configuration]) -> None:
    """One row of bars per configuration, the best on top; dots are seeds."""
    shown, series = rows[:MOST_BARS], _series(sweep)
    if len(shown) > FEW_BARS:
        series = [(sweep.metric, COLOURS.get(sweep.metric.partition("/")[0], ANSWER))]
    figure = Figure(figsize=(7.5, max(2.6, 1.4 + len(shown) * (0.16 + 0.17 * len(series)))), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(series)
    for place, (metric, colour) in enumerate(series):
        heights = [middle + (place - (len(series) - 1) / 2) * width for middle in range(len(shown))]
        means = [row.mean(metric) for row in shown]
        sd = np.nan_to_num([row.deviation(metric) for row in shown])
        more: dict[str, Any] = {"xerr": sd, "capsize": 2} if sd.any() else {}
        hatch = STYLES.get(metric.partition("/")[0], ("", "", ""))[2]
        axes.barh(
            heights, np.nan_to_num(means), width, label=metric, color=colour, edgecolor="white", hatch=hatch, **more
        )
        for height, row in zip(heights, shown, strict=True):
            if len(figures := row.figures(metric)) > 1:
                axes.plot(figures, [height] * len(figures), ".", color="black", markersize=3)
    keys = sweep.config_keys()
    labels, what = [_label(keys, row.values) for row in shown], keys[0] if len(keys) == 1 else ""
    if max(map(len, labels)) > LONGEST_LABEL:  # for example of a search; the table has the values
        labels, what = [job_label(row) for row in shown], ""
    axes.set_yticks(range(len(shown)), labels, fontsize=9 if len(shown) <= 20 else 7)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    cut = f": the best {MOST_BARS} of {len(rows)}" if len(rows) > MOST_BARS else ""
    axes.set(xlabel=_name(sweep), ylabel=what, title=sweep_title(sweep, rows) + cut)
    figures = [value for row in shown for metric, _ in series for value in row.figures(metric)]
    if sweep.higher and min(figures) > 0.5 and max(figures) <= 1:
        low, high = min(figures), max(figures)
        room = 0.25 * (high - low) + 0.002
        axes.set_xlim(max(0, low - room), min(1, high + room))  # so that differences between long bars are visible
        axes.set_xlabel(f"{_name(sweep)} (the axis starts at {max(0, low - room):.3g}, not at 0)")
    axes.grid(alpha=0.3, axis="x")
    figure.legend(loc="outside lower center", ncols=len(series), fontsize=9)
    save(figure, path)


def job_label(row: Configuration) -> str:
    """The job numbers of a configuration."""
    return f"job {', '.join(job.name for job in row.jobs)}"


def _label(keys: Sequence[str], values: Sequence[str]) -> str:
    """The values, with the last part of each key where there are several."""
    if len(keys) < 2:
        return values[0] if values else "all jobs"
    return ", ".join(f"{key.rpartition('.')[2]}={value}" for key, value in zip(keys, values, strict=True))
