"""Head, ears, cheeks and beard."""

from __future__ import annotations

import torch
from torch import Tensor

from dlcourse.toons.canvas import FAR, OUTLINE, SIDES, Canvas, cone, disc, ellipse, length, plain, shade


def ear_places(canvas: Canvas) -> list[tuple[Tensor, Tensor, float]]:
    """Left and right: x of the middle, how far the ear comes forward, side."""
    face, found = canvas.face, []
    for side in SIDES:
        # The near ear comes forward over the cheek, the far one goes behind the head.
        forward, behind = (face.turn * -side).clamp_min(0), (face.turn * side).clamp_min(0)
        at = side * (face.skull * (0.99 - 0.3 * forward - 0.16 * behind) + face.ear * 0.3)
        found.append((at, forward, side))
    return found


def head(canvas: Canvas) -> None:
    """Skull and jaw with the ears, and a shade on the side away from the light."""
    face, outline = canvas.face, canvas.head
    for at, _, _ in ear_places(canvas):
        ear = ellipse(canvas.x - at, canvas.y - face.ear_y, face.ear * 0.82, face.ear)
        outline = torch.minimum(outline, ear)
    canvas.shape(outline, face.skin)
    # the head once more, up to the left, about
    moon = torch.maximum(canvas.head, canvas.linear(-2.6 / face.skull, -2.2 / face.skull, face.skull * 0) - canvas.head)
    canvas.fill(moon, shade(face.skin, 0.9), face.shading)


def ears(canvas: Canvas) -> None:
    """Paint the visible part of the ears, and earrings."""
    face = canvas.face
    for at, forward, side in ear_places(canvas):
        x, y = canvas.x - at, canvas.y - face.ear_y
        ear = ellipse(x, y, face.ear * 0.82, face.ear)
        drawn = (forward * 3).clamp(0, 1)
        canvas.fill(ear.abs() - OUTLINE * 0.7, face.ink, drawn)
        canvas.fill(ear, face.skin, drawn)
        canvas.fill(disc(x - side * 0.1 * face.ear, y, face.ear * 0.42), shade(face.skin, 0.72), 0.85)

    def earring(c: Canvas, hoop: bool) -> None:
        f, gold = c.face, plain(c, "ffc928")
        for at, _, side in ear_places(c):
            x, y = c.x - at - side * 0.15 * f.ear, c.y - f.ear_y - f.ear * 1.1
            if hoop:
                ring = disc(x, y - 2.4, 2.8).abs()
                c.fill(ring - 1.4, f.ink)
                c.fill(ring - 0.65, gold)
            else:
                c.shape(disc(x, y, 1.35), gold, 0.8)

    canvas.where(face.at("earrings", "studs"), lambda c: earring(c, False))
    canvas.where(face.at("earrings", "hoops"), lambda c: earring(c, True))


def cheeks(canvas: Canvas) -> None:
    """Blush and freckles."""
    face = canvas.face
    y = canvas.y - face.nose_y - 3.2
    for side in SIDES:
        x = canvas.x - face.turned - side * face.skull * (0.6 - 0.12 * side * face.turn)
        glow = torch.clamp(1 - length(x / 4.4, y / 3.2), 0, 1).mul_(1.6).clamp_(0, 1)
        canvas.image.lerp_(plain(canvas, "ff5d6c")[None], (glow * face.blush)[:, None])

    def freckles(c: Canvas) -> None:
        f = c.face
        for side in SIDES:
            for dx, dy in ((0.0, 0.0), (2.6, -1.3), (-2.4, -1.2)):
                x = c.x - f.turned - side * f.skull * (0.56 - 0.1 * side * f.turn) - dx
                c.fill(disc(x, c.y - f.nose_y - 2.6 - dy, 0.65), shade(f.skin, 0.6), 0.9)

    canvas.where(face.at("freckles", "some"), freckles)


def beard(canvas: Canvas) -> None:
    """Paint the beard on the chin, below the layer of the mouth."""

    def stubble(c: Canvas) -> None:
        f = c.face
        chin = torch.maximum(c.head + 0.3, ellipse(c.x - f.mouth_x, c.y - f.mouth_y - 1, f.jaw * 0.82, 9.5))
        c.fill(chin, torch.lerp(f.skin, shade(f.hair_colour, 0.7), 0.35), 0.85)

    def full(c: Canvas) -> None:
        f = c.face
        x = c.x - f.mouth_x
        edge = f.mouth_y - 3.5 - (x / f.jaw).square() * 7 + 0.9 * torch.cos(x * 0.5)
        below = torch.maximum(c.head - 1.6 - 0.5 * torch.cos(c.x * 0.9), (edge - c.y) * 0.8)
        c.shape(below, f.hair_colour)

    def goatee(c: Canvas) -> None:
        f = c.face
        chin = f.bottom + f.jaw
        c.shape(c.cone(f.mouth_x, chin - 2.5, 4.6, f.mouth_x * 0.8, chin + 4.5, 1.0), f.hair_colour)

    for name, paint in (("stubble", stubble), ("full", full), ("goatee", goatee)):
        canvas.where(canvas.face.at("beard", name), paint)


def moustache(canvas: Canvas) -> None:
    """Two cones that curl up, above the mouth."""

    def paint(c: Canvas) -> None:
        f = c.face
        x, y = c.x - f.mouth_x, f.mouth_y - 4.6
        distance = torch.full_like(c.x, FAR)
        for side in SIDES:
            half = cone(x, c.y, x.new_tensor(side * 1.6), y, 1.9, x.new_tensor(side * 6.5), y + 0.9, 1.5)
            tip = cone(x, c.y, x.new_tensor(side * 6.5), y + 0.9, 1.5, x.new_tensor(side * 9.5), y - 1.6, 0.3)
            distance = torch.minimum(distance, torch.minimum(half, tip))
        c.shape(distance, f.hair_colour)

    canvas.where(canvas.face.at("beard", "moustache"), paint)
