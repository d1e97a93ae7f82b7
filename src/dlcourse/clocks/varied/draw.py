"""From a varied scene to pixels: dial, frame and wall, and the order of all layers."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.clocks.scene import Scene
from dlcourse.clocks.varied.atlas import WALLS, walls
from dlcourse.clocks.varied.hands import along_and_beside, draw_hands
from dlcourse.clocks.varied.planes import Planes, against, colour
from dlcourse.clocks.varied.print import draw_print


def draw_dial(planes: Planes, dial: Tensor, other: Tensor, pattern: Tensor) -> None:
    """The dial, and its windows and small dials; `other` is the second colour of its pattern [B, S, S]."""
    ax, ay = planes.x.abs(), planes.y.abs()
    box = torch.maximum(ax, ay)
    if planes.any("subdial"):
        turn = torch.deg2rad(planes.subdial_angle)
        sub = torch.hypot(planes.x - 0.45 * turn.sin(), planes.y + 0.45 * turn.cos())
        ring = planes.edge(0.012 - (sub - planes.subdial).abs()) + planes.edge(
            torch.minimum(0.012 - (planes.x - 0.45 * turn.sin()).abs(), planes.subdial * 0.8 - sub)
        )
        planes.add((ring * (planes.subdial > 0)).clamp_(0, 1), 1 - dial.round())
    if planes.any("date"):
        window = torch.minimum(planes.date - planes.y.abs(), 1.3 * planes.date - (planes.x - planes.date_place).abs())
        planes.add(planes.edge(window) * (planes.date > 0), torch.ones_like(dial) * 0.9)
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
    planes.add(planes.edge(1 - far) * alpha, dial, light, also=pattern * planes.dial_texture)
    planes.colours.append(other)


def draw_frame(planes: Planes) -> None:
    """Frame with its bevel and its second ring, and the clock's shadow on the wall."""
    scene, far = planes.scene, planes.far
    width = planes.frame + 1e-6
    part = (far - 1) / width
    value = scene.frame_value
    outer = colour(scene.frame_hue, scene.frame_saturation, value)
    second = colour(scene.frame_hue, scene.frame_saturation * 0.5, scene.rim_value)
    toward = torch.deg2rad(planes.frame_light)
    slope = (planes.x * toward.sin() - planes.y * toward.cos()) / far.clamp_min(0.5)
    light = planes.frame_bevel * slope - planes.frame_round * (2 * part - 1).square().clamp_(max=1)
    inside = torch.minimum(far - 1 + 0.02, 1 + planes.frame - far)
    planes.add(planes.edge(inside) * (planes.frame > 0), outer, light, also=((part < planes.rim) & (part > 0)).float())
    planes.colours.append(second)
    reach = 1 + planes.frame - (far - 0.1 * slope)
    shadow = (reach / planes.wall_shadow_size + 1).clamp_(0, 1).square() * planes.wall_shadow
    planes.add(shadow, torch.zeros_like(outer))


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
    scene = planes.scene
    value = torch.where(scene.plain_wall > 0, (scene.plain_wall < 1).float(), scene.wall_value)
    plain = scene.plain_wall > 0
    saturation = torch.where(plain, 0.0, scene.wall_saturation)
    wall = colour(scene.wall_hue, saturation, value)
    second = colour(scene.wall_hue + 0.3 * (scene.luck[:, 2] - 0.5), saturation, (value * 1.7 + 0.35) % 1.0)
    if planes.any("things"):
        count = 4
        generator = torch.Generator().manual_seed(7)
        mixer = torch.rand(8, count * 9, generator=generator).to(planes.device) * 40
        draws = ((scene.luck @ mixer) % 1.0).view(-1, count, 9)
        for x, y, w, h, shape, hue, saturation, value, ring in draws.permute(1, 2, 0):
            dx = (planes.steps - x[:, None]).abs()[:, None, :]
            dy = (planes.steps - y[:, None]).abs()[:, :, None]
            w, h = (0.02 + 0.3 * w.square())[:, None, None], (0.02 + 0.3 * h.square())[:, None, None]
            box = torch.minimum(w - dx, h - dy)
            disc = w - torch.hypot(dx, dy)
            inside = torch.where(shape[:, None, None] < 0.45, disc, box)
            inside = torch.where((ring < 0.35)[:, None, None], 0.012 - inside.abs(), inside)
            planes.add((inside * planes.size + 0.5).clamp_(0, 1) * planes.things, colour(hue, saturation - 0.3, value))
    turn = torch.deg2rad(scene.wall_gradient_angle)
    light = (turn.sin()[:, None] * (planes.steps - 0.5))[:, None, :] - (turn.cos()[:, None] * (planes.steps - 0.5))[
        :, :, None
    ]
    share = torch.where(plain, 0.0, scene.pattern.clamp_min(0))[:, None, None]
    planes.add(
        torch.ones_like(planes.r), wall, light * (planes.wall_gradient * (~plain)[:, None, None]), also=pattern * share
    )
    planes.colours.append(second)


def draw(scene: Scene, size: int) -> Tensor:
    """The images before light and camera: [B, 3, size, size], about 0 to 1."""
    planes = Planes(scene, size)
    dark, coloured = (planes.kind("dial", kind)[:, 0, 0] > 0 for kind in ("dark", "coloured"))
    value = torch.where(dark, 1 - scene.dial_value, torch.where(coloured, scene.dial_colour_value, scene.dial_value))
    dial = colour(scene.dial_hue, torch.where(coloured, scene.dial_colour_saturation, scene.dial_saturation), value)
    grey = dial @ torch.tensor([0.3, 0.59, 0.11], device=dial.device)
    hands = colour(scene.hand_hue, scene.hand_colour, against(grey, scene.hand_contrast))
    print_ = colour(scene.hand_hue, scene.hand_colour, against(grey, scene.ink_contrast))
    ink = torch.where(scene.ink_apart[:, None] > 0, print_, hands)
    marks = ink.lerp(dial, scene.mark_grey[:, None])
    other = colour(scene.wall_hue, scene.dial_saturation, (value + 0.5) % 1.0)
    pattern = wall_pattern(planes)
    if planes.any("cover"):
        along, side = along_and_beside(planes, scene.cover_angle)
        bar = torch.minimum(planes.cover / 2 - side.abs(), along - planes.cover_place)
        planes.add(
            planes.edge(bar) * (planes.cover > 0),
            colour(1 - scene.wall_hue, scene.wall_saturation, 1 - scene.wall_value),
        )
    front = len(planes.colours)
    draw_hands(planes, dial, hands)
    draw_print(planes, ink, marks)
    draw_dial(planes, dial, other, pattern)
    draw_frame(planes)
    if planes.any("absent"):
        present = 1 - planes.absent
        planes.weights[:, front : len(planes.colours)] *= present[:, None]
        planes.light *= present
        covered = planes.weights[:, : len(planes.colours)].sum(1)
        planes.left = torch.where(present > 0, planes.left, 1 - covered)
    draw_wall(planes, pattern)
    return planes.mixed()
