"""What is printed on the dial of a varied clock on one row of pixels: what `print` does."""

from math import atan2

import numpy as np
from numba import float32

from dlcourse.clocks.varied.atlas import GLYPH, SETS
from dlcourse.clocks.varied.compiled_row import HALF, ONE, TWO, ZERO, add, compiled, ramp, sample
from dlcourse.clocks.varied.scene import KINDS

NO_HOURS, HOUR_DOTS, WEDGES = (KINDS["hour_marks", kind] for kind in ("none", "dots", "wedges"))
NO_MINUTES, MINUTE_DOTS = KINDS["minute_marks", "none"], KINDS["minute_marks", "dots"]
NO_NUMERALS, ROMAN, QUARTERS = (KINDS["numerals", kind] for kind in ("none", "roman", "quarters"))
UPRIGHT, TANGENTIAL = KINDS["numeral_turn", "upright"], KINDS["numeral_turn", "tangential"]
ROWS_OF_FONT = len(SETS)
HOUR_TURN, MINUTE_TURN = float32(2 * np.pi / 12), float32(2 * np.pi / 60)


@compiled()
def draw_print(p, texts, fonts, first, last, row):
    angle = row.angle
    for i in range(first, last):
        angle[i] = atan2(row.x[i], -row.y[i])
    if p.numerals != NO_NUMERALS or p.inner_ring > ZERO or p.word > ZERO or p.date > ZERO:
        _write(p, texts, fonts, first, last, row)
        add(row, p.in_ink, first, last)
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
            found = ramp(_mark(hours == HOUR_DOTS, wide, off, length, along, r - end + float32(0.03)), pixels)
        if minutes != NO_MINUTES:
            off = abs(angle[i] - np.rint(angle[i] / MINUTE_TURN) * MINUTE_TURN) * r
            along = r - (end - minute_length / TWO)
            away = r - end + float32(0.03)
            mark = _mark(minutes == MINUTE_DOTS, minute_width, off, minute_length, along, away)
            found = max(found, ramp(mark, pixels))
        if track > ZERO:
            found = max(found, ramp(track - abs(r - end - track), pixels))
        row.cover[i] = found
    add(row, p.in_marks, first, last)


@compiled()
def _mark(dot, width, off, length, along, away):
    """Signed distance of a dot or of a line."""
    if dot:
        return width * float32(1.2) - np.sqrt(off * off + away * away)
    return min(width - off, length / TWO - abs(along))


@compiled()
def _write(p, texts, fonts, first, last, row):
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
            hour = np.rint(row.angle[i] / HOUR_TURN)
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
            row.cover[i] = sample(texts, (column + HALF + u) * GLYPH - HALF, (line + HALF + v) * GLYPH - HALF)
