"""The colours of varied clocks: of every part of an image, from the hidden parameters of its scene."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from dlcourse.clocks.scene import Scene
from dlcourse.clocks.varied.scene import kind

THINGS = 4  # behind a clock
_GREY = (0.3, 0.59, 0.11)


class Palette(NamedTuple):
    """Colours [N, 3] of N images, red, green and blue, 0 to 1."""

    cover: Tensor
    cap: Tensor
    second: Tensor
    hands: Tensor
    lume: Tensor
    alarm: Tensor
    ink: Tensor
    marks: Tensor
    subdial: Tensor
    date: Tensor
    dial: Tensor
    dial_pattern: Tensor
    frame: Tensor
    rim: Tensor
    shadow: Tensor
    wall: Tensor
    wall_pattern: Tensor


class Things(NamedTuple):
    """Rectangles and discs behind N clocks, lengths in image sides: `shapes` [N, THINGS, 6], `colours` [N, THINGS, 3].

    A shape is x, y, half a width, half a height, whether it is a disc, and whether it is an outline.
    """

    shapes: Tensor
    colours: Tensor


def colour(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Red, green and blue [..., 3], 0 to 1, of hue, saturation and value; values beyond 0 to 1 are clipped."""
    wheel = (hue[..., None] * 6 + torch.tensor([0.0, 4.0, 2.0], device=hue.device)) % 6
    pure = ((wheel - 3).abs() - 1).clamp(0, 1)
    return value.clamp(0, 1)[..., None] * (1 - saturation.clamp(0, 1)[..., None] * (1 - pure))


def _against(value: Tensor, contrast: Tensor) -> Tensor:
    """A brightness [N] that differs from `value` by a share of what is possible, 0.35 at least."""
    darker = value > 0.55
    return torch.where(darker, value - contrast * (value + 0.05).clamp_min(0.4), value + contrast * (1.05 - value))


def palette(scene: Scene) -> Palette:
    """The colours of a scene."""
    coloured, skeleton = kind(scene, "dial", "coloured"), kind(scene, "hands", "skeleton")
    value = torch.where(kind(scene, "dial", "dark"), 1 - scene.dial_value, scene.dial_value)
    value = torch.where(coloured, scene.dial_colour_value, value)
    dial = colour(scene.dial_hue, torch.where(coloured, scene.dial_colour_saturation, scene.dial_saturation), value)
    black = torch.zeros_like(dial)

    grey = dial @ torch.tensor(_GREY, device=dial.device)
    hands = colour(scene.hand_hue, scene.hand_colour, _against(grey, scene.hand_contrast))
    apart = colour(scene.hand_hue, scene.hand_colour, _against(grey, scene.ink_contrast))
    ink = torch.where(scene.ink_apart[:, None] > 0, apart, hands)
    red = colour(scene.hand_hue * 0.06, torch.full_like(value, 0.9), 0.55 + 0.4 * scene.hand_hue)
    alarm = colour(1 - scene.hand_hue, torch.full_like(value, 0.8), 0.3 + 0.6 * scene.hand_hue)
    which = scene.second_red[:, None]
    second = torch.where(which < 0.6, red, torch.where(which < 0.8, hands, alarm))

    plain = scene.plain_wall > 0
    wall_value = torch.where(plain, (scene.plain_wall < 1).float(), scene.wall_value)
    wall_saturation = torch.where(plain, 0.0, scene.wall_saturation)
    wall_hue = scene.wall_hue + 0.3 * (scene.luck[:, 2] - 0.5)
    return Palette(
        cover=colour(1 - scene.wall_hue, scene.wall_saturation, 1 - scene.wall_value),
        cap=torch.where(scene.cap_like_dial[:, None] > 0, dial, torch.where(which < 0.3, second, hands)),
        second=second,
        hands=hands,
        lume=torch.where(skeleton[:, None], dial, dial * 0.6 + 0.4 * (1 - hands).round()),
        alarm=alarm,
        ink=ink,
        marks=ink.lerp(dial, scene.mark_grey[:, None]),
        subdial=1 - dial.round(),
        date=black + 0.9,
        dial=dial,
        dial_pattern=colour(scene.wall_hue, scene.dial_saturation, (value + 0.5) % 1.0),
        frame=colour(scene.frame_hue, scene.frame_saturation, scene.frame_value),
        rim=colour(scene.frame_hue, scene.frame_saturation * 0.5, scene.rim_value),
        shadow=black,
        wall=colour(scene.wall_hue, wall_saturation, wall_value),
        wall_pattern=colour(wall_hue, wall_saturation, (wall_value * 1.7 + 0.35) % 1.0),
    )


def things(scene: Scene) -> Things:
    """What is behind the clocks of a scene."""
    generator = torch.Generator().manual_seed(7)
    mixer = torch.rand(8, THINGS * 9, generator=generator).to(scene.luck.device) * 40
    draws = ((scene.luck @ mixer) % 1.0).view(-1, THINGS, 9)
    x, y, width, height, shape, hue, saturation, value, ring = draws.unbind(2)
    half = (0.02 + 0.3 * side.square() for side in (width, height))
    shapes = torch.stack([x, y, *half, (shape < 0.45).float(), (ring < 0.35).float()], 2)
    return Things(shapes, colour(hue, saturation - 0.3, value))
