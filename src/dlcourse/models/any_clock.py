"""The reader of any clock: finds a dial, looks closer, unrolls it and reads its hands."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcourse.clocks.dial import POSE, DialAngles, chunks, pyramid, radius, sample, seen_at, unrolled, window
from dlcourse.clocks.encodings import confidence
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.clock import ClockReader
from dlcourse.nets.any_clock import ANGLES, CELLS, LOOK, RADII, AnyClockNet

USUAL_RADIUS = 0.3  # image sides: a dial of this radius has size 0 in the finder's answer
CLOSER = 1.6  # half the side of the second look in dial radii
LOOKS = 3
PHOTO = 640  # pixels a side of a user's photograph
AT_ONCE = 16  # images that are read together
SECOND_VIEW = 1.15  # half the side of what the second reader sees in dial radii
FOUND = 0.5  # smallest score of the finder that counts as a clock


class AnyClockReader(ClockReader):
    """Finds and reads any clock in images of any size.

    Args:
        task: description of the data, of kind `time`, in colour.
        net: makes an `AnyClockNet` from (in_shape, outputs).
        optimizer, schedule, seed: see `BaseModule`.
        jitter: spread of the errors of a pose that the reader is trained with, in parts of those that the finder makes.
        grey: share of the training images that lose their colours.
    """

    def __init__(
        self,
        task: Task,
        net: Callable[..., nn.Module],
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Callable[..., dict[str, Any]],
        seed: int = 0,
        jitter: float = 1.0,
        grey: float = 0.25,
    ):
        super().__init__(task, net, DialAngles(), optimizer, schedule, seed)
        self.angles = sum(self.encoding.outputs)
        self.jitter, self.grey = jitter, grey
        self.second: ClockReader | None = None  # a reader of the course's clock, which is also run

    extra_plots = ("any_clock",)
    net: AnyClockNet
    encoding: DialAngles

    # Training: both nets on the same images, with what the renderer says about them --------------------------------

    def training_loss(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Both nets' losses on images uint8 [N, S, S, 3].

        Args:
            inputs: the images.
            labels: float [N, 3 + POSE]: hour, minute, degrees of twelve, and the pose; its last number is 0 for an
                image without a clock.
        """
        if labels.shape[1] < 3 + POSE:
            raise UserError("this model learns from the dial's pose as well: add data.pose=true data/scene=any")
        images = _prepared(inputs)
        pale = torch.rand(len(images), 1, 1, 1, device=images.device) < self.grey
        images = torch.where(pale, images.mean(1, keepdim=True), images)
        minutes, turn, pose = labels[:, 0] * 60 + labels[:, 1], labels[:, 2], labels[:, 3:]
        whole = F.interpolate(images, (LOOK, LOOK), mode="bilinear", antialias=True, align_corners=False)
        find = finder_loss(self.net.finder(_channels_last(whole) - 0.5), pose)
        here = (pose[:, 7] > 0) & (radius(pose) > 0.12)
        guess = self._jittered(pose[here])
        strip = unroll(pyramid(images[here]), guess)
        read = self.encoding.angle_loss(self.net.reader(_channels_last(strip)).flatten(1), minutes[here], turn[here])
        self.note("find_loss", find)
        self.note("read_loss", read.mean())
        return find + read.mean()

    def _jittered(self, pose: Tensor) -> Tensor:
        """Poses with errors as the finder makes them."""
        size, noise = radius(pose)[:, None], torch.randn_like(pose) * self.jitter
        noise = noise * torch.rand(len(pose), 1, device=pose.device) * 2
        scale = 1 + 0.05 * noise[:, 7:]
        moved = pose[:, :2] + 0.025 * noise[:, :2] * size
        return torch.cat(
            [moved, pose[:, 2:5] * scale + 0.025 * noise[:, 2:5] * size, pose[:, 5:7] + 0.02 * noise[:, 5:7]], 1
        )

    @property
    def photo_task(self) -> Task:
        """Photographs of a user are stored larger than training images, since the clock may be a small part of them."""
        return replace(self.task, in_shape=(3, PHOTO, PHOTO), pad=True)

    # Reading ---------------------------------------------------------------------------------------------------------

    def forward(self, inputs: Tensor) -> Tensor:
        """Images uint8 [N, H, W, 3] or grey [N, H, W] to the reader's answers and the pose [N, 3 * bins + POSE]."""
        found = []
        for part in chunks(inputs, AT_ONCE):
            levels = pyramid(_prepared(part))
            pose = self.find(levels)
            read = self.net.reader(_channels_last(unroll(levels, pose))).flatten(1)
            found.append(torch.cat([read, pose, *self._second_opinion(levels, pose)], 1))
        return torch.cat(found)

    def _second_opinion(self, levels: list[Tensor], pose: Tensor) -> list[Tensor]:
        """Probabilities of the 720 times [N, 720] by `second`, which sees the found dial as in its training."""
        if self.second is None:
            return []
        side = self.second.task.in_shape[1]
        half = radius(pose) * SECOND_VIEW
        seen = sample(levels, window(pose[:, :2], half, side), half * (2 / side))
        grey = (seen * torch.tensor([76.245, 149.685, 29.07], device=seen.device)[:, None, None]).sum(1)
        return [self.second.predictions(self.second(grey))["probabilities"]]

    def find(self, levels: list[Tensor]) -> Tensor:
        """The dial of each image with the highest score: poses [N, POSE]; the last number is the score, 0 to 1."""
        count, device = levels[0].shape[0], levels[0].device
        centre, half = torch.full((count, 2), 0.5, device=device), torch.full((count,), 0.5, device=device)
        score = torch.ones(count, device=device)
        pose = torch.zeros(count, POSE, device=device)
        for number in range(LOOKS):
            look = sample(levels, window(centre, half, LOOK), half * (2 / LOOK))
            seen = best_pose(self.net.finder(_channels_last(look) - 0.5))
            score = torch.minimum(score, seen[:, 7]) if number else seen[:, 7]
            scale = 2 * half[:, None]
            pose = torch.cat(
                [centre + (seen[:, :2] - 0.5) * scale, seen[:, 2:5] * scale, seen[:, 5:7], score[:, None]], 1
            )
            centre, half = pose[:, :2], (CLOSER * radius(pose)).clamp(0.02, 0.7)
        return pose

    def loss(self, output: Tensor, labels: Tensor) -> Tensor:
        """Negative log probability of the true times."""
        return super().loss(output[:, : self.angles], labels[:, :2].long())

    def predictions(self, output: Tensor) -> dict[str, Tensor]:
        """`minutes` [N], `probabilities` [N, 720], `runner_up` [N], `pose` [N, POSE], degrees of twelve `turn`."""
        read, pose, second = output.split([self.angles, POSE, output.shape[1] - self.angles - POSE], 1)
        chances = self.encoding.probabilities(read)
        if second.shape[1]:
            sure, other = (confidence(p.cpu(), p.argmax(1).float().cpu())[0] for p in (chances, second))
            chances = torch.where((other > sure)[:, None].to(chances.device), second, chances)
        minutes = chances.argmax(1).float()
        runner_up = confidence(chances.cpu(), minutes.cpu())[1].float()
        turn = self.encoding.turn(read, minutes)
        return {"minutes": minutes, "probabilities": chances, "runner_up": runner_up, "turn": turn, "pose": pose}

    def format_predictions(self, answers: dict[str, Tensor]) -> list[dict[str, Any]]:
        """Time, confidence and runner-up; `no clock found` instead of a time where the finder is unsure."""
        rows = super().format_predictions(answers)
        for row, pose in zip(rows, answers["pose"].tolist(), strict=True):
            if pose[7] < FOUND:
                row |= {"time": "no clock found", "confidence": "", "runner_up": ""}
        return rows


