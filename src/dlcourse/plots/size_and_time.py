"""A run among its neighbours: accuracy over size and over time."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from dlcourse.errors import UserError
from dlcourse.plots.curves import ANSWER, TRAIN, save
from dlcourse.plots.sheet import plain, shorten
from dlcourse.runs.files import write_csv
from dlcourse.runs.result import Result, read_result

METRIC = "test/accuracy"
SIZE = 8  # points, of the names
BESIDE = ((8, 0), (-8, 0), (0, 11), (0, -11), (8, 11), (8, -11), (-8, 11), (-8, -11), (8, 20), (8, -20))  # points
TIMES = {
    0.01: "0.01 s", 0.1: "0.1 s", 1: "1 s", 3: "3 s", 10: "10 s", 30: "30 s", 60: "1 min", 180: "3 min", 600: "10 min",
    1800: "30 min", 3600: "1 h", 10800: "3 h", 36000: "10 h", 86400: "1 day", 259200: "3 days", 864000: "10 days",
}  # fmt: skip


class Point(NamedTuple):
    """A completed run; values that it did not record are None."""

    folder: str
    model: str
    accuracy: float
    parameters: float | None
    cpu_seconds: float | None


def draw_size_and_time(folder: Path, result: Result) -> None:
    """`plots/size_and_time.png` and .csv: this run and the completed runs on the same data in folders beside it.

    Without other runs it draws nothing. It skips folders of other programs and incomplete ones.

    Args:
        folder: the run folder.
        result: the content of its result.json.
    """
    own = _point(folder, result)
    if own is None:
        return
    points = [own]
    for other in sorted(folder.absolute().parent.iterdir()):
        if other.name == folder.absolute().name:
            continue
        try:
            found = read_result(other)
        except UserError:  # somebody else's result.json
            continue
        point = _point(other, found) if found and found.data == result.data else None
        if point is not None:
            points.append(point)
    if len(points) == 1:
        return
    plots = folder / "plots"
    plots.mkdir(exist_ok=True)
    write_csv(plots / "size_and_time.csv", Point._fields, points)
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    figure.suptitle(plain(f"{own.model} (red) among {len(points)} runs on {result.data}"))
    size, time = figure.subplots(1, 2, sharey=True)
    heights = [100 * point.accuracy for point in points]
    gap = 0.12 * max(max(heights) - min(heights), 0.5)
    size.set_ylim(min(heights) - gap, max(heights) + gap)
    sizes = _draw_points(size, points, [point.parameters for point in points])
    if not any(point.parameters for point in points):
        size.text(0.5, 0.5, "models without weights", transform=size.transAxes, ha="center", color="0.4")
        size.set_xticks([])
    thousands = EngFormatter(sep="")
    size.xaxis.set_major_formatter(FuncFormatter(lambda value, at: thousands(value, at) if value else "none"))
    size.set(xlabel="parameters", ylabel=f"{METRIC} in %", title="Accuracy by size")
    seconds = [None if point.cpu_seconds is None else max(point.cpu_seconds, 0.01) for point in points]
    times = _draw_points(time, points, seconds)
    low, high = time.get_xlim()
    ticks: list[float] = []
    for tick in TIMES:
        if low <= tick <= high and (not ticks or math.log(tick / ticks[-1]) > math.log(high / low) / 9):
            ticks.append(tick)
    time.xaxis.set_major_locator(FixedLocator(ticks))
    time.xaxis.set_minor_locator(NullLocator())
    time.xaxis.set_major_formatter(FuncFormatter(lambda value, _: TIMES.get(value, f"{value:g}")))
    time.set(xlabel="CPU time of training and test", title="Accuracy by time")
    figure.draw_without_rendering()  # lays the panels out, so that it is known where there is room for a name
    figure.set_layout_engine("none")
    _write_names(size, points, sizes, figure.dpi / 72)
    _write_names(time, points, times, figure.dpi / 72)
    save(figure, plots / "size_and_time.png")


def _point(folder: Path, result: Result) -> Point | None:
    accuracy = _number(result.metrics.get(METRIC))
    if result.status != "completed" or accuracy is None:
        return None
    numbers = _number(result.parameters), _number(result.cpu_seconds)
    return Point(folder.name, str(result.model), accuracy, *numbers)


def _number(value: Any) -> float | None:
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    return value if usable else None


def _draw_points(axes: Axes, points: Sequence[Point], x: Sequence[float | None]) -> list[tuple[float, float, int]]:
    """Dots on a logarithmic axis, the first run's red.

    Returns:
        Of each dot its place, its height, and the run's number.
    """
    dots = [(at, 100 * points[i].accuracy, i) for i, at in enumerate(x) if at is not None]
    axes.grid(alpha=0.3)
    positive = [at for at, _, _ in dots if at > 0]
    if not positive:
        return []
    if len(positive) < len(dots):  # nearest neighbours and others without weights stand at the left
        axes.set_xscale("symlog", linthresh=min(positive) / 3, linscale=0.3)
        axes.set_xlim(-min(positive) / 6, 5 * max(positive))
    else:
        axes.set_xscale("log")
        axes.set_xlim(min(positive) / 2, 5 * max(positive))
        if max(positive) < 100 * min(positive):
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    for at, y, i in reversed(dots):
        axes.plot(at, y, "o", color=TRAIN if i else ANSWER, markersize=7)
    return dots


def _write_names(axes: Axes, points: Sequence[Point], dots: Sequence[tuple[float, float, int]], scale: float) -> None:
    """The model's name beside its best run and this one, where there is room for it; `scale` is pixels a point."""
    at = {i: tuple(axes.transData.transform((x, y))) for x, y, i in dots}
    taken = [(x - 4 * scale, y - 4 * scale, x + 4 * scale, y + 4 * scale) for x, y in at.values()]
    frame = axes.get_window_extent()
    named: set[str] = set()
    for i in sorted(at, key=lambda i: (i > 0, -points[i].accuracy)):
        name = shorten(points[i].model, 28)
        if points[i].model in named:
            continue
        named.add(points[i].model)
        wide, high = 0.6 * SIZE * len(name) * scale, 1.2 * SIZE * scale
        x, y = at[i]
        for right, up in BESIDE:
            left = x + right * scale - (0 if right > 0 else wide if right < 0 else wide / 2)
            box = (left, y + up * scale - high / 2, left + wide, y + up * scale + high / 2)
            inside = frame.x0 < box[0] and box[2] < frame.x1 and frame.y0 < box[1] and box[3] < frame.y1
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                axes.annotate(
                    plain(name), dots[[dot[2] for dot in dots].index(i)][:2], (right, up), textcoords="offset points",
                    ha="left" if right > 0 else "right" if right < 0 else "center", va="center",
                    fontsize=SIZE, color="black" if i else ANSWER,
                )  # fmt: skip
                break


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
