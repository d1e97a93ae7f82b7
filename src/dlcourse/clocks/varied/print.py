"""What is printed on the dial of a varied clock: numerals, words, marks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.clocks.varied.atlas import GLYPH, SETS, font_files, glyphs
from dlcourse.clocks.varied.planes import Planes

TURN = 2 * torch.pi


def draw_print(planes: Planes) -> None:
    """Numerals, words, the date, marks and circles on the dial."""
    angle = torch.atan2(planes.x, -planes.y)
    hour = torch.round(angle * (12 / TURN))
    planes.add(_writing(planes, hour), planes.palette.ink)
    quarter = (hour.remainder(3) == 0) * (planes.quarter_gain - 1) + 1
    off12 = (angle - hour * (TURN / 12)).abs_().mul_(planes.r)
    found = _marks(planes, off12, "hour", quarter)
    off60 = (angle - torch.round(angle * (60 / TURN)).mul_(TURN / 60)).abs_().mul_(planes.r)
    found = torch.maximum(found, _marks(planes, off60, "minute"), out=found)
    if planes.any("track"):
        away = (planes.r - planes.mark_end - planes.track / 2).abs_().neg_().add_(planes.track / 2)
        torch.maximum(found, planes.edge(away).mul_(planes.track > 0), out=found)
    planes.add(found, planes.palette.marks)


def _marks(planes: Planes, off: Tensor, which: str, gain: Tensor | float = 1.0) -> Tensor:
    """Coverage of the hours' or the minutes' marks; `off` is the distance beside the nearest, `gain` widens them."""
    length, width = getattr(planes, f"{which}_mark_length"), getattr(planes, f"{which}_mark_width") * gain / 2
    along = planes.r - (planes.mark_end - length / 2)
    if which == "hour":
        width = width + width * planes.kind("hour_marks", "wedges") / length * along
    line = torch.minimum(width - off, length / 2 - along.abs())
    dots = planes.kind(f"{which}_marks", "dots")
    if dots.any():
        dot = width * 1.2 - torch.hypot(off, planes.r - planes.mark_end + 0.03)
        line = torch.where(dots > 0, dot, line)
    return planes.edge(line).mul_(1 - planes.kind(f"{which}_marks", "none"))


def _writing(planes: Planes, hour: Tensor) -> Tensor:
    """Coverage of all writing, by one look into the atlas: each pixel belongs to one text at the most.

    `hour` is the nearest hour of every pixel, -6 to 6.
    """
    scene, r = planes.scene, planes.r
    fonts = len(font_files())
    font = (planes.font * fonts).floor().clamp(max=fonts - 1) * len(SETS)
    height = planes.numeral_height
    low, high = 0.5 + height / 2, planes.mark_end - 0.75 * height - 0.4 * planes.hour_mark_length
    ring = low + (high - low).clamp_min(0) * planes.numeral_place
    tile = 1.45 * height  # a tile's side; half of it is the text's height
    row = font + planes.kind("numerals", "roman")
    column = hour.remainder(12)
    shown = 1 - planes.kind("numerals", "none")
    if planes.kind("numerals", "quarters").any():
        shown = shown * (1 - planes.kind("numerals", "quarters") * (column.remainder(3) != 0))
    toward = hour * (TURN / 12)
    sin, cos = toward.sin(), toward.cos_()
    is_upright = planes.kind("numeral_turn", "upright")
    if planes.any("inner_ring"):
        inner = (planes.inner_ring > 0) & ((r - planes.inner_ring).abs_() < 0.066)
        inner &= ring - height / 2 > planes.inner_ring + 0.05
        ring, tile = torch.where(inner, planes.inner_ring, ring), torch.where(inner, 0.2, tile)
        row = torch.where(inner, font + 2 + (planes.inner_ring_set > 0.5), row)
        shown, is_upright = torch.where(inner, 1.0, shown), torch.where(inner, 1.0, is_upright)
    x, y = planes.x - ring * sin, planes.y + ring * cos
    if not is_upright.all():
        # Radial texts are turned with their place, tangential ones are turned back in the lower half.
        flip = 1 - 2 * (planes.kind("numeral_turn", "tangential") * (cos < -0.01))
        sin, cos = sin.mul_(flip).mul_(1 - is_upright), torch.lerp(cos.mul_(flip), cos.new_ones(()), is_upright)
        x, y = x * cos + y * sin, y * cos - x * sin
    u, v = x.div_(tile * planes.numeral_stretch), y.div_(tile)
    u = torch.where(shown > 0, u, 2.0)
    words = (scene.word_which * 11.99)[:, None, None].floor()
    for gate, across, down, size, which, text in (
        ("word", 0.0, -planes.word_side.sign() * planes.word_place, planes.word, 4, words),
        ("date", planes.date_place, 0.0, planes.date * 1.6, 0, 3 + words.remainder(9)),
    ):
        if planes.any(gate):
            wide, deep = (planes.x - across) / size / 2, (planes.y - down) / size / 2
            here = (wide.abs() < 0.5) & (deep.abs() < 0.25) & (getattr(planes, gate) > 0)
            u, v = torch.where(here, wide, u), torch.where(here, deep, v)
            row, column = torch.where(here, font + which, row), torch.where(here, text, column)
    texture = glyphs(planes.device)
    rows = texture.shape[2] // GLYPH
    inside = (torch.maximum(u.abs(), v.abs()) < 0.48) & (r < 1)
    grid = torch.stack([(column + 0.5 + u) / 6 - 1, (row + 0.5 + v) * (2 / rows) - 1], -1)
    found = functional.grid_sample(texture, grid.view(1, -1, planes.size, 2), align_corners=False)
    return found.view_as(r) * inside
