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
    """The Gaussian of features [N, D]; with one sample, or identical ones, the covariance is zero."""
    x = features.double()
    mean = x.mean(0)
    return Gaussian(mean, (x - mean).T @ (x - mean) / max(1, len(x) - 1))


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """Squared Frechet distance of two Gaussians (Heusel et al., 2017, arXiv:1706.08500).

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), the last trace from the eigenvalues of C1^(1/2) C2 C1^(1/2), which is
    symmetric. It is FID only in Inception's space. Its value falls with the number of samples: compare distances of
    equally many samples only.
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
    """Precision: share of generated images inside the real set. Recall: share of real images inside the generated set.

    An image is inside a set if it is nearer to one of its members than that member's k-th neighbour in the set
    (Kynkaanniemi et al., 2019, arXiv:1904.06991). Bad images lower precision, missing variety lowers recall.

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
    """Distance to the nearest of the members [M, D] and its index, for each of the points [N, D]."""
    found = [_distances(part, members).min(1) for part in points.split(500)]
    return torch.cat([f.values for f in found]), torch.cat([f.indices for f in found])


def _distances(a: Tensor, b: Tensor) -> Tensor:
    return torch.cdist(a.double(), b.double())


def compare(generated: Tensor, real: Tensor, real_gaussian: Gaussian) -> dict[str, float]:
    """All metrics of features [N, D] against the real ones [M, D], whose Gaussian is given.

    Kernel distance, precision and recall use the first N real features, the Frechet distance uses all. `variety` is the
    total variance divided by the real one: near 0, all images are alike.
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
