"""The renderer of varied clocks as loops over rows of pixels that numba compiles for the CPU: images of `draw`, faster.

`draw` computes every part that one image of a batch has for all pixels of all its images. Here an image has only its
own parts, and the hands and the print only pixels near the dial. The arithmetic is that of `draw`, `hands` and
`print`, which a test compares. `compiled_camera` does the same for `camera`.
"""

from __future__ import annotations

from collections import namedtuple
from functools import partial
from math import atan2

import numba
import numpy as np
import torch
from numba import float32
from torch import Tensor

from dlcourse.clocks.scene import Scene
from dlcourse.clocks.varied.atlas import GLYPH, SETS, WALL, WALLS, font_files, glyphs, walls
from dlcourse.clocks.varied.compiled_camera import finish
from dlcourse.clocks.varied.hands import hand_angles
from dlcourse.clocks.varied.palette import THINGS, palette, things
from dlcourse.clocks.varied.planes import view
from dlcourse.clocks.varied.scene import KINDS, pose

# Module-level numbers are constants for the compiler.
SQUARE, ROUNDED, OCTAGON, DIAMOND = (KINDS["shape", kind] for kind in ("square", "rounded", "octagon", "diamond"))
TAPERED, SWORD, SPADE, ARROW, SKELETON = (
    KINDS["hands", kind] for kind in ("tapered", "sword", "spade", "arrow", "skeleton")
)
CLEAR, NO_HOURS, HOUR_DOTS, WEDGES = (
    KINDS["dial", "clear"], *(KINDS["hour_marks", kind] for kind in ("none", "dots", "wedges"))
)  # fmt: skip
NO_MINUTES, MINUTE_DOTS = KINDS["minute_marks", "none"], KINDS["minute_marks", "dots"]
ROWS_OF_FONT = len(SETS)
NO_NUMERALS, ROMAN, QUARTERS = (KINDS["numerals", kind] for kind in ("none", "roman", "quarters"))
UPRIGHT, TANGENTIAL = KINDS["numeral_turn", "upright"], KINDS["numeral_turn", "tangential"]
ZERO, HALF, ONE, TWO, TURN = float32(0), float32(0.5), float32(1), float32(2), float32(2 * np.pi)
HOUR_TURN, MINUTE_TURN = float32(2 * np.pi / 12), float32(2 * np.pi / 60)
REACH = float32(1.03)  # dial radii: nothing that hands and print draw is further from the centre

# One row of pixels: coordinates on the dial, distance from its centre (by its form), light that reaches the next
# layer, a layer's coverage, the share of it that has the second colour, light that is added, and what is drawn.
Row = namedtuple("Row", "x y r far left cover share light picture")

compiled = partial(numba.njit, cache=True, nogil=True, fastmath=True, error_model="numpy")


def render_compiled(scene: Scene, grains: Tensor, images: Tensor) -> None:
    """Draw N clocks into `images`, uint8 [N, S, S, 3]; `grains` is noise [3, more, more]. All on the CPU."""
    cpu = torch.device("cpu")
    texts, tiles = glyphs(cpu)[0, 0].numpy(), walls(cpu).numpy()
    _render(_parameters(scene, images.shape[1]), texts, len(font_files()), tiles, grains.numpy(), images.numpy())


def _parameters(scene: Scene, size: int) -> np.ndarray:
    """Everything that is the same for all pixels of an image, as one record for each image [N].

    Its fields are the factors of the scene, the colours of `Palette` as `in_NAME`, and those named here.
    """
    rows, pixels = view(scene, size)
    minute, hour = (torch.deg2rad(angle) for angle in hand_angles(scene))
    behind, luck = things(scene), scene.luck
    values = {name: getattr(scene, name) for name in scene.kind.columns()}
    values |= {f"in_{part}": colour for part, colour in palette(scene)._asdict().items()}
    values |= {"rows": rows, "pixels": pixels, "minute_turn": minute, "hour_turn": hour, "centre": pose(scene).centre}
    values |= {"thing_shapes": behind.shapes, "thing_colours": behind.colours, "luck": luck}
    values |= {"radius": scene.zoom / (1 + scene.far), "text": (scene.word_which * 11.99).floor()}
    records = np.empty(len(scene), [(name, np.float32, value.shape[1:]) for name, value in values.items()])
    for name, value in values.items():
        records[name] = value.numpy()
    return records