def unroll(levels: list[Tensor], pose: Tensor) -> Tensor:
    """Dials unrolled around their centres [N, 3, RADII, ANGLES]."""
    step = radius(pose) * (2 * torch.pi * 0.6 / ANGLES)
    return sample(levels, seen_at(pose, unrolled(ANGLES, RADII, pose.device)), step)


def _prepared(inputs: Tensor) -> Tensor:
    """Stored images as float 0 to 1 [N, 3, S, S]; those that are not square get their edges repeated."""
    x = inputs[:, None].expand(-1, 3, -1, -1) if inputs.ndim == 3 else inputs.permute(0, 3, 1, 2)
    x = x.float() / 255
    high, wide = x.shape[2:]
    if high != wide:
        above, left = (max(high, wide) - high) // 2, (max(high, wide) - wide) // 2
        pads = (left, max(high, wide) - wide - left, above, max(high, wide) - high - above)
        x = F.pad(x, pads, mode="replicate")
    return x


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def finder_loss(answer: Tensor, pose: Tensor) -> Tensor:
    """Loss of the finder's map [N, 1 + 7, CELLS, CELLS] against poses [N, POSE].

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


def best_pose(answer: Tensor) -> Tensor:
    """Poses [N, POSE] of the cells with the highest scores in the finder's map, relative to the image that it saw."""
    score, cell = answer[:, 0].flatten(1).sigmoid().max(1)
    dx, dy, size, a, b, bend_x, bend_y = (
        answer[:, 1:].flatten(2).gather(2, cell[:, None, None].expand(-1, 7, 1))[..., 0].unbind(1)
    )
    size = USUAL_RADIUS * size.clamp(-4.0, 1.5).exp()
    a, b = a / 3, b / 3
    m = (a.square() + b.square()).sqrt().clamp(1e-4, 1.2)
    straight, ratio = size * torch.cosh(m), size * torch.sinh(m) / m
    x, y = (cell % CELLS + 0.5 + dx) / CELLS, (cell // CELLS + 0.5 + dy) / CELLS
    return torch.stack([x, y, straight + ratio * a, ratio * b, straight - ratio * a, bend_x / 5, bend_y / 5, score], 1)
