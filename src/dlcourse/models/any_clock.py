"""The reader of any clock: finds a dial, looks closer, unrolls it and reads its hands."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcourse.clocks.dial import POSE, DialAngles, chunks, pyramid, radius, sample, seen_at, unrolled, window
from dlcourse.clocks.encodings import clock_text, confidence, minutes_of
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.clock import ClockReader
from dlcourse.models.dial_finder import best_poses, finder_loss
from dlcourse.nets.any_clock import ANGLES, LOOK, RADII, AnyClockNet

CLOSER = 1.6  # half the side of the second look in dial radii
LOOKS = 3
PHOTO = 640  # pixels a side of a user's photograph
MORE = ("minutes", "confidence", "turn", "pose", "runner_up")  # outputs for further clocks
AT_ONCE = 16  # images that are read together
NO_CLOCK = "no clock found"  # instead of a time
FOUND = 0.5  # smallest score of the finder that counts as a clock
WORTH_A_LOOK = 0.2  # smallest score of a further clock in the first look


class AnyClockReader(ClockReader):
    """Finds and reads any clock in images of any size.

    Args:
        task: description of the data, of kind `time`, in colour.
        net: makes an `AnyClockNet` from (in_shape, outputs).
        optimizer, schedule, seed: see `BaseModule`.
        jitter: size of the random pose errors in training; 1: about as large as those of the finder.
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
        self.most = 1  # clocks that are read in an image

    embeds = False  # the last clock that is read may be another one than the answer
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
        minutes, turn, pose = minutes_of(labels), labels[:, 2], labels[:, 3:]
        whole = F.interpolate(images, (LOOK, LOOK), mode="bilinear", antialias=True, align_corners=False)
        find = finder_loss(self.net.finder(_channels_last(whole) - 0.5), pose)
        here = (pose[:, 7] > 0) & (radius(pose) > 0.12)
        read = find.new_zeros(())  # as it stays if no image shows a clock
        if here.any():
            strip = unroll(pyramid(images[here]), self._jittered(pose[here]))
            answer = self.net.reader(_channels_last(strip)).flatten(1)
            read = self.encoding.angle_loss(answer, minutes[here], turn[here]).mean()
        self.note("find_loss", find)
        self.note("read_loss", read)
        return find + read

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
        """Images uint8 [N, H, W, 3] or grey [N, H, W] to [N, most * K]: the answers to each of their clocks.

        An answer has the reader's 3 * bins numbers and the pose.
        """
        found = []
        for part in chunks(inputs, AT_ONCE):
            levels = pyramid(_prepared(part))
            # shape, since torch.export takes len() of a tensor as a constant
            whole = torch.full((part.shape[0], 3), 0.5, device=part.device)
            dials = self._look(levels, whole[:, :2], whole[:, 2], self.most).unbind(1)
            pose = self._closer(levels, dials[0], dials[0][:, 7])
            answers, seen = [self._read(levels, pose)], [pose]
            for dial in dials[1:]:
                answer, pose = torch.zeros_like(answers[0]), torch.zeros_like(pose)
                if len(there := (dial[:, 7] > WORTH_A_LOOK).nonzero()[:, 0]):
                    some = [level[there] for level in levels]
                    # Small beside another clock: the closer looks alone decide whether it is one.
                    pose[there] = self._closer(some, dial[there], torch.ones_like(dial[there, 7]))
                    answer[there] = self._read(some, pose[there])
                again = torch.stack([_same_dial(pose, other) for other in seen]).any(0) | (pose[:, 7] < FOUND)
                answers.append(answer * ~again[:, None])
                seen.append(pose)
            found.append(torch.cat(answers, 1))
        return torch.cat(found)

    def _read(self, levels: list[Tensor], pose: Tensor) -> Tensor:
        read = self.net.reader(_channels_last(unroll(levels, pose))).flatten(1)
        return torch.cat([read, pose], 1)

    def _look(self, levels: list[Tensor], centre: Tensor, half: Tensor, count: int = 1) -> Tensor:
        """The dials that the finder sees in a square: poses [N, count, POSE]; the last number is the score, 0 to 1.

        Args:
            levels: of the images.
            centre: of the square [N, 2], in image sides.
            half: half its side [N].
            count: dials at the most.
        """
        look = sample(levels, window(centre, half, LOOK), half * (2 / LOOK))
        seen = best_poses(self.net.finder(_channels_last(look) - 0.5), count)
        scale = 2 * half[:, None, None]
        moved = centre[:, None] + (seen[..., :2] - 0.5) * scale
        return torch.cat([moved, seen[..., 2:5] * scale, seen[..., 5:]], 2)

    def _closer(self, levels: list[Tensor], pose: Tensor, score: Tensor) -> Tensor:
        """Poses [N, POSE] after closer looks, with the lowest of a score [N] and theirs."""
        for _ in range(LOOKS - 1):
            pose = self._look(levels, pose[:, :2], (CLOSER * radius(pose)).clamp(0.02, 0.7))[:, 0]
            score = torch.minimum(score, pose[:, 7])
        return torch.cat([pose[:, :7], score[:, None]], 1)

    def loss(self, output: Tensor, labels: Tensor) -> Tensor:
        """Negative log probability of the true times."""
        return super().loss(output[:, : self.angles], labels[:, :2].long())

    def predictions(self, output: Tensor) -> dict[str, Tensor]:
        """The clock with the highest score: `minutes` [N], `probabilities` [N, 720], `runner_up` [N], `pose` [N, POSE],
        degrees of twelve `turn` [N]; with `most` above 1, further ones as `more_minutes` and so on, [N, most - 1, ...].
        """
        first, *others = (self._reading(answer) for answer in output.chunk(self.most, 1))
        return first | {f"more_{name}": torch.stack([o[name] for o in others], 1) for name in MORE if others}

    def _reading(self, answer: Tensor) -> dict[str, Tensor]:
        read, pose = answer.split([self.angles, POSE], 1)
        chances = self.encoding.probabilities(read)
        minutes = chances.argmax(1).float()
        sure, runner_up = confidence(chances.cpu(), minutes.cpu())
        turn = self.encoding.turn(read, minutes)
        named = {"minutes": minutes, "probabilities": chances, "runner_up": runner_up.float(), "confidence": sure}
        return named | {"turn": turn, "pose": pose}

    def format_predictions(self, answers: dict[str, Tensor]) -> list[dict[str, Any]]:
        """Time, confidence and runner-up; `no clock found` instead of a time where the finder is unsure.

        `others` has the times of further clocks, if an image has several.
        """
        rows = super().format_predictions(answers)
        for row, pose in zip(rows, answers["pose"].tolist(), strict=True):
            if pose[7] < FOUND:
                row |= {"time": NO_CLOCK, "confidence": "", "runner_up": ""}
        if "more_pose" in answers and (there := answers["more_pose"][..., 7] >= FOUND).any():
            for i, row in enumerate(rows):
                more = zip(answers["more_minutes"][i], answers["more_confidence"][i], there[i], strict=True)
                row["others"] = ", ".join(f"{clock_text(t.item())} ({sure:.0%})" for t, sure, is_one in more if is_one)
        return rows


def _same_dial(pose: Tensor, other: Tensor) -> Tensor:
    """Whether the centre of one dial lies within the other [N], for poses [N, POSE]."""
    return (pose[:, :2] - other[:, :2]).norm(dim=1) < torch.maximum(radius(pose), radius(other))


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
