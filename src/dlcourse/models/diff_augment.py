"""Differentiable augmentation (DiffAugment; Zhao et al., 2020, arXiv:2006.10738).

A GAN's discriminator sees only augmented real and generated images, which reduces overfitting to the real ones.
Random numbers come from torch's global generator, which each training step seeds.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

SHIFT, HOLE = 1 / 8, 1 / 2  # fractions of the side


def flip(x: Tensor) -> Tensor:
    """Mirror images left-right with probability 0.5."""
    mirrored = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5
    return torch.where(mirrored, x.flip(3), x)


def colour(x: Tensor) -> Tensor:
    """Shift brightness by -0.5 to 0.5; scale saturation by 0 to 2 and contrast by 0.5 to 1.5."""
    bright, saturation, contrast = torch.rand(3, len(x), 1, 1, 1, device=x.device)
    x = x + bright - 0.5
    if x.shape[1] > 1:
        grey = x.mean(1, keepdim=True)
        x = grey + (x - grey) * 2 * saturation
    middle = x.mean((1, 2, 3), keepdim=True)
    return middle + (x - middle) * (contrast + 0.5)


def translation(x: Tensor) -> Tensor:
    """Shift by up to an eighth of the side along both axes; uncovered pixels are 0, the middle grey."""
    count, channels, height, width = x.shape
    down, right = (_places(count, 2 * int(SHIFT * side) + 1, x) for side in (height, width))
    padded = F.pad(x, [int(SHIFT * width)] * 2 + [int(SHIFT * height)] * 2)
    rows = down[:, None] + torch.arange(height, device=x.device)
    columns = right[:, None] + torch.arange(width, device=x.device)
    samples, maps = (torch.arange(n, device=x.device) for n in (count, channels))
    return padded[samples[:, None, None, None], maps[:, None, None], rows[:, None, :, None], columns[:, None, None]]


def cutout(x: Tensor) -> Tensor:
    """Set a rectangle of half the side to 0; its centre may lie anywhere."""
    count, _, height, width = x.shape
    inside = []
    for side in (height, width):
        middle = _places(count, side + 1, x)[:, None]
        inside.append((torch.arange(side, device=x.device) - middle + 0.5).abs() < HOLE * side / 2)
    return x * ~(inside[0][:, None, :, None] & inside[1][:, None, None, :])


def _places(count: int, high: int, x: Tensor) -> Tensor:
    return torch.randint(high, (count,), device=x.device)


CHANGES = {"flip": flip, "colour": colour, "translation": translation, "cutout": cutout}


def diff_augment(x: Tensor, names: Sequence[str]) -> Tensor:
    """Apply the named augmentations in this order to images [N, C, H, W] in -1 to 1."""
    for name in names:
        x = CHANGES[name](x)
    return x
