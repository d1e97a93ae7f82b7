"""The hands of a varied clock, their cap and their shadows."""

from __future__ import annotations

import torch
from torch import Tensor

from dlcourse.clocks.scene import Scene
from dlcourse.clocks.varied.planes import Planes


def hand_angles(scene: Scene) -> tuple[Tensor, Tensor]:
    """Where the minute hand and the hour hand point, degrees clockwise of the dial's twelve [N]."""
    minutes = scene.minutes.float()
    at = minutes % 60 + scene.drift
    return at * 6, (minutes // 60 * 60 + at) * 0.5 + scene.hour_error


def along_and_beside(planes: Planes, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Distance along a hand at an angle in degrees [N], and beside it (without sign)."""
    angle = torch.deg2rad(angle)[:, None, None]
    sin, cos = angle.sin(), angle.cos()
    return planes.x * sin - planes.y * cos, (planes.x * cos).addcmul_(planes.y, sin)


def _hand(planes: Planes, angle: Tensor, length: Tensor, width: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A hand's signed distance, its inner part's, and the side of each pixel; angle [B], length and width [B, 1, 1]."""
    along, side = along_and_beside(planes, angle)
    beside = side.abs()
    kinds = {kind: planes.kind("hands", kind) for kind in ("tapered", "sword", "spade", "arrow")}
    half = width * (0.5 - 0.22 * (kinds["sword"] + kinds["spade"] + kinds["arrow"]))
    # Straight or tapered, with the bulge of a sword at .62 of the length, and the tip: the least of three lines.
    bulge = width * kinds["sword"] * 0.5
    head = width * (0.5 + 2 * planes.tip) + 0.6 * length * kinds["sword"] * planes.tip
    to_tip = length - along
    wide = to_tip.mul((half + bulge) / head).add_(half * (1 - planes.tip))
    wide = torch.minimum(wide, along.mul(-0.7 * kinds["tapered"] * half / length).add_(half + bulge), out=wide)
    slope = bulge * 2.2 / length
    wide = torch.minimum(wide, along.mul(slope).add_(half + bulge - 0.62 * length * slope), out=wide)
    if kinds["arrow"].any():
        arrow = torch.minimum(to_tip * 0.45, (along - 0.7 * length).mul_(3))
        wide = torch.where(kinds["arrow"] > 0, torch.maximum(wide, arrow.clamp_min_(0)), wide)
    inside = torch.minimum(wide.sub_(beside), to_tip, out=wide)
    inside = torch.minimum(inside, along + planes.tail, out=inside)
    for place, radius in (
        (-0.68 * length, width * 0.75 * kinds["spade"]),
        (planes.tail, planes.counterweight),
    ):
        if (radius > 0).any():
            away = torch.hypot(along + place, beside).neg_().add_(radius - (radius == 0).float())
            inside = torch.maximum(inside, away, out=inside)
    inner = torch.minimum(inside - width / 2 * (1 - planes.lume), along - 0.12)
    return inside, inner, side


def draw_hands(planes: Planes) -> None:
    """Cap, second hand, minute hand, hour hand, alarm hand and their shadows."""
    scene, colours = planes.scene, planes.palette
    minute, hour = hand_angles(scene)
    planes.add(planes.edge(planes.cap - planes.r), colours.cap)
    if planes.any("second"):
        along, side = along_and_beside(planes, scene.second_angle)
        inside = torch.minimum(planes.second - along, along + planes.second_tail)
        inside = torch.minimum(inside, side.abs_().neg_().add_(planes.second_width / 2), out=inside)
        planes.add(planes.edge(inside).mul_(planes.second > 0), colours.second)
    lit = torch.maximum(planes.lume.ceil(), planes.kind("hands", "skeleton"))
    hands = (
        (minute, planes.minute_length, planes.hour_width * planes.minute_width_ratio),
        (hour, planes.minute_length * planes.hour_ratio, planes.hour_width),
    )
    for angle, length, width in hands:
        inside, inner, side = _hand(planes, angle, length, width)
        mask = planes.edge(inside)
        light = side.mul_(planes.pixels).clamp_(0, 1).mul_(planes.shine)
        also = planes.edge(inner).mul_(lit) if lit.any() else None
        planes.add(mask, colours.hands, light, also, colours.lume)
    if planes.any("alarm"):
        along, side = along_and_beside(planes, scene.alarm_angle)
        inside = torch.minimum(0.01 - side.abs_(), torch.minimum(planes.alarm - along, along + 0.02))
        planes.add(planes.edge(inside) * (planes.alarm > 0), colours.alarm)
    if planes.any("shadow"):
        # Of the hands' simple shape, moved, and softer than they are.
        x, y = planes.x, planes.y
        planes.x, planes.y = x - planes.shadow_x, y - planes.shadow_y
        cast = torch.zeros_like(x)
        for angle, length, width in hands:
            along, side = along_and_beside(planes, angle)
            inside = torch.minimum(length - along, along + planes.tail)
            inside = torch.minimum(inside, side.abs_().neg_().add_(width / 2), out=inside)
            torch.maximum(cast, inside.mul_(planes.pixels * 0.5).add_(0.5), out=cast)
        planes.x, planes.y = x, y
        planes.add(cast.clamp_(max=1).mul_(planes.shadow).mul_(planes.r < 1), colours.shadow)
