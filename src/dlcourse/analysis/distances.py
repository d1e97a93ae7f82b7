"""Distances between samples, votes of the nearest, and class centres: plain functions of tensors on any device."""

import torch
from torch import Tensor, nn

FEW = 1000  # points to which distances are found without the shortcut by a matrix product
ROWS = 8192  # points to which distances are found at once


def distances(points: Tensor, others: Tensor, dtype: torch.dtype) -> Tensor:
    """Euclidean distances [B, N] of points [B, D] to others [N, D], a few thousand of these at once."""
    points = points.to(dtype)
    # The faster way, a matrix product, subtracts large squares: float32 has too few digits for this, and a centre at
    # infinity gives NaN.
    quick = dtype == torch.float64 and len(others) > FEW
    mode = f"{'use' if quick else 'donot_use'}_mm_for_euclid_dist"
    if torch.compiler.is_exporting():
        return _exported_distances(points, others.to(dtype), quick)
    parts = [torch.cdist(points, part.to(dtype), compute_mode=mode) for part in others.split(ROWS)]
    return torch.cat(parts, 1)


def _exported_distances(points: Tensor, others: Tensor, quick: bool) -> Tensor:
    """As `distances`, from operators that ONNX has."""
    if not quick:
        return (points[:, None] - others[None]).square().sum(2).sqrt()
    square = points.square().sum(1, keepdim=True) + others.square().sum(1)[None] - 2 * points @ others.T
    return square.clamp_min(0).sqrt()


def votes(distance: Tensor, labels: Tensor, k: int, classes: int) -> Tensor:
    """Votes [B, K] of the k nearest, given distances [B, N] to samples with labels [N]."""
    farthest = distance.topk(k, dim=1, largest=False).values[:, -1:]
    chosen = distance <= farthest
    if (
        torch.compiler.is_exporting() or (chosen.sum(1) > k).any()
    ):  # samples as far as the farthest one: the first of them
        near, level = distance < farthest, distance == farthest
        chosen = near | (level & (level.cumsum(1) <= k - near.sum(1, keepdim=True)))
    return chosen.float() @ nn.functional.one_hot(labels, classes).float()


def class_centres(points: Tensor, labels: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    """Mean of each class [K, D] of points [N, D] with labels [N]; infinite where a class has none."""
    total = points.new_zeros(classes, points.shape[1], dtype=dtype)
    for part, of in zip(points.split(ROWS), labels.split(ROWS), strict=True):
        total.index_add_(0, of, part.to(dtype))
    # Not by bincount, for which a GPU waits to know the largest label.
    count = torch.zeros_like(total[:, :1], dtype=torch.int64).index_add_(0, labels, torch.ones_like(labels)[:, None])
    return torch.where(count > 0, total / count.clamp_min(1), torch.inf)


def centre_distances(centres: Tensor) -> Tensor:
    """Euclidean distances between class centres: [K, D] to [K, K]; NaN where a class has none."""
    known = centres.isfinite().all(1)
    return torch.where(known[:, None] & known[None], distances(centres, centres, centres.dtype), torch.nan)


def extreme_pairs(distance: Tensor) -> tuple[tuple[int, int, float], tuple[int, int, float]]:
    """The closest and the farthest two classes of [K, K], each with their distance; NaN where there are not two."""
    first, second = torch.triu_indices(len(distance), len(distance), 1)
    between = distance[first, second]
    known = between.isfinite().nonzero()[:, 0]
    if not len(known):
        return (0, 0, torch.nan), (0, 0, torch.nan)
    found = [known[between[known].argmin()], known[between[known].argmax()]]
    near, far = ((int(first[i]), int(second[i]), float(between[i])) for i in found)
    return near, far
