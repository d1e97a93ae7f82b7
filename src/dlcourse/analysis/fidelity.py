"""Similarity of two sets of images, from their features in a named space (see feature_spaces.py)."""

from typing import NamedTuple

import torch
from torch import Tensor

NEIGHBOURS = 3  # of an image, that mark out the region around it


class Gaussian(NamedTuple):
    """Mean [D] and covariance [D, D], float64."""

    mean: Tensor
    covariance: Tensor


def gaussian(features: Tensor) -> Gaussian:
    """The Gaussian of features [N, D]; of one sample, or of all alike, the covariance is zero."""
    x = features.double()
    mean = x.mean(0)
    return Gaussian(mean, (x - mean).T @ (x - mean) / max(1, len(x) - 1))


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """Squared Frechet distance of two Gaussians (Heusel et al., 2017, arXiv:1706.08500).

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), the last trace from the eigenvalues of C1^(1/2) C2 C1^(1/2), which
    is symmetric. It is FID only in Inception's space; its value falls with the number of samples, so that only
    distances of equally many can be compared.
    """
    values, vectors = torch.linalg.eigh(first.covariance)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T
    shared = torch.linalg.eigvalsh(root @ second.covariance @ root).clamp_min(0).sqrt().sum()
    means = (first.mean - second.mean).square().sum()
    traces = first.covariance.trace() + second.covariance.trace()
    return (means + traces - 2 * shared).clamp_min(0).item()


def kernel_distance(first: Tensor, second: Tensor) -> float:
    """Kernel distance KID (Binkowski et al., 2018, arXiv:1801.01401) of features [N, D] and [M, D].

    The unbiased squared mean discrepancy of the kernel (x.y / D + 1)^3 over all pairs, so it may fall below zero.
    """
    a, b = first.double(), second.double()

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x @ y.T / x.shape[1] + 1) ** 3

    def among(x: Tensor) -> Tensor:
        values = kernel(x, x)
        return (values.sum() - values.trace()) / (len(x) * (len(x) - 1))

    return (among(a) + among(b) - 2 * kernel(a, b).mean()).item()


def precision_recall(real: Tensor, generated: Tensor, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """Shares of generated images among the real ones, and of real ones among the generated.

    An image is among a set if it is nearer to one of its members than that one's k-th neighbour in the set
    (Kynkaanniemi et al., 2019, arXiv:1904.06991). The first falls with bad images, the second with missing variety.

    Args:
        real, generated: features [N, D], about equally many of each.
        neighbours: k.
    """
    return _within(generated, real, neighbours), _within(real, generated, neighbours)


def _within(points: Tensor, members: Tensor, neighbours: int) -> float:
    k = min(neighbours, len(members) - 1)
    radius = _distances(members, members).kthvalue(k + 1, dim=1).values  # the nearest is the member itself
    return (_distances(points, members) <= radius).any(1).double().mean().item()


def nearest(points: Tensor, members: Tensor) -> tuple[Tensor, Tensor]:
    """Distance to, and number of, the nearest of the members [M, D] for each of the points [N, D]."""
    found = [_distances(part, members).min(1) for part in points.split(500)]
    return torch.cat([f.values for f in found]), torch.cat([f.indices for f in found])


def _distances(a: Tensor, b: Tensor) -> Tensor:
    return torch.cdist(a.double(), b.double())


def compare(generated: Tensor, real: Tensor, real_gaussian: Gaussian) -> dict[str, float]:
    """All figures of one set of features [N, D] against the real ones [M, D], whose Gaussian is given.

    The kernel distance, precision and recall are of the first N real ones, the Frechet distance is of all. `variety` is
    the total variance as a multiple of the real one: near 0, images are all alike.
    """
    alike, ours = real[: len(generated)], gaussian(generated)
    precision, recall = precision_recall(alike, generated)
    return {
        "frechet_distance": frechet_distance(ours, real_gaussian),
        "kid": kernel_distance(generated, alike),
        "precision": precision,
        "recall": recall,
        "variety": (ours.covariance.trace() / real_gaussian.covariance.trace()).item(),
    }
