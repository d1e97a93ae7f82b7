"""Augmentation through which gradients flow (DiffAugment; Zhao et al., 2020, arXiv:2006.10738).

A GAN's discriminator sees real and drawn pictures only through it, so that it cannot learn the real ones by heart.
Draws come from torch's own generator, which a training step seeds.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

SHIFT, HOLE = 1 / 8, 1 / 2  # parts of the side


def flip(x: Tensor) -> Tensor:
    """Half of the pictures mirrored left-right."""
    mirrored = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5
    return torch.where(mirrored, x.flip(3), x)


def colour(x: Tensor) -> Tensor:
    """Brightness by up to half a unit either way; saturation times 0 to 2, contrast times 0.5 to 1.5."""
    bright, saturation, contrast = torch.rand(3, len(x), 1, 1, 1, device=x.device)
    x = x + bright - 0.5
    if x.shape[1] > 1:
        grey = x.mean(1, keepdim=True)
        x = grey + (x - grey) * 2 * saturation
    middle = x.mean((1, 2, 3), keepdim=True)
    return middle + (x - middle) * (contrast + 0.5)


def translation(x: Tensor) -> Tensor:
    """Shifts by up to an eighth of the side along both axes; what comes into view is 0, the middle grey."""
    count, channels, height, width = x.shape
    down, right = (_places(count, 2 * int(SHIFT * side) + 1, x) for side in (height, width))
    padded = F.pad(x, [int(SHIFT * width)] * 2 + [int(SHIFT * height)] * 2)
    rows = down[:, None] + torch.arange(height, device=x.device)
    columns = right[:, None] + torch.arange(width, device=x.device)
    samples, maps = (torch.arange(n, device=x.device) for n in (count, channels))
    return padded[samples[:, None, None, None], maps[:, None, None], rows[:, None, :, None], columns[:, None, None]]


def cutout(x: Tensor) -> Tensor:
    """A rectangle of half the side set to 0; its middle may lie anywhere."""
    count, _, height, width = x.shape
    inside = []
    for side in (height, width):
        middle = _places(count, side + 1, x)[:, None]
        inside.append((torch.arange(side, device=x.device) - middle + 0.5).abs() < HOLE * side / 2)
    return x * ~(inside[0][:, None, :, None] & inside[1][:, None, None, :])


def _places(count: int, among: int, x: Tensor) -> Tensor:
    return torch.randint(among, (count,), device=x.device)


CHANGES = {"flip": flip, "colour": colour, "translation": translation, "cutout": cutout}


def diff_augment(x: Tensor, names: Sequence[str]) -> Tensor:
    """Pictures [N, C, H, W] in -1 to 1 after the changes of these names, in this order."""
    for name in names:
        x = CHANGES[name](x)
    return x
