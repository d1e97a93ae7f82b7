"""Glasses and hats."""

from __future__ import annotations

import torch
from torch import Tensor

from dlcourse.toons.canvas import SIDES, Canvas, box, cone, disc, ellipse, length, lighter, plain, shade


def glasses(canvas: Canvas) -> None:
    """Rims, bridge, temples and lenses."""

    def paint(c: Canvas, square: bool, dark: bool) -> None:
        f = c.face
        frame = box(c.x - f.turned, c.y - f.eye_y + 0.8, (f.eye_x * 1.05 - f.eye).clamp_min(0.6), 0.7)  # the bridge
        for side in SIDES:
            narrow = 1 - 0.2 * (f.turn * side).clamp_min(0)
            at = f.turned + side * f.eye_x * narrow * 1.05
            x, y, wide = c.x - at, c.y - f.eye_y - 0.3, f.eye * narrow + 0.9
            lens = _rounded(x, y, wide, f.eye + 0.4, 2.5) if square else ellipse(x, y, wide, f.eye + 0.9)
            hinge, ear = at + side * wide, side * f.skull
            temple = box(c.x - (hinge + ear) / 2, y + 1.0, ((ear - hinge) * side / 2).clamp_min(0) + 0.3, 0.7)
            frame = torch.minimum(frame, torch.maximum(temple, -lens))
            if dark:
                c.fill(lens, f.ink, 0.96)
                c.fill(torch.maximum(lens + 1.6, (x - y * 0.5 + 2.0).abs() - 0.9), plain(c, "ffffff"), 0.55)
            frame = torch.minimum(frame, lens.abs() - 0.85)
        c.fill(frame, f.ink)

    canvas.where(canvas.face.at("glasses", "round"), lambda c: paint(c, False, False))
    canvas.where(canvas.face.at("glasses", "square"), lambda c: paint(c, True, False))
    canvas.where(canvas.face.at("glasses", "dark"), lambda c: paint(c, True, True))


def _rounded(x: Tensor, y: Tensor, wide: Tensor, high: Tensor, radius: float) -> Tensor:
    """Distance from a box with rounded corners."""
    x, y = x.abs() - wide + radius, y.abs() - high + radius
    return length(x.clamp_min(0), y.clamp_min(0)) + torch.maximum(x, y).clamp_max(0) - radius


def hat(canvas: Canvas) -> None:
    """Paint a hat or another thing on the head."""

    def dome(c: Canvas, off: float, line: Tensor) -> Tensor:
        return torch.maximum(c.head - off, c.y - line)

    def accent(c: Canvas) -> Tensor:
        # a colour different from the clothes', by rotating red, green and blue
        return c.face.clothes_colour.roll(1, 1)

    def band(c: Canvas, middle: Tensor, half: float, off: float) -> Tensor:
        return torch.maximum(c.head - off, (c.y - middle).abs() - half)

    def beanie(c: Canvas) -> None:
        f, line = c.face, c.face.hat_y
        crown = f.top - f.skull - 3
        c.shape(disc(c.x, c.y - crown - 0.5, 4.0), plain(c, "fbf7ee"))
        c.shape(dome(c, 2.6, line), accent(c))
        c.shape(band(c, line - 1.5, 2.6, 3.4), lighter(accent(c), 0.4))

    def cap(c: Canvas) -> None:
        f, line = c.face, c.face.hat_y
        way = torch.tanh(f.turn * 5)
        c.shape(dome(c, 2.2, line), accent(c))
        c.shape(
            c.cone(f.turned - way * 9, line - 0.5, 1.8, f.turned + way * 21, line + 1.0, 1.5), shade(accent(c), 0.8)
        )
        c.shape(disc(c.x, c.y - f.top + f.skull + 2.4, 1.2), shade(accent(c), 0.8))

    def bowler(c: Canvas) -> None:
        line = c.face.hat_y
        dark = plain(c, "4a4458")
        crown = dome(c, 4.6, line)
        c.shape(crown, dark)
        c.fill(torch.maximum(crown, (c.y - line + 3.9).abs() - 1.8), accent(c))
        zero = torch.zeros_like(line)
        c.shape(c.cone(zero - c.face.skull * 1.18, line, 1.5, zero + c.face.skull * 1.18, line, 1.5), dark)

    def party(c: Canvas) -> None:
        f = c.face
        foot, tip = f.top - 0.82 * f.skull, f.top - 0.82 * f.skull - 18
        share = (c.y - tip) / 18
        side = (c.x.abs() - share * 10.5) * 0.85
        shape = torch.maximum(side, c.y - foot)
        c.shape(shape, accent(c))
        c.fill(torch.maximum(shape, torch.sin(c.y * 0.9 + c.x * 0.5)), plain(c, "fff0a3"))
        c.shape(disc(c.x, c.y - tip, 2.2), plain(c, "fbf7ee"), 0.9)

    def crown(c: Canvas) -> None:
        f = c.face
        foot = f.top - 0.72 * f.skull
        teeth = foot - 8 - 3.6 * torch.cos(c.x * (2 * torch.pi / 10.0))
        shape = torch.maximum((c.x.abs() - 15).maximum(c.y - foot), (teeth - c.y) * 0.5)
        c.shape(shape, plain(c, "ffc928"))
        c.shape(
            torch.maximum(disc(torch.remainder(c.x + 5, 10) - 5, c.y - foot + 3.4, 1.3), c.x.abs() - 13),
            plain(c, "e0453f"),
            0.5,
        )

    def bow(c: Canvas) -> None:
        f = c.face
        x, y = c.x - 0.55 * f.skull, c.y - f.top + 0.95 * f.skull
        zero = torch.zeros_like(f.top)
        for side in SIDES:
            c.shape(cone(x, y, zero + side * 1.2, zero, 1.4, zero + side * 6, zero - side * 0.6, 3.4), accent(c))
        c.shape(disc(x, y, 1.9), lighter(accent(c), 0.25))

    for name, paint in (
        ("beanie", beanie),
        ("cap", cap),
        ("bowler", bowler),
        ("party", party),
        ("crown", crown),
        ("bow", bow),
    ):
        canvas.where(canvas.face.at("hat", name), paint)
