"""Eyes, brows, nose and mouth."""

from __future__ import annotations

import torch
from torch import Tensor

from dlcourse.toons.canvas import OUTLINE, SIDES, Canvas, disc, ellipse, plain, shade
from dlcourse.toons.scene import values_of


def eyes(canvas: Canvas) -> None:
    """Big whites, iris and pupil that look somewhere, a glint, lids."""
    face = canvas.face
    white, lid_colour = plain(canvas, "ffffff"), shade(face.skin, 0.88)
    both = face.at("eyes", "both_closed")
    for side, name in zip(SIDES, ("left_closed", "right_closed"), strict=True):
        closed = (face.at("eyes", name) | both)[:, None, None]
        narrow = 1 - 0.2 * (face.turn * side).clamp_min(0)
        at = face.turned + side * face.eye_x * narrow
        x, y = canvas.x - at, canvas.y - face.eye_y
        wide, high = face.eye * narrow, face.eye * 1.06
        ball = ellipse(x, y, wide, high)
        canvas.fill(ball - OUTLINE, torch.where(closed[:, None], shade(face.skin, 0.72), face.ink))
        canvas.fill(ball, white)
        inside = ball + 0.1
        pupil = face.pupil * face.eye
        room = 0.9 * face.eye - pupil
        px = x / narrow - face.look_x * room * 0.8
        py = y - face.look_y * room * 0.7
        canvas.fill(torch.maximum(disc(px, py, pupil * 1.5), inside), face.iris)
        canvas.fill(torch.maximum(disc(px, py, pupil), inside), face.ink)
        canvas.fill(disc(px + pupil * 0.45, py + pupil * 0.5, pupil * 0.38), white)
        level = -high + 2 * high * face.lids + face.lid_tilt * -side * x * 0.9
        level = torch.where(closed, (0.45 - 0.6 * (x / wide).square()) * high, level)
        canvas.fill(torch.maximum(ball, torch.where(closed, -1.0, y - level)), lid_colour)
        canvas.fill(torch.maximum(ball, (y - level).abs() - torch.where(closed, 1.0, 0.7)), face.ink)

        def lashes(c: Canvas, side: float = side, at: Tensor = at, wide: Tensor = wide) -> None:
            chosen = face.at("lashes", "long")
            f, at, wide = c.face, at[chosen], wide[chosen]
            for across, up in ((0.95, 0.42), (0.72, 0.78)):
                ax, ay = at + side * wide * across * 0.95, f.eye_y - f.eye * up
                c.fill(c.cone(ax, ay, 0.8, ax + side * 3.0 * across, ay - 3.4 * up, 0.35), f.ink)

        canvas.where(face.at("lashes", "long"), lashes)


def brows(canvas: Canvas) -> None:
    """Two thick lines in a dark shade of the hair."""
    face = canvas.face
    colour = shade(face.hair_colour, 0.6)
    for side in SIDES:
        narrow = 1 - 0.2 * (face.turn * side).clamp_min(0)
        at = face.turned + side * face.eye_x * narrow
        reach = face.eye * 0.72 * narrow
        drop = face.brow_tilt * face.eye * 0.5
        inner, outer = at - side * reach, at + side * reach
        bar = canvas.cone(inner, face.brow_y + drop, face.brow, outer, face.brow_y - drop * 0.7, face.brow * 0.6)
        canvas.fill(bar - 0.45, face.ink)
        canvas.fill(bar + 0.25, colour)


NOSES = {  # x, y and radius of root and tip, in sizes of the nose, for a head turned to the right
    "button": (0.0, 0.0, 0.8, 0.0, 0.05, 0.8),
    "drop": (-0.15, -1.1, 0.42, 0.25, 0.35, 0.85),
    "pointed": (-0.25, -0.75, 0.5, 1.9, 0.25, 0.28),
    "potato": (-0.65, 0.1, 0.72, 0.65, 0.1, 0.72),
    "snub": (0.0, -0.8, 0.3, 0.0, 0.2, 0.72),
}


def nose(canvas: Canvas) -> None:
    """A nose that points where the head does."""
    face = canvas.face
    table = torch.tensor([NOSES[name] for name in values_of("nose_shape")], device=canvas.image.device)
    ax, ay, ar, bx, by, br = (table[face.nose_shape][..., None, None] * face.nose[:, None]).unbind(1)
    way = torch.tanh(face.turn * 5)
    x, y = face.nose_x, face.nose_y
    colour = face.skin * face.skin.new_tensor([0.98, 0.89, 0.87])[:, None, None]
    canvas.shape(canvas.cone(x + ax * way, y + ay, ar, x + bx * way, y + by, br), colour)


def mouth(canvas: Canvas) -> None:
    """A lens along a parabola, with teeth and tongue where it is open."""
    face = canvas.face
    x, y = canvas.x - face.mouth_x, canvas.y - face.mouth_y
    bow = 1 - (x / face.mouth).square()
    bend = face.smile * 4.2
    steep = torch.rsqrt(1 + (x * (2 * bend / face.mouth.square())).square())
    middle = bend * (bow - 0.5) + face.open * 0.35 * face.smile * bow
    half = face.open * (0.45 * bow + 0.55 * bow.clamp_min(0).sqrt())  # between two parabolas and an ellipse
    # beyond the corners the lens has a negative height, so the distance grows there
    gap = (y - middle).abs() - torch.where(bow > 0, half, bow * 6)
    gap *= steep
    canvas.fill(gap - OUTLINE * 0.85, face.ink)
    canvas.fill(gap + 0.2, plain(canvas, "7c1f35"))
    inner = gap + 0.5
    canvas.fill(
        torch.maximum(inner, disc(x * 0.8, y - middle - face.open * 1.15, face.open * 0.85)), plain(canvas, "f2707f")
    )
    upper = y - (middle - half)

    def row(c: Canvas, inner: Tensor, x: Tensor, upper: Tensor) -> None:
        c.fill(torch.maximum(inner, upper - 2.3), plain(c, "ffffff"))

    def two(c: Canvas, inner: Tensor, x: Tensor, upper: Tensor) -> None:
        teeth = torch.maximum(upper - 3.0, (x.abs() - 1.75).abs() - 1.4)
        c.fill(torch.maximum(inner, teeth), plain(c, "ffffff"))

    for name, paint in (("row", row), ("two", two)):
        chosen = face.at("teeth", name)
        canvas.where(chosen, lambda c, p=paint, k=chosen: p(c, inner[k], x[k], upper[k]))
