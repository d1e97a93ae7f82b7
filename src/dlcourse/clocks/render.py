"""Grey pictures of an analog clock on planks, drawn in batches from a scene: plain torch, any device, any size.

Every picture is one projective view of a few horizontal planes. All quantities that are linear on a plane (texture
coordinates, distances from the hands' axes, light) become rows of one tensor, divided by one common denominator; the
rest is a few dozen elementwise operations, in small chunks so that the temporaries stay in the cache.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, overload

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.clocks.geometry import Camera
from dlcourse.clocks.layers import ROWS, Parameters, picture_parameters
from dlcourse.clocks.scene import Scene, SceneRanges, draw_scenes
from dlcourse.clocks.textures import Atlas, clock_atlas

# Raise it whenever the same seed gives other pictures: caches of pictures are named after it.
RENDERER_VERSION = 1
_CHUNKS = {"cpu": 4}
_DEFAULT_CHUNK = 128
_WHITE = 255.0
_REFERENCE_SIZE = 150
_NOISE_TILE = 64  # rows and columns the noise tile is longer than a picture


@lru_cache(maxsize=8)
def _noise_tile(size: int, device: torch.device) -> Tensor:
    generator = torch.Generator().manual_seed(21)
    return (torch.rand(size + _NOISE_TILE, size + _NOISE_TILE, generator=generator) * 2 - 1).to(device)


def render(scene: Scene, size: int = 150, device: torch.device | str | None = None, chunk: int | None = None) -> Tensor:
    """The scene's pictures: uint8 [N, size, size] on `device` (default: the scene's), 0 black.

    `chunk` pictures are drawn at once (default: what suits the device); pictures do not depend on it. Memory beyond
    the result grows with the chunk, not with N. Raises ValueError for a size below 16 or a chunk below 1.
    """
    if size < 16:
        raise ValueError(f"size must be at least 16 pixels, but is {size}.")
    target = torch.device(device) if device is not None else scene.minutes.device
    chunk = chunk if chunk is not None else _CHUNKS.get(target.type, _DEFAULT_CHUNK)
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1 picture, but is {chunk}.")
    pictures = torch.empty(len(scene), size, size, dtype=torch.uint8, device=target)
    if not len(scene):
        return pictures
    atlas = clock_atlas(size, target)
    # The parameters are few: always computed on the CPU, in float64, so that every device draws the same scene.
    parameters = picture_parameters(scene.to("cpu"), size, clock_atlas(size, torch.device("cpu")))
    offsets = (scene.luck[:, :2].cpu() * _NOISE_TILE).long().tolist()
    reflections = (scene.reflection_strength.cpu() > 0).tolist()
    rows = torch.empty(chunk, len(ROWS), size, size, device=target)
    for start in range(0, len(scene), chunk):
        stop = min(start + chunk, len(scene))
        part = parameters[start:stop].to(target)
        picture = _draw(part, atlas, rows[: stop - start], [i for i, on in enumerate(reflections[start:stop]) if on])
        _finish(picture, part, offsets[start:stop])
        pictures[start:stop] = picture
    return pictures


@overload
def render_clocks(
    minutes_N: Tensor,
    seed: int,
    size: int = 150,
    ranges: SceneRanges | None = None,
    device: torch.device | str | None = None,
    return_scene: Literal[False] = False,
) -> Tensor: ...


@overload
def render_clocks(
    minutes_N: Tensor,
    seed: int,
    size: int = 150,
    ranges: SceneRanges | None = None,
    device: torch.device | str | None = None,
    *,
    return_scene: Literal[True],
) -> tuple[Tensor, Scene]: ...


def render_clocks(
    minutes_N: Tensor,
    seed: int,
    size: int = 150,
    ranges: SceneRanges | None = None,
    device: torch.device | str | None = None,
    return_scene: bool = False,
) -> Tensor | tuple[Tensor, Scene]:
    """Pictures uint8 [N, size, size] of clocks that show `minutes_N` (int64 [N], 0..719), and their scene on request.

    Raises ValueError for bad minutes or a bad size.
    """
    scene = draw_scenes(minutes_N, seed, ranges)
    pictures = render(scene, size, device if device is not None else minutes_N.device)
    return (pictures, scene) if return_scene else pictures


def _draw(part: Parameters, atlas: Atlas, rows: Tensor, reflections: list[int]) -> Tensor:
    """The pictures before camera effects: float32 [B, S, S]; `rows` [B, len(ROWS), S, S] is scratch space."""
    size = rows.shape[-1]
    steps = torch.arange(size, dtype=torch.float32, device=rows.device)
    columns = part.rows[..., 0, None] * steps
    lines = part.rows[..., 1, None] * steps + part.rows[..., 2, None]
    torch.add(columns[:, :, None, :], lines[:, :, :, None], out=rows)
    rows[:, 1:-1].mul_(rows[:, :1].reciprocal())

    def row(name: str) -> Tensor:
        return rows[:, ROWS[name]]

    def pair(name: str) -> Tensor:
        return rows[:, ROWS[name] : ROWS[name] + 2]

    # Squared radii: no root is needed, since 1 - r is (1 - r^2) / 2 at the edge.
    inner = pair("dial_x").square_()
    radius2 = inner[:, 0].add_(inner[:, 1])
    outer = pair("foot_x").square_()
    foot2 = outer[:, 0].add_(outer[:, 1])
    sampled = torch.where((radius2 < 1.05)[:, None], pair("ink_x"), pair("wood_x"))
    texture = functional.grid_sample(
        atlas.texture,
        sampled.permute(0, 2, 3, 1).reshape(1, -1, size, 2),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    ).view(-1, size, size)

    wood = torch.addcmul(row("wood_light"), texture, part.wood_contrast)
    shadow = (foot2 * part.shadow_slope).add_(part.shadow_start).clamp_(0, 1).mul_(row("shadow").clamp_(0, 1))
    wood.addcmul_(wood, shadow, value=-1)

    foot = foot2.neg().add_(1)
    slope = (radius2 - part.slope_end).mul_(part.slope_sharpness).clamp_(0, 1)
    inner_light = row("inner_light").addcmul_(radius2, part.inner_drop).clamp_(min=9)
    frame = inner_light.lerp_(row("outer_light"), slope)
    line = foot.sub(part.line_place).abs_().mul_(part.line_sharpness).neg_().add_(1).clamp_(min=0)
    frame.addcmul_(line, row("line").clamp_(min=0))
    # The foot's rounded edge turns away from the light.
    frame.addcmul_(frame, (foot * -9).add_(1).clamp_(min=0), value=-0.45)
    wood.lerp_(frame, foot.mul_(part.foot_sharpness).add_(0.5).clamp_(0, 1))

    dial = torch.addcmul(row("dial_light"), texture, part.ink, value=-1)
    rim = (radius2 - part.rim_start).mul_(part.rim_sharpness).clamp_(min=0).square_()
    dial.addcmul_(dial, rim, value=-1)
    hands = rows[:, ROWS["hour_along"] : ROWS["hour_along"] + 4].abs_().view(-1, 2, 2, size, size)
    hands = (part.hand_extent - hands).amin(2).add_(0.5).clamp_(0, 1)
    dial.lerp_(part.hour_light, hands[:, 0]).lerp_(part.minute_light, hands[:, 1])

    inside = (radius2 * -1).add_(1).mul_(part.dial_sharpness).add_(0.5).clamp_(0, 1)
    picture = wood.lerp_(dial, inside)
    # The product peaks on the one-pixel ramp between dial and frame, where light catches the rim.
    glint = torch.addcmul(inside, inside, inside, value=-1).mul_(row("glint").clamp_(min=0))
    picture.add_(glint)
    picture.view(-1).index_add_(0, (part.speck_index + _starts(picture)).view(-1), part.speck_light.reshape(-1))
    if reflections:
        _reflect(picture, inside, part, reflections)
    return picture


def _starts(picture: Tensor) -> Tensor:
    """Where each picture of a batch begins in its flat view, [B, 1]."""
    return torch.arange(picture.shape[0], device=picture.device)[:, None] * picture[0].numel()


def _reflect(picture: Tensor, inside: Tensor, part: Parameters, which: list[int]) -> None:
    """Mixes a lamp's reflection and its haze into some of the pictures, in place."""
    size = picture.shape[-1]
    steps = torch.arange(size, dtype=torch.float32, device=picture.device) / size
    white = picture.new_full((), _WHITE)
    for index in which:
        lamp_x, lamp_y, core, strength, haze_size, haze = part.lamp[index].unbind()
        distance2 = (steps - lamp_x).square() + (steps - lamp_y).square()[:, None]
        share = (distance2 * core).add_(1).square_().reciprocal_().mul_(strength).mul_(inside[index])
        share.add_((distance2.mul_(haze_size).add_(1).square_().reciprocal_()).mul_(haze))
        picture[index].lerp_(white, share.clamp_(max=1))


def _finish(picture: Tensor, part: Parameters, offsets: list[list[int]]) -> None:
    """Veil, blur or sharpening, edge lines, noise and the clamp to 0..255, in place on [B, S, S]."""
    size = picture.shape[-1]
    for lines in (picture, picture.transpose(1, 2)):
        middle = lines[..., 1:-1]
        around = lines[..., :-2] + lines[..., 2:]
        around.sub_(middle, alpha=2)
        middle.addcmul_(around, part.blur)
    for side, line in enumerate((picture[:, :, 0], picture[:, :, -1], picture[:, 0], picture[:, -1])):
        line.add_((_WHITE - line) * part.edges[:, side, None])
    tile = _noise_tile(size, picture.device)
    for index, (top, left) in enumerate(offsets):
        picture[index].addcmul_(tile[top : top + size, left : left + size], part.noise[index])
    # Half a grey level turns the conversion's truncation into rounding.
    picture.lerp_(picture.new_full((), _WHITE), part.veil).add_(0.5).clamp_(0, _WHITE)
