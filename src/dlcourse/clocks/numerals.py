"""A thin monoline face for the numerals 1 to 12, as polylines, so that installed fonts do not matter."""

from __future__ import annotations

import math
from itertools import pairwise

Point = tuple[float, float]
Polyline = list[Point]


def _arc(x: float, y: float, radius_x: float, radius_y: float, start: float, stop: float, steps: int = 14) -> Polyline:
    """Points of an ellipse's arc; degrees counter-clockwise from the right."""
    angles = [math.radians(start + (stop - start) * step / steps) for step in range(steps + 1)]
    return [(x + radius_x * math.cos(angle), y + radius_y * math.sin(angle)) for angle in angles]


_SIX: list[Polyline] = [
    _arc(0.29, 0.3, 0.29, 0.3, 0, 360, 20),
    [(0.015, 0.38), (0.06, 0.54), (0.14, 0.7), (0.26, 0.86), (0.42, 1.0)],
]
# Each digit: its width and strokes, in a box of height 1 with y upwards.
_DIGITS: dict[str, tuple[float, list[Polyline]]] = {
    "0": (0.74, [_arc(0.37, 0.5, 0.37, 0.5, 0, 360, 24)]),
    "1": (0.0, [[(0.0, 0.0), (0.0, 1.0)]]),
    "2": (0.6, [[*_arc(0.29, 0.72, 0.27, 0.28, 165, -38), (0.0, 0.0), (0.6, 0.0)]]),
    "3": (0.54, [_arc(0.25, 0.755, 0.23, 0.245, 150, -90), _arc(0.25, 0.255, 0.29, 0.255, 90, -150)]),
    "4": (0.64, [[(0.46, 0.0), (0.46, 1.0), (0.0, 0.27), (0.64, 0.27)]]),
    "5": (0.58, [[(0.52, 1.0), (0.17, 1.0), (0.09, 0.56), *_arc(0.26, 0.32, 0.32, 0.32, 110, -145)]]),
    "6": (0.58, _SIX),
    "7": (0.58, [[(0.0, 1.0), (0.58, 1.0), (0.16, 0.0)]]),
    "8": (0.58, [_arc(0.29, 0.765, 0.22, 0.235, 0, 360, 20), _arc(0.29, 0.265, 0.29, 0.265, 0, 360, 20)]),
    "9": (0.58, [[(0.58 - x, 1.0 - y) for x, y in stroke] for stroke in _SIX]),
}


def numeral_segments(number: int, spacing: float = 1.0) -> list[tuple[Point, Point]]:
    """Line segments of a numeral of height 1 about its own middle (x right, y up); `spacing` scales its gaps."""
    pen = 0.0
    segments: list[tuple[Point, Point]] = []
    digits = str(number)
    for place, digit in enumerate(digits):
        width, strokes = _DIGITS[digit]
        for stroke in strokes:
            placed = [(x + pen, y - 0.5) for x, y in stroke]
            segments += pairwise(placed)
        pen += width
        if place < len(digits) - 1:
            # Two bare stems need a wider gap to look as evenly spaced as a stem beside a round digit.
            pen += spacing * (0.46 if digits[place + 1] == "1" else 0.3)
    return [((x0 - pen / 2, y0), (x1 - pen / 2, y1)) for (x0, y0), (x1, y1) in segments]
