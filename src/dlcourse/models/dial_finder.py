"""What the finder of dials answers: its loss, and the poses of the dials in its map."""

import torch
import torch.nn.functional as F
from torch import Tensor

from dlcourse.clocks.dial import radius
from dlcourse.nets.any_clock import CELLS, POSE_OUTPUTS

USUAL_RADIUS = 0.3  # image sides: a dial of this radius has size 0 in the finder's answer


def finder_loss(answer: Tensor, pose: Tensor) -> Tensor:
    """Loss of the finder's map [N, 1 + POSE_OUTPUTS, CELLS, CELLS] against poses [N, POSE].

    A focal loss of the places (CenterNet, Zhou et al., 2019, arXiv:1904.07850), and the absolute errors of the pose in
    the cells next to the centre.
    """
    cells = (torch.arange(CELLS, device=pose.device) + 0.5) / CELLS
    dx = (pose[:, 0, None, None] - cells) * CELLS
    dy = (pose[:, 1, None, None] - cells[:, None]) * CELLS
    away = dx.square() + dy.square()
    heat = torch.exp(-away / 1.2) * pose[:, 7, None, None]
    logit = answer[:, 0]
    hit = ((away < 0.51) & (pose[:, 7, None, None] > 0)).float()
    log_p, log_q = F.logsigmoid(logit), F.logsigmoid(-logit)
    p = logit.sigmoid()
    places = -(hit * (1 - p).square() * log_p + (1 - hit) * (1 - heat).pow(4) * p.square() * log_q).sum((1, 2))
    near = ((away < 2) & (pose[:, 7, None, None] > 0)).float()
    target = torch.stack(
        [dx.expand_as(away), dy.expand_as(away), *(v[:, None, None].expand_as(away) for v in encoded(pose))], 1
    )
    error = F.smooth_l1_loss(answer[:, 1:], target, reduction="none", beta=0.1)
    poses = (error * near[:, None]).sum() / near.sum().clamp_min(1)
    return places.mean() + 2 * poses


def encoded(pose: Tensor) -> list[Tensor]:
    """Size, two numbers of the squeeze and two of the bend, each [N], of poses [N, POSE]."""
    size = radius(pose)
    # shape = size * exp([[a, b], [b, -a]]), whose eigenvalues are size * exp(+-m)
    mean = (pose[:, 2] + pose[:, 4]) / (2 * size)
    m = torch.acosh(mean.clamp_min(1 + 1e-6))
    ratio = m / torch.sinh(m)
    a, b = (pose[:, 2] - pose[:, 4]) / (2 * size) * ratio, pose[:, 3] / size * ratio
    return [(size / USUAL_RADIUS).log(), 3 * a, 3 * b, 5 * pose[:, 5], 5 * pose[:, 6]]


def best_poses(answer: Tensor, count: int = 1) -> Tensor:
    """The dials in the finder's map [N, 1 + POSE_OUTPUTS, CELLS, CELLS]: poses relative to the image that it saw.

    Args:
        answer: the map.
        count: dials at the most.

    Returns:
        [N, count, POSE], by falling score. A dial is a cell with a higher score than its neighbours; where there are
        fewer, the score is 0.
    """
    scores = answer[:, 0].sigmoid()
    if count > 1:
        scores = scores * (F.max_pool2d(scores[:, None], 3, 1, 1)[:, 0] == scores)
    score, cell = scores.flatten(1).topk(count, 1)
    chosen = answer[:, 1:].flatten(2).gather(2, cell[:, None].expand(-1, POSE_OUTPUTS, -1))
    dx, dy, size, a, b, bend_x, bend_y = chosen.unbind(1)
    size = USUAL_RADIUS * size.clamp(-4.0, 1.5).exp()
    a, b = a / 3, b / 3
    m = (a.square() + b.square()).sqrt().clamp(1e-4, 1.2)
    straight, ratio = size * torch.cosh(m), size * torch.sinh(m) / m
    x, y = (cell % CELLS + 0.5 + dx) / CELLS, (cell // CELLS + 0.5 + dy) / CELLS
    return torch.stack([x, y, straight + ratio * a, ratio * b, straight - ratio * a, bend_x / 5, bend_y / 5, score], 2)