@compiled()
def _render(records, texts, fonts, tiles, grains, images):
    count, size = images.shape[:2]
    picture = np.empty((size, 3, size), np.float32)  # rows first, so that a row is contiguous
    steps = (np.arange(size).astype(np.float32) + HALF) / float32(size)
    x, y, r, far, left, cover, share, light, pattern, angle = (
        np.empty(size, np.float32), np.empty(size, np.float32), np.empty(size, np.float32), np.empty(size, np.float32),
        np.empty(size, np.float32), np.empty(size, np.float32), np.empty(size, np.float32), np.empty(size, np.float32),
        np.empty(size, np.float32), np.empty(size, np.float32),
    )  # fmt: skip
    for n in range(count):
        p = records[n]
        for i in range(size):
            row = Row(x, y, r, far, left, cover, share, light, picture[i])
            _coordinates(row, p.rows, steps, steps[i])
            for k in range(size):
                left[k] = ONE
                picture[i, 0, k], picture[i, 1, k], picture[i, 2, k] = ZERO, ZERO, ZERO
            if p.dial_texture > ZERO or (p.pattern > ZERO and p.plain_wall == ZERO):
                _pattern(p, tiles, steps, steps[i], pattern)
            if p.cover > ZERO:
                _draw_cover(p, row)
            if p.absent == ZERO:
                first, last = _near(r, REACH + HALF / p.pixels)
                if first < last:
                    _draw_hands(p, first, last, row)
                    _draw_print(p, texts, fonts, first, last, angle, row)
                _draw_dial(p, pattern, row)
                _draw_frame(p, row)
            if p.things > ZERO:
                _draw_things(p, steps, steps[i], row)
            _draw_wall(p, steps, steps[i], pattern, row)
        finish(p, picture, steps, grains, images[n])


@compiled()
def _coordinates(row, linear, steps, step):
    x_step, y_step, depth_step = linear[0, 0], linear[1, 0], linear[2, 0]
    x_start, y_start = linear[0, 1] * step + linear[0, 2], linear[1, 1] * step + linear[1, 2]
    depth = linear[2, 1] * step + linear[2, 2]
    for i in range(len(steps)):
        scale = ONE / max(depth_step * steps[i] + depth, float32(0.1))
        x, y = (x_step * steps[i] + x_start) * scale, (y_step * steps[i] + y_start) * scale
        row.x[i], row.y[i], row.r[i] = x, y, np.sqrt(x * x + y * y)


@compiled()
def _near(r, reach):
    """The first pixel of a row that is nearer to the dial's centre than `reach`, and the one after the last."""
    first, last = 0, len(r)
    while first < last and r[first] > reach:
        first += 1
    while last > first and r[last - 1] > reach:
        last -= 1
    return first, last


@compiled()
def _ramp(inside, pixels):
    """Coverage of a signed distance in dial radii."""
    return min(max(inside * pixels + HALF, ZERO), ONE)


@compiled()
def _add(row, colour, first, last):
    """Add a layer of one colour behind those before."""
    red, green, blue = colour
    for i in range(first, last):
        weight = row.left[i] * row.cover[i]
        row.left[i] -= weight
        row.picture[0, i] += weight * red
        row.picture[1, i] += weight * green
        row.picture[2, i] += weight * blue


@compiled()
def _add_shaded(row, colour, second, first, last):
    """Add a layer of two colours, and of `row.light` more or less brightness."""
    red, green, blue = colour
    more_red, more_green, more_blue = second[0] - red, second[1] - green, second[2] - blue
    for i in range(first, last):
        weight, share, light = row.left[i] * row.cover[i], row.share[i], row.light[i]
        row.left[i] -= weight
        row.picture[0, i] += weight * (red + share * more_red + light)
        row.picture[1, i] += weight * (green + share * more_green + light)
        row.picture[2, i] += weight * (blue + share * more_blue + light)


@compiled()
def _direction(degrees):
    angle = degrees * float32(np.pi / 180)
    return np.sin(angle), np.cos(angle)


@compiled()
def _draw_cover(p, row):
    sin, cos = _direction(p.cover_angle)
    pixels, half, place = p.pixels, p.cover / TWO, p.cover_place
    for i in range(len(row.x)):
        x, y = row.x[i], row.y[i]
        row.cover[i] = _ramp(min(half - abs(x * cos + y * sin), x * sin - y * cos - place), pixels)
    _add(row, p.in_cover, 0, len(row.x))


