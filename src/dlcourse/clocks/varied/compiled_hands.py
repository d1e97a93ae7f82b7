"""The hands of a varied clock, their cap and their shadows on one row of pixels: what `hands` does."""

import numpy as np
from numba import float32

from dlcourse.clocks.varied.compiled_row import HALF, ONE, TWO, ZERO, add, add_shaded, compiled, direction, ramp
from dlcourse.clocks.varied.scene import KINDS

TAPERED, SWORD, SPADE, ARROW, SKELETON = (
    KINDS["hands", kind] for kind in ("tapered", "sword", "spade", "arrow", "skeleton")
)


@compiled()
def draw_hands(p, first, last, row):
    pixels, cap = p.pixels, p.cap
    for i in range(first, last):
        row.cover[i] = ramp(cap - row.r[i], pixels)
    add(row, p.in_cap, first, last)
    if p.second > ZERO:
        sin, cos = direction(p.second_angle)
        _bar(row, sin, cos, p.second, p.second_tail, p.second_width / TWO, pixels, first, last)
        add(row, p.in_second, first, last)
    length, hour_length = p.minute_length, p.minute_length * p.hour_ratio
    hour_width = p.hour_width
    width = hour_width * p.minute_width_ratio
    _hand(p, p.minute_turn, length, width, pixels, first, last, row)
    add_shaded(row, p.in_hands, p.in_lume, first, last)
    _hand(p, p.hour_turn, hour_length, hour_width, pixels, first, last, row)
    add_shaded(row, p.in_hands, p.in_lume, first, last)
    if p.alarm > ZERO:
        sin, cos = direction(p.alarm_angle)
        _bar(row, sin, cos, p.alarm, float32(0.02), float32(0.01), pixels, first, last)
        add(row, p.in_alarm, first, last)
    if p.shadow > ZERO:
        minute, hour = p.minute_turn, p.hour_turn
        _shadow(p, np.sin(minute), np.cos(minute), length, width, pixels, first, last, row.share, row)
        _shadow(p, np.sin(hour), np.cos(hour), hour_length, hour_width, pixels, first, last, row.cover, row)
        for i in range(first, last):
            darkest = min(max(row.cover[i], row.share[i], ZERO), ONE) * p.shadow
            row.cover[i] = darkest if row.r[i] < ONE else ZERO
        add(row, p.in_shadow, first, last)


@compiled()
def _bar(row, sin, cos, length, tail, half, pixels, first, last):
    """Coverage of a straight hand."""
    for i in range(first, last):
        x, y = row.x[i], row.y[i]
        along = x * sin - y * cos
        row.cover[i] = ramp(min(length - along, along + tail, half - abs(x * cos + y * sin)), pixels)


@compiled()
def _shadow(p, sin, cos, length, width, pixels, first, last, found, row):
    """How much of a hand's shadow is on each pixel, not yet clipped to 0 to 1."""
    x_by, y_by, tail, half, soft = p.shadow_x, p.shadow_y, p.tail, width / TWO, pixels * HALF
    for i in range(first, last):
        x, y = row.x[i] - x_by, row.y[i] - y_by
        along = x * sin - y * cos
        found[i] = min(length - along, along + tail, half - abs(x * cos + y * sin)) * soft + HALF


@compiled()
def _hand(p, angle, length, width, pixels, first, last, row):
    """Coverage of a hand, the share of its inner part, and the light on its lit half; see `hands._hand`."""
    sin, cos = np.sin(angle), np.cos(angle)
    kind, tip, tail, shine = p.hands, p.tip, p.tail, p.shine
    slim = kind in (SWORD, SPADE, ARROW)
    half = width * (float32(0.28) if slim else HALF)
    bulge = width * HALF if kind == SWORD else ZERO
    head = width * (HALF + TWO * tip) + (float32(0.6) * length * tip if kind == SWORD else ZERO)
    to_point, blunt = (half + bulge) / head, half * (ONE - tip)
    narrowing = float32(-0.7) * half / length if kind == TAPERED else ZERO
    widening = bulge * float32(2.2) / length
    middle = half + bulge
    start = middle - float32(0.62) * length * widening
    weight = p.counterweight
    spade = width * float32(0.75) if kind == SPADE else ZERO
    lume = p.lume
    lit = lume > ZERO or kind == SKELETON
    inset = width / TWO * (ONE - lume)
    for i in range(first, last):
        x, y = row.x[i], row.y[i]
        along, side = x * sin - y * cos, x * cos + y * sin
        to_tip = length - along
        wide = min(to_tip * to_point + blunt, along * narrowing + middle, along * widening + start)
        if kind == ARROW:
            wide = max(wide, min(to_tip * float32(0.45), (along - float32(0.7) * length) * float32(3)), ZERO)
        inside = min(wide - abs(side), to_tip, along + tail)
        if spade > ZERO:
            apart = along - float32(0.68) * length
            inside = max(inside, spade - np.sqrt(apart * apart + side * side))
        if weight > ZERO:
            apart = along + tail
            inside = max(inside, weight - np.sqrt(apart * apart + side * side))
        row.cover[i] = ramp(inside, pixels)
        row.light[i] = min(max(side * pixels, ZERO), ONE) * shine
        row.share[i] = ramp(min(inside - inset, along - float32(0.12)), pixels) if lit else ZERO
