"""From a varied scene to pixels: dial, frame and wall, and the order of all layers."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.clocks.scene import Scene
from dlcourse.clocks.varied.atlas import WALLS, walls
from dlcourse.clocks.varied.hands import along_and_beside, draw_hands
from dlcourse.clocks.varied.palette import things
from dlcourse.clocks.varied.planes import Planes
from dlcourse.clocks.varied.print import draw_print


def draw_dial(planes: Planes, pattern: Tensor) -> None:
    """The dial, and its windows and small dials; `pattern` [B, S, S] is the share of its second colour."""
    ax, ay = planes.x.abs(), planes.y.abs()
    box = torch.maximum(ax, ay)
    if planes.any("subdial"):
        turn = torch.deg2rad(planes.subdial_angle)
        sub = torch.hypot(planes.x - 0.45 * turn.sin(), planes.y + 0.45 * turn.cos())
        ring = planes.edge(0.012 - (sub - planes.subdial).abs()) + planes.edge(
            torch.minimum(0.012 - (planes.x - 0.45 * turn.sin()).abs(), planes.subdial * 0.8 - sub)
        )
        planes.add((ring * (planes.subdial > 0)).clamp_(0, 1), planes.palette.subdial)
    if planes.any("date"):
        window = torch.minimum(planes.date - planes.y.abs(), 1.3 * planes.date - (planes.x - planes.date_place).abs())
        planes.add(planes.edge(window) * (planes.date > 0), planes.palette.date)
    reach = {
        "square": lambda: box,
        "rounded": lambda: torch.maximum(box, planes.r * 0.83),
        "octagon": lambda: torch.maximum(box, (ax + ay) * 0.7071),
        "diamond": lambda: (ax + ay) * 0.8,
    }
    far = planes.r
    for name, norm in reach.items():
        if (here := planes.kind("shape", name) > 0).any():
            far = torch.where(here, norm(), far)
    planes.far = far
    light = planes.dial_gradient * planes.y - planes.dial_vignette * planes.r.square()
    alpha = 1 - 0.85 * planes.kind("dial", "clear")
    colours = planes.palette
    planes.add(planes.edge(1 - far) * alpha, colours.dial, light, pattern * planes.dial_texture, colours.dial_pattern)


def draw_frame(planes: Planes) -> None:
    """Frame with its bevel and its second ring, and the clock's shadow on the wall."""
    colours, far = planes.palette, planes.far
    part = (far - 1) / (planes.frame + 1e-6)
    toward = torch.deg2rad(planes.frame_light)
    slope = (planes.x * toward.sin() - planes.y * toward.cos()) / far.clamp_min(0.5)
    light = planes.frame_bevel * slope - planes.frame_round * (2 * part - 1).square().clamp_(max=1)
    inside = torch.minimum(far - 1 + 0.02, 1 + planes.frame - far)
    rim = ((part < planes.rim) & (part > 0)).float()
    planes.add(planes.edge(inside) * (planes.frame > 0), colours.frame, light, rim, colours.rim)
    reach = 1 + planes.frame - (far - 0.1 * slope)
    shadow = (reach / planes.wall_shadow_size + 1).clamp_(0, 1).square() * planes.wall_shadow
    planes.add(shadow, colours.shadow)


def wall_pattern(planes: Planes) -> Tensor:
    """A pattern over the image [B, S, S], 0 to 1."""
    scene = planes.scene
    tiles = walls(planes.device)[(scene.pattern_which * WALLS).long().clamp_(max=WALLS - 1)]
    turn = torch.deg2rad(scene.pattern_angle)
    sin, cos = (turn.sin() / scene.pattern_scale)[:, None], (turn.cos() / scene.pattern_scale)[:, None]
    steps = (planes.steps - 0.5) * 2
    x = (cos * steps)[:, None, :] + (sin * steps)[:, :, None] + scene.luck[:, 0, None, None] - 0.5
    y = (-sin * steps)[:, None, :] + (cos * steps)[:, :, None] + scene.luck[:, 1, None, None] - 0.5
    return functional.grid_sample(
        tiles[:, None], torch.stack([x, y], -1), padding_mode="reflection", align_corners=False
    )[:, 0]


def draw_wall(planes: Planes, pattern: Tensor) -> None:
    """Things behind the clock, and the wall."""
    scene, colours, steps = planes.scene, planes.palette, planes.steps
    if planes.any("things"):
        behind = things(scene)
        for shapes, thing_colours in zip(behind.shapes.unbind(1), behind.colours.unbind(1), strict=True):
            x, y, wide, high, disc, ring = shapes[..., None, None].unbind(1)
            dx, dy = (steps - x).abs(), (steps[:, None] - y).abs()
            inside = torch.where(disc > 0, wide - torch.hypot(dx, dy), torch.minimum(wide - dx, high - dy))
            inside = torch.where(ring > 0, 0.012 - inside.abs(), inside)
            planes.add((inside * planes.size + 0.5).clamp_(0, 1) * planes.things, thing_colours)
    patterned = planes.plain_wall == 0
    turn = torch.deg2rad(planes.wall_gradient_angle)
    light = turn.sin() * (steps - 0.5) - turn.cos() * (steps - 0.5)[:, None]
    planes.add(
        torch.ones_like(planes.r),
        colours.wall,
        light * (planes.wall_gradient * patterned),
        pattern * (planes.pattern.clamp_min(0) * patterned),
        colours.wall_pattern,
    )


def draw(scene: Scene, size: int) -> Tensor:
    """The images before light and camera: [B, 3, size, size], about 0 to 1."""
    planes = Planes(scene, size)
    pattern = wall_pattern(planes)
    if planes.any("cover"):
        along, side = along_and_beside(planes, scene.cover_angle)
        bar = torch.minimum(planes.cover / 2 - side.abs(), along - planes.cover_place)
        planes.add(planes.edge(bar) * (planes.cover > 0), planes.palette.cover)
    front = len(planes.colours)
    draw_hands(planes)
    draw_print(planes)
    draw_dial(planes, pattern)
    draw_frame(planes)
    if planes.any("absent"):
        present = 1 - planes.absent
        planes.weights[:, front : len(planes.colours)] *= present[:, None]
        planes.light *= present
        covered = planes.weights[:, : len(planes.colours)].sum(1)
        planes.left = torch.where(present > 0, planes.left, 1 - covered)
    draw_wall(planes, pattern)
    return planes.mixed()