@compiled()
def _draw_hands(p, first, last, row):
    pixels, cap = p.pixels, p.cap
    for i in range(first, last):
        row.cover[i] = _ramp(cap - row.r[i], pixels)
    _add(row, p.in_cap, first, last)
    if p.second > ZERO:
        sin, cos = _direction(p.second_angle)
        _bar(row, sin, cos, p.second, p.second_tail, p.second_width / TWO, pixels, first, last)
        _add(row, p.in_second, first, last)
    length, hour_length = p.minute_length, p.minute_length * p.hour_ratio
    hour_width = p.hour_width
    width = hour_width * p.minute_width_ratio
    _hand(p, p.minute_turn, length, width, pixels, first, last, row)
    _add_shaded(row, p.in_hands, p.in_lume, first, last)
    _hand(p, p.hour_turn, hour_length, hour_width, pixels, first, last, row)
    _add_shaded(row, p.in_hands, p.in_lume, first, last)
    if p.alarm > ZERO:
        sin, cos = _direction(p.alarm_angle)
        _bar(row, sin, cos, p.alarm, float32(0.02), float32(0.01), pixels, first, last)
        _add(row, p.in_alarm, first, last)
    if p.shadow > ZERO:
        minute, hour = p.minute_turn, p.hour_turn
        _shadow(p, np.sin(minute), np.cos(minute), length, width, pixels, first, last, row.share, row)
        _shadow(p, np.sin(hour), np.cos(hour), hour_length, hour_width, pixels, first, last, row.cover, row)
        for i in range(first, last):
            darkest = min(max(row.cover[i], row.share[i], ZERO), ONE) * p.shadow
            row.cover[i] = darkest if row.r[i] < ONE else ZERO
        _add(row, p.in_shadow, first, last)


@compiled()
def _bar(row, sin, cos, length, tail, half, pixels, first, last):
    """Coverage of a straight hand."""
    for i in range(first, last):
        x, y = row.x[i], row.y[i]
        along = x * sin - y * cos
        row.cover[i] = _ramp(min(length - along, along + tail, half - abs(x * cos + y * sin)), pixels)


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
        row.cover[i] = _ramp(inside, pixels)
        row.light[i] = min(max(side * pixels, ZERO), ONE) * shine
        row.share[i] = _ramp(min(inside - inset, along - float32(0.12)), pixels) if lit else ZERO


@compiled()
def _draw_print(p, texts, fonts, first, last, angle, row):
    for i in range(first, last):
        angle[i] = atan2(row.x[i], -row.y[i])
    if p.numerals != NO_NUMERALS or p.inner_ring > ZERO or p.word > ZERO or p.date > ZERO:
        _write(p, texts, fonts, first, last, angle, row)
        _add(row, p.in_ink, first, last)
    if p.hour_marks == NO_HOURS and p.minute_marks == NO_MINUTES and p.track == ZERO:
        return
    pixels, end, track = p.pixels, p.mark_end, p.track / TWO
    hours, minutes = p.hour_marks, p.minute_marks
    length, width, gain = p.hour_mark_length, p.hour_mark_width / TWO, p.quarter_gain
    minute_length, minute_width = p.minute_mark_length, p.minute_mark_width / TWO
    wedge = ONE / length if hours == WEDGES else ZERO
    for i in range(first, last):
        r, found = row.r[i], ZERO
        if hours != NO_HOURS:
            hour = np.rint(angle[i] / HOUR_TURN)
            off = abs(angle[i] - hour * HOUR_TURN) * r
            quarter = abs(hour - np.rint(hour / float32(3)) * float32(3)) < HALF
            wide = width * (gain if quarter else ONE)
            along = r - (end - length / TWO)
            wide += wide * wedge * along
            found = _ramp(_mark(hours == HOUR_DOTS, wide, off, length, along, r - end + float32(0.03)), pixels)
        if minutes != NO_MINUTES:
            off = abs(angle[i] - np.rint(angle[i] / MINUTE_TURN) * MINUTE_TURN) * r
            along = r - (end - minute_length / TWO)
            away = r - end + float32(0.03)
            mark = _mark(minutes == MINUTE_DOTS, minute_width, off, minute_length, along, away)
            found = max(found, _ramp(mark, pixels))
        if track > ZERO:
            found = max(found, _ramp(track - abs(r - end - track), pixels))
        row.cover[i] = found
    _add(row, p.in_marks, first, last)


