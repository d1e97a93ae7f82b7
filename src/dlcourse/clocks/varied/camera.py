"""Light, lens and sensor of varied clocks: what happens to an image after its objects are drawn."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.clocks.scene import Scene
from dlcourse.clocks.varied.scene import pose

REFERENCE = 128  # pixels that blur is given for
TAPS = 7
NOISE_ROOM = 64  # rows and columns by which the noise is larger than an image
# Quantization of luminance in the JPEG standard (ITU T.81, table K.1).
JPEG = torch.tensor(
    [
        [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56], [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99],
    ]
) / 255.0  # fmt: skip


def light(picture: Tensor, scene: Scene) -> Tensor:
    """Hard shadow, reflection in the glass, exposure and haze; in place on [B, 3, S, S]."""
    size = picture.shape[-1]
    steps = (torch.arange(size, device=picture.device) + 0.5) / size
    if (scene.shade > 0).any():
        turn = torch.deg2rad(scene.shade_angle)
        side = (turn.sin()[:, None] * (steps - 0.5))[:, None, :] - (turn.cos()[:, None] * (steps - 0.5))[:, :, None]
        dark = ((side - scene.shade_place[:, None, None]) * size / 3).clamp_(0, 1).mul_(scene.shade[:, None, None])
        picture.mul_(1 - dark[:, None])
    if (scene.glare > 0).any():
        place = pose(scene)
        zoom = scene.zoom / (1 + scene.far)
        x, y = place.centre[:, 0] + zoom * scene.glare_x, place.centre[:, 1] + zoom * scene.glare_y
        dx, dy = (steps - x[:, None])[:, None, :], (steps - y[:, None])[:, :, None]
        size_ = (zoom * scene.glare_size).square()[:, None, None]
        share = scene.glare[:, None, None] / ((dx.square() + dy.square()) / size_ + 1).square()
        picture.lerp_(picture.new_ones(()), share[:, None])
    gain = scene.exposure * (1 - scene.dark)
    return picture.mul_((gain * (1 - scene.haze))[:, None, None, None]).add_(
        (gain * scene.haze * 0.6)[:, None, None, None]
    )


def blur(picture: Tensor, scene: Scene) -> Tensor:
    """Defocus and motion as one Gaussian kernel an image, for those that have any; in place."""
    blurred = ((scene.blur > 0) | (scene.motion > 0)).nonzero()[:, 0]
    if not len(blurred):
        return picture
    scale = picture.shape[-1] / REFERENCE
    across = (scene.blur[blurred] * scale).clamp_min(0.2)
    along = torch.hypot(across, scene.motion[blurred] * scale)
    turn = torch.deg2rad(scene.motion_angle[blurred])[:, None, None]
    steps = torch.arange(TAPS, device=picture.device).float() - TAPS // 2
    y, x = steps[:, None], steps[None]
    first, second = x * turn.cos() + y * turn.sin(), y * turn.cos() - x * turn.sin()
    kernel = torch.exp(-0.5 * ((first / along[:, None, None]).square() + (second / across[:, None, None]).square()))
    kernel = (kernel / kernel.sum((1, 2), keepdim=True))[:, None]
    part = picture[blurred].transpose(0, 1)
    padded = functional.pad(part, (TAPS // 2,) * 4, mode="replicate")
    found = functional.conv2d(padded, kernel, groups=len(blurred))
    picture[blurred] = found.transpose(0, 1)
    return picture


def dct() -> Tensor:
    """The basis of the discrete cosine transform of 8 values [8, 8], frequencies in rows."""
    k = torch.arange(8).float()
    basis = torch.cos((k + 0.5) * k[:, None] * (torch.pi / 8)) / 2
    basis[0] = 8**-0.5
    return basis


def compress(picture: Tensor, scene: Scene) -> Tensor:
    """What JPEG's quantization does to blocks of 8 pixels, for those images that have any; in place."""
    packed = (scene.jpeg > 0).nonzero()[:, 0]
    side = picture.shape[-1] // 8 * 8
    if not len(packed) or not side:
        return picture
    basis = dct().to(picture.device)
    table = JPEG.to(picture.device) * scene.jpeg[packed][:, None, None, None, None, None]
    blocks = picture[packed, :, :side, :side].unflatten(2, (-1, 8)).unflatten(4, (-1, 8)).transpose(3, 4)
    table = table.view(-1, 1, 1, 1, 8, 8)
    levels = ((basis @ blocks @ basis.T) / table).round_().mul_(table)
    picture[packed, :, :side, :side] = (basis.T @ levels @ basis).transpose(3, 4).flatten(4).flatten(2, 3)
    return picture
