"""A line chart as SVG in the page's colours, light and dark."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from markupsafe import Markup

WIDTH, HEIGHT = 560, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 34, 40


class Line(NamedTuple):
    """Points by epoch, the CSS classes of the line, and its name in the legend."""

    points: Sequence[tuple[float, float]]
    style: str
    label: str


def chart(lines: Sequence[Line], title: str, is_share: bool = False) -> Markup:
    """Draw lines over the epochs; positive values that span a factor of more than 20 get a logarithmic axis.

    Args:
        lines: at least one, each of at least one point.
        title: the figure's name.
        is_share: label the axis in %.
    """
    xs, ys = ([p[i] for line in lines for p in line.points] for i in (0, 1))
    log = not is_share and min(ys) > 0 and max(ys) / min(ys) > 20
    ticks = _decades(min(ys), max(ys)) if log else _ticks(min(ys), max(ys))
    low, high = min(*ticks, *ys), max(*ticks, *ys)

    def place(value: float, start: float, end: float, first: float, last: float) -> float:
        return first if end == start else first + (last - first) * (value - start) / (end - start)

    def x(value: float) -> float:
        return place(value, min(xs), max(xs), LEFT, WIDTH - RIGHT)

    def y(value: float) -> float:
        scale = math.log10 if log else float
        return place(scale(value), scale(low), scale(high), HEIGHT - BOTTOM, TOP)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)} by epoch">']
    for tick in ticks:
        text = f"{100 * tick:g} %" if is_share else f"{tick:.4g}"
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{text}</text>')
    for tick in _whole(min(xs), max(xs)):
        parts.append(f'<text x="{x(tick):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 4}" text-anchor="middle">epoch</text>')
    legend = WIDTH - RIGHT - 92 * len(lines)  # a line without a name has no entry
    for place_, line in enumerate(lines):
        at = legend + 92 * place_
        if len(line.points) == 1:
            parts.append(
                f'<circle class="{line.style}" cx="{x(line.points[0][0]):.1f}" cy="{y(line.points[0][1]):.1f}" r="3"/>'
            )
        else:
            points = " ".join(f"{x(p):.1f},{y(q):.1f}" for p, q in line.points)
            parts.append(f'<polyline class="{line.style}" points="{points}"/>')
        if line.label:
            parts.append(f'<polyline class="{line.style}" points="{at},14 {at + 24},14"/>')
            parts.append(f'<text x="{at + 30}" y="18">{escape(line.label)}</text>')
    return Markup("".join([*parts, "</svg>"]))


def _ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers that cover a range."""
    if high == low:
        high, low = high + (abs(high) or 1) / 2, low - (abs(low) or 1) / 2
    rough = (high - low) / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough)
    first = math.floor(low / step)
    return [round(n * step, 12) for n in range(first, math.ceil(high / step) + 1)]


def _decades(low: float, high: float) -> list[float]:
    return [10.0**n for n in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def _whole(low: float, high: float, count: int = 8) -> list[int]:
    """Whole epochs along an axis."""
    step = max(1, math.ceil((high - low) / count))
    return list(range(math.ceil(low), math.floor(high) + 1, step))
