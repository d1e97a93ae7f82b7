"""Hair, behind the head and on it."""

from __future__ import annotations

import torch
from torch import Tensor

from dlcourse.toons.canvas import FAR, Canvas, lighter, shade


def _cones(canvas: Canvas, side: str, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Distance from the union of the hair's cones, and the difference between the nearest and the second nearest."""
    face = canvas.face
    cones, count = getattr(face, f"{side}_cones"), int(getattr(face, f"{side}_count").max())
    nearest = torch.full_like(canvas.x, FAR)
    second, seams = nearest.clone(), bool(face.seams.any())
    for k in range(count):
        ax, ay, ar, bx, by, br = (cones[:, k] * face.volume[:, None]).unbind(1)
        # the roots stay on the skull whatever the volume
        distance = canvas.cone(ax + shift, ay + face.top, ar, bx + shift, by + face.top, br)
        # a style with fewer cones is filled up with zeros
        distance += (ar <= 0) * FAR
        if seams:
            torch.minimum(second, torch.maximum(nearest, distance), out=second)
        torch.minimum(nearest, distance, out=nearest)
    return nearest, second


def _hair(canvas: Canvas, distance: Tensor, nearest: Tensor, second: Tensor, colour: Tensor) -> None:
    distance = torch.maximum(distance, canvas.face.hat_y - canvas.y)
    canvas.shape(distance, colour)
    if not canvas.face.seams.any():
        return
    seams = torch.maximum((second - nearest) * 0.5 - 0.45, nearest + 0.4)
    canvas.fill(torch.maximum(seams, distance), shade(colour, 0.55), canvas.face.seams)


def hair_behind(canvas: Canvas) -> None:
    """Paint the hair behind the head."""

    def paint(some: Canvas) -> None:
        nearest, second = _cones(some, "back", some.face.turned * -0.3)
        _hair(some, nearest, nearest, second, shade(some.face.hair_colour, 0.9))

    canvas.where(canvas.face.back_count > 0, paint)


def hair_in_front(canvas: Canvas) -> None:
    """Paint the cap down to the hairline, and the hair on the head."""

    def paint(some: Canvas) -> None:
        face = some.face
        shift = face.turned * 0.35
        nearest, second = _cones(some, "front", shift)
        a, b, c, part, d, e, thick = face.cap.unbind(1)
        across = (some.x - shift) / face.skull
        line = a + b * (across - part).abs() + c * across.square()
        line = line + d * torch.sin(e * across)
        thickness = thick * face.volume
        cap = torch.maximum(some.head - thickness, some.y - face.top - line * face.skull)
        _hair(some, torch.minimum(nearest, cap), nearest, second, face.hair_colour)
        # A light streak along the crown.
        shine = (some.head + 4.2).abs() - 0.8
        streak = torch.maximum(shine, (across + 0.42).abs() * 14 - 4)
        hat = face.hat_y - some.y + 2
        some.fill(
            torch.maximum(torch.maximum(streak, cap + 1.2), hat), lighter(face.hair_colour, 0.45), 0.75 * face.shading
        )

    canvas.where(~canvas.face.at("hair", "bald") & ~canvas.face.at("hair", "tufts"), paint)