@compiled()
def _mark(dot, width, off, length, along, away):
    """Signed distance of a dot or of a line."""
    if dot:
        return width * float32(1.2) - np.sqrt(off * off + away * away)
    return min(width - off, length / TWO - abs(along))


@compiled()
def _write(p, texts, fonts, first, last, angle, row):
    """Coverage of all writing; see `print._writing`."""
    font = min(np.floor(p.font * fonts), fonts - 1) * ROWS_OF_FONT
    numerals, turned, stretch = p.numerals, p.numeral_turn, p.numeral_stretch
    low = HALF + p.numeral_height / TWO
    high = p.mark_end - float32(0.75) * p.numeral_height - float32(0.4) * p.hour_mark_length
    numeral_ring = low + max(high - low, ZERO) * p.numeral_place
    numeral_row = font + (1 if numerals == ROMAN else 0)
    inner_ring, inner_row = p.inner_ring, font + (3 if p.inner_ring_set > HALF else 2)
    inner_fits = inner_ring > ZERO and numeral_ring - p.numeral_height / TWO > inner_ring + float32(0.05)
    word, word_y = p.word, -np.sign(p.word_side) * p.word_place
    date, date_size, date_x = p.date, p.date * float32(1.6), p.date_place
    date_column = 3 + p.text % 9
    for i in range(first, last):
        row.cover[i] = ZERO
        r = row.r[i]
        if r >= ONE:
            continue
        u, v, line, column = TWO, TWO, ZERO, ZERO
        inner = inner_fits and abs(r - inner_ring) < float32(0.066)
        if inner or numerals != NO_NUMERALS:
            hour = np.rint(angle[i] / HOUR_TURN)
            if inner or numerals != QUARTERS or abs(hour - np.rint(hour / float32(3)) * float32(3)) < HALF:
                ring, tile = (inner_ring, float32(0.2)) if inner else (numeral_ring, float32(1.45) * p.numeral_height)
                line = float32(inner_row if inner else numeral_row)
                column = hour if hour >= ZERO else hour + float32(12)
                sin, cos = np.sin(hour * HOUR_TURN), np.cos(hour * HOUR_TURN)
                x, y = row.x[i] - ring * sin, row.y[i] + ring * cos
                if turned != UPRIGHT and not inner:
                    flip = -ONE if turned == TANGENTIAL and cos < float32(-0.01) else ONE
                    sin, cos = sin * flip, cos * flip
                    x, y = x * cos + y * sin, y * cos - x * sin
                u, v = x / (tile * stretch), y / tile
        if word > ZERO:
            across, down = row.x[i] / word / TWO, (row.y[i] - word_y) / word / TWO
            if abs(across) < HALF and abs(down) < float32(0.25):
                u, v, line, column = across, down, float32(font + 4), p.text
        if date > ZERO:
            across, down = (row.x[i] - date_x) / date_size / TWO, row.y[i] / date_size / TWO
            if abs(across) < HALF and abs(down) < float32(0.25):
                u, v, line, column = across, down, float32(font), date_column
        if max(abs(u), abs(v)) < float32(0.48):
            row.cover[i] = _sample(texts, (column + HALF + u) * GLYPH - HALF, (line + HALF + v) * GLYPH - HALF)


@compiled()
def _sample(texture, across, down):
    """Bilinear sample of a texture [H, W] at a column and a row, 0 to W - 1 and H - 1."""
    height, width = texture.shape
    left, top = min(np.int64(across), width - 2), min(np.int64(down), height - 2)
    right, below = float32(across) - float32(left), float32(down) - float32(top)
    upper = texture[top, left] * (ONE - right) + texture[top, left + 1] * right
    lower = texture[top + 1, left] * (ONE - right) + texture[top + 1, left + 1] * right
    return upper * (ONE - below) + lower * below


