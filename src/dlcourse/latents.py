"""Ways through a latent: between two points, and along the directions that matter most."""

from typing import Any

import torch
from torch import Tensor

STEPS = 9  # of an interpolation or a traversal, both ends counted
WAYS = ("slerp", "lerp")
DIRECTIONS = 10  # traversed


def between(first: Tensor, last: Tensor, steps: int = STEPS, way: str = "slerp") -> Tensor:
    """Points [steps, L] from one latent [L] to another, both included.

    Args:
        first, last: the ends [L].
        steps: how many points.
        way: `lerp`, the straight line; or `slerp`, along the sphere (Shoemake, 1985; White, 2016, arXiv:1609.04468),
            where points drawn from N(0, 1) lie: halfway down the straight line is nearer to 0 than they are. The length
            goes evenly from the one's to the other's.

    """
    share = torch.linspace(0, 1, steps)[:, None]
    straight = (1 - share) * first + share * last
    lengths = first.norm(), last.norm()
    if way == "lerp" or not min(lengths):
        return straight
    a, b = first / lengths[0], last / lengths[1]
    angle = torch.acos((a @ b).clamp(-1, 1))
    if angle.sin() < 1e-4:  # the same direction, or opposite ones, between which no great circle is shortest
        return straight
    turned = (((1 - share) * angle).sin() * a + (share * angle).sin() * b) / angle.sin()
    return turned * ((1 - share) * lengths[0] + share * lengths[1])


def directions(model: Any, pictures: Tensor, count: int = DIRECTIONS) -> tuple[Tensor, Tensor, Tensor, list[str]]:
    """Where a traversal starts, and which ways it goes.

    With an encoder these are single latents, of which those come first that vary most over the pictures; from the mean
    three standard deviations either way. Without one they are the directions in which the generator's first layer
    stretches noise most (Shen and Zhou, 2020, arXiv:2007.06600), three either way from a drawn point.

    Args:
        model: a `Generative`.
        pictures: stored ones, whose latents are looked at.
        count: of directions, where there are as many.

    Returns:
        Start [L], directions [K, L], half the length of each way [K], names.
    """
    if hasattr(model.net, "encoder"):
        found = model.latents(pictures)
        spread = found.std(0) if len(found) > 1 else torch.ones(model.latent)
        order = spread.argsort(descending=True)[:count]
        # a VAE's latents are drawn with a standard deviation of 1, whatever part of that their means take
        span = torch.ones_like(spread[order]) if model.samples else spread[order]
        return found.mean(0), torch.eye(model.latent)[order], 3 * span, [f"latent {i}" for i in order.tolist()]
    net = model.net if model.average is None else model.average
    ways = torch.linalg.svd(net.stem.weight.detach().float().cpu(), full_matrices=False).Vh[:count]
    start = model.draws(1, torch.Generator().manual_seed(model.seed))[0].cpu()
    return start, ways, torch.full((len(ways),), 3.0), [f"direction {i + 1}" for i in range(len(ways))]
