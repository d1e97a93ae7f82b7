"""Dial and frame of a varied clock, and the wall with what is on it, on one row of pixels: what `draw` does."""

import numpy as np
from numba import float32

from dlcourse.clocks.varied.atlas import WALL, WALLS
from dlcourse.clocks.varied.compiled_row import HALF, ONE, TWO, ZERO, add, add_shaded, compiled, direction, ramp, sample
from dlcourse.clocks.varied.palette import THINGS
from dlcourse.clocks.varied.scene import KINDS

SQUARE, ROUNDED, OCTAGON, DIAMOND = (KINDS["shape", kind] for kind in ("square", "rounded", "octagon", "diamond"))
CLEAR = KINDS["dial", "clear"]


@compiled()
def draw_dial(p, row):
    size, pixels = len(row.x), p.pixels
    if p.subdial > ZERO:
        sin, cos = direction(p.subdial_angle)
        radius, line = p.subdial, float32(0.012)
        middle_x, middle_y = float32(0.45) * sin, float32(-0.45) * cos
        for i in range(size):
            x, y = row.x[i] - middle_x, row.y[i] - middle_y
            away = np.sqrt(x * x + y * y)
            ring = ramp(line - abs(away - radius), pixels)
            row.cover[i] = min(ring + ramp(min(line - abs(x), radius * float32(0.8) - away), pixels), ONE)
        add(row, p.in_subdial, 0, size)
    if p.date > ZERO:
        date, place = p.date, p.date_place
        for i in range(size):
            inside = min(date - abs(row.y[i]), float32(1.3) * date - abs(row.x[i] - place))
            row.cover[i] = ramp(inside, pixels)
        add(row, p.in_date, 0, size)
    shape, gradient, vignette, texture = p.shape, p.dial_gradient, p.dial_vignette, p.dial_texture
    alpha = float32(0.15) if p.dial == CLEAR else ONE
    for i in range(size):
        across, down, r = abs(row.x[i]), abs(row.y[i]), row.r[i]
        far = r
        if shape == SQUARE:
            far = max(across, down)
        elif shape == ROUNDED:
            far = max(across, down, r * float32(0.83))
        elif shape == OCTAGON:
            far = max(across, down, (across + down) * float32(0.7071))
        elif shape == DIAMOND:
            far = (across + down) * float32(0.8)
        row.far[i] = far
        row.cover[i] = ramp(ONE - far, pixels) * alpha
        row.light[i] = gradient * row.y[i] - vignette * r * r
        row.share[i] = row.pattern[i] * texture if texture > ZERO else ZERO
    add_shaded(row, p.in_dial, p.in_dial_pattern, 0, size)


@compiled()
def draw_frame(p, row):
    size, frame, rim, bevel, round_ = len(row.x), p.frame, p.rim, p.frame_bevel, p.frame_round
    sin, cos = direction(p.frame_light)
    pixels, width, dark, soft = p.pixels, frame + float32(1e-6), p.wall_shadow, p.wall_shadow_size
    if frame > ZERO:
        for i in range(size):
            far = row.far[i]
            part = (far - ONE) / width
            slope = (row.x[i] * sin - row.y[i] * cos) / max(far, HALF)
            across = TWO * part - ONE
            row.light[i] = bevel * slope - round_ * min(across * across, ONE)
            row.cover[i] = ramp(min(far - ONE + float32(0.02), ONE + frame - far), pixels)
            row.share[i] = ONE if ZERO < part < rim else ZERO
        add_shaded(row, p.in_frame, p.in_rim, 0, size)
    for i in range(size):
        slope = (row.x[i] * sin - row.y[i] * cos) / max(row.far[i], HALF)
        reach = ONE + frame - (row.far[i] - float32(0.1) * slope)
        share = min(max(reach / soft + ONE, ZERO), ONE)
        row.cover[i] = share * share * dark
    add(row, p.in_shadow, 0, size)


@compiled()
def draw_cover(p, row):
    sin, cos = direction(p.cover_angle)
    pixels, half, place = p.pixels, p.cover / TWO, p.cover_place
    for i in range(len(row.x)):
        x, y = row.x[i], row.y[i]
        row.cover[i] = ramp(min(half - abs(x * cos + y * sin), x * sin - y * cos - place), pixels)
    add(row, p.in_cover, 0, len(row.x))


@compiled()
def draw_things(p, step, row):
    steps, size, there = row.steps, len(row.steps), p.things
    for k in range(THINGS):
        x, y, wide, high, disc, ring = p.thing_shapes[k]
        dy = abs(step - y)
        for i in range(size):
            dx = abs(steps[i] - x)
            inside = wide - np.sqrt(dx * dx + dy * dy) if disc > ZERO else min(wide - dx, high - dy)
            inside = float32(0.012) - abs(inside) if ring > ZERO else inside
            row.cover[i] = ramp(inside, float32(size)) * there
        add(row, p.thing_colours[k], 0, size)


@compiled()
def draw_wall(p, step, row):
    steps = row.steps
    patterned = p.plain_wall == ZERO
    share = max(p.pattern, ZERO) if patterned else ZERO
    sin, cos = direction(p.wall_gradient_angle)
    gradient = p.wall_gradient if patterned else ZERO
    for i in range(len(steps)):
        row.cover[i] = ONE
        row.light[i] = (sin * (steps[i] - HALF) - cos * (step - HALF)) * gradient
        row.share[i] = row.pattern[i] * share if share > ZERO else ZERO
    add_shaded(row, p.in_wall, p.in_wall_pattern, 0, len(steps))


@compiled()
def wall_pattern(p, tiles, step, row):
    """The wall's pattern, 0 to 1."""
    steps = row.steps
    tile = tiles[min(np.int64(p.pattern_which * WALLS), WALLS - 1)]
    sin, cos = direction(p.pattern_angle)
    sin, cos = sin / p.pattern_scale, cos / p.pattern_scale
    down = (step - HALF) * TWO
    x_start, y_start = sin * down + p.luck[0] - HALF, cos * down + p.luck[1] - HALF
    for i in range(len(steps)):
        across = (steps[i] - HALF) * TWO
        row.pattern[i] = sample(tile, _reflected(cos * across + x_start), _reflected(y_start - sin * across))


@compiled()
def _reflected(place):
    """A texel 0 to WALL - 1 for -1 to 1 at the tile's edges; beyond them the tile is mirrored."""
    turns = (place + ONE) * HALF  # in tiles
    turns = abs(turns - TWO * np.rint(turns * HALF))
    return min(max(turns * WALL - HALF, ZERO), float32(WALL - 1))