@compiled()
def _draw_dial(p, pattern, row):
    size, pixels = len(row.x), p.pixels
    if p.subdial > ZERO:
        sin, cos = _direction(p.subdial_angle)
        radius, line = p.subdial, float32(0.012)
        middle_x, middle_y = float32(0.45) * sin, float32(-0.45) * cos
        for i in range(size):
            x, y = row.x[i] - middle_x, row.y[i] - middle_y
            away = np.sqrt(x * x + y * y)
            ring = _ramp(line - abs(away - radius), pixels)
            row.cover[i] = min(ring + _ramp(min(line - abs(x), radius * float32(0.8) - away), pixels), ONE)
        _add(row, p.in_subdial, 0, size)
    if p.date > ZERO:
        date, place = p.date, p.date_place
        for i in range(size):
            inside = min(date - abs(row.y[i]), float32(1.3) * date - abs(row.x[i] - place))
            row.cover[i] = _ramp(inside, pixels)
        _add(row, p.in_date, 0, size)
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
        row.cover[i] = _ramp(ONE - far, pixels) * alpha
        row.light[i] = gradient * row.y[i] - vignette * r * r
        row.share[i] = pattern[i] * texture if texture > ZERO else ZERO
    _add_shaded(row, p.in_dial, p.in_dial_pattern, 0, size)


@compiled()
def _draw_frame(p, row):
    size, frame, rim, bevel, round_ = len(row.x), p.frame, p.rim, p.frame_bevel, p.frame_round
    sin, cos = _direction(p.frame_light)
    pixels, width, dark, soft = p.pixels, frame + float32(1e-6), p.wall_shadow, p.wall_shadow_size
    if frame > ZERO:
        for i in range(size):
            far = row.far[i]
            part = (far - ONE) / width
            slope = (row.x[i] * sin - row.y[i] * cos) / max(far, HALF)
            across = TWO * part - ONE
            row.light[i] = bevel * slope - round_ * min(across * across, ONE)
            row.cover[i] = _ramp(min(far - ONE + float32(0.02), ONE + frame - far), pixels)
            row.share[i] = ONE if ZERO < part < rim else ZERO
        _add_shaded(row, p.in_frame, p.in_rim, 0, size)
    for i in range(size):
        slope = (row.x[i] * sin - row.y[i] * cos) / max(row.far[i], HALF)
        reach = ONE + frame - (row.far[i] - float32(0.1) * slope)
        share = min(max(reach / soft + ONE, ZERO), ONE)
        row.cover[i] = share * share * dark
    _add(row, p.in_shadow, 0, size)


@compiled()
def _draw_things(p, steps, step, row):
    size, there = len(steps), p.things
    for k in range(THINGS):
        x, y, wide, high, disc, ring = p.thing_shapes[k]
        dy = abs(step - y)
        for i in range(size):
            dx = abs(steps[i] - x)
            inside = wide - np.sqrt(dx * dx + dy * dy) if disc > ZERO else min(wide - dx, high - dy)
            inside = float32(0.012) - abs(inside) if ring > ZERO else inside
            row.cover[i] = _ramp(inside, float32(size)) * there
        _add(row, p.thing_colours[k], 0, size)


@compiled()
def _draw_wall(p, steps, step, pattern, row):
    patterned = p.plain_wall == ZERO
    share = max(p.pattern, ZERO) if patterned else ZERO
    sin, cos = _direction(p.wall_gradient_angle)
    gradient = p.wall_gradient if patterned else ZERO
    for i in range(len(steps)):
        row.cover[i] = ONE
        row.light[i] = (sin * (steps[i] - HALF) - cos * (step - HALF)) * gradient
        row.share[i] = pattern[i] * share if share > ZERO else ZERO
    _add_shaded(row, p.in_wall, p.in_wall_pattern, 0, len(steps))


@compiled()
def _pattern(p, tiles, steps, step, pattern):
    """A row of the wall's pattern, 0 to 1."""
    tile = tiles[min(np.int64(p.pattern_which * WALLS), WALLS - 1)]
    sin, cos = _direction(p.pattern_angle)
    sin, cos = sin / p.pattern_scale, cos / p.pattern_scale
    down = (step - HALF) * TWO
    x_start, y_start = sin * down + p.luck[0] - HALF, cos * down + p.luck[1] - HALF
    for i in range(len(steps)):
        across = (steps[i] - HALF) * TWO
        pattern[i] = _sample(tile, _reflected(cos * across + x_start), _reflected(y_start - sin * across))


@compiled()
def _reflected(place):
    """A texel 0 to WALL - 1 for -1 to 1 at the tile's edges; beyond them the tile is mirrored."""
    turns = (place + ONE) * HALF  # in tiles
    turns = abs(turns - TWO * np.rint(turns * HALF))
    return min(max(turns * WALL - HALF, ZERO), float32(WALL - 1))
