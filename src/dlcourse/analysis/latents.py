"""Paths through a latent space: between two points, and along its main directions."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

STEPS = 9  # of an interpolation or a traversal, both ends counted
WAYS = ("slerp", "lerp")
DIRECTIONS = 10  # traversed
ACTIVE = 0.01  # a unit of a latent is active if the variance of its mean over the data is larger (Burda et al., 2015)


def between(first: Tensor, last: Tensor, steps: int = STEPS, way: str = "slerp") -> Tensor:
    """Points [steps, L] from one latent [L] to another, both included.

    Args:
        first, last: the ends [L].
        steps: number of points.
        way: `lerp`, the straight line; or `slerp`, along the sphere (Shoemake, 1985; White, 2016, arXiv:1609.04468),
            where samples of N(0, 1) lie: the middle of a straight line is nearer to 0. The length changes linearly from
            that of the first end to that of the last.
    """
    share = torch.linspace(0, 1, steps)[:, None]
    straight = (1 - share) * first + share * last
    lengths = first.norm(), last.norm()
    if way == "lerp" or not min(lengths):
        return straight
    a, b = first / lengths[0], last / lengths[1]
    angle = torch.acos((a @ b).clamp(-1, 1))
    if angle.sin() < 1e-4:  # the same direction, or opposite ones, between which all great circles are equally long
        return straight
    turned = (((1 - share) * angle).sin() * a + (share * angle).sin() * b) / angle.sin()
    return turned * ((1 - share) * lengths[0] + share * lengths[1])


def directions(model: Any, images: Tensor, count: int = DIRECTIONS) -> tuple[Tensor, Tensor, Tensor, list[str]]:
    """The start of a traversal and its directions.

    With an encoder: the principal directions of the latents of images, starting from the latent of the first image.
    Of a conditional model only the active ones, because its condition may leave nothing to the latent.
    Without one: the directions that a generator's first layer stretches most (Shen and Zhou, 2020, arXiv:2007.06600),
    starting from a random latent. A traversal covers three standard deviations on both sides.

    Args:
        model: a `Generative`.
        images: stored images to encode.
        count: maximum number of directions.

    Returns:
        Start [L], directions [K, L], half the length of each traversal [K], names.
    """
    if hasattr(model.net, "encoder"):
        found = model.latents(images)
        noise = found[:, : model.noise_length]
        _, stretch, ways = torch.linalg.svd(noise - noise.mean(0), full_matrices=False)
        ways *= ways.gather(1, ways.abs().argmax(1, keepdim=True)).sign()  # which way is plus is not left to chance
        spread = stretch / max(1, len(found) - 1) ** 0.5
        count = min(count, len(spread))
        if model.conditional:
            count = min(count, int((spread**2 > ACTIVE).sum()))
        return found[0], _without_condition(model, ways[:count]), 3 * spread[:count], _numbered(count)
    net = model.net if model.average is None else model.average
    weight = net.stem.weight.detach().float().cpu()[:, : model.noise_length]
    ways = _without_condition(model, torch.linalg.svd(weight, full_matrices=False).Vh[:count])
    start = model.sample_latents(1, torch.Generator().manual_seed(model.seed))[0].cpu()
    return start, ways, torch.full((len(ways),), 3.0), _numbered(len(ways))


def _without_condition(model: Any, ways: Tensor) -> Tensor:
    """Directions [K, `noise_length`] as directions [K, L] that leave the condition as it is."""
    return pad(ways, (0, model.latent - model.noise_length))


def _numbered(count: int) -> list[str]:
    return [f"direction {i + 1}" for i in range(count)]
