"""Two small nets that read any clock: one finds the dial, the other reads it unrolled around its centre."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LOOK = 96  # pixels a side of what the finder sees
CELLS = 12  # a side of its map of places
POSE_OUTPUTS = 7  # numbers for a dial in a cell
ANGLES, RADII = 240, 32  # pixels of an unrolled dial
BINS = 120  # of an angle in the reader's answer, 3 degrees each


def _block(inner: int, width: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inner, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
    )


class Finder(nn.Module):
    """Where a dial's centre is and how it lies: images [N, 3, LOOK, LOOK] to [N, 1 + POSE_OUTPUTS, CELLS, CELLS].

    The first number of a cell is the logit of a centre there, the others the dial's pose.
    """

    def __init__(self, widths: Sequence[int] = (32, 64, 96)):
        super().__init__()
        first, second, third = widths
        self.stem = _block(48, first)
        self.fine = nn.Sequential(_block(first, second, stride=2), _block(second, second))
        self.coarse = nn.Sequential(_block(second, third, stride=2), _block(third, third), _block(third, third))
        self.whole = nn.Linear(third, second)  # of the whole image, for every cell
        self.down = nn.Conv2d(third, second, 1)
        self.last = _block(second, second)
        self.head = nn.Conv2d(second, 1 + POSE_OUTPUTS, 1)
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.fine(self.stem(F.pixel_unshuffle(x, 4)))
        coarse = self.coarse(fine)
        wide = F.interpolate(self.down(coarse), scale_factor=2.0) + self.whole(coarse.mean((2, 3)))[:, :, None, None]
        return self.head(self.last(F.relu(fine + wide)))


class CircularResidual(nn.Module):
    """A convolution around the dial with a shortcut: [N, C, BINS], of which the ends meet."""

    def __init__(self, width: int, step: int):
        super().__init__()
        self.conv = nn.Conv1d(width, width, 5, padding=2 * step, dilation=step, padding_mode="circular", bias=False)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, x: Tensor) -> Tensor:
        return x + F.relu(self.norm(self.conv(x)))


class DialReader(nn.Module):
    """Where twelve, the hour hand and the minute hand point: unrolled dials [N, 3, RADII, ANGLES] to [N, 3, BINS].

    Everything but the sine and cosine of the angle, which say where up is, treats all angles alike: a hand seen at one
    angle is known at all of them.
    """

    def __init__(self, width: int = 96, steps: Sequence[int] = (1, 2, 4, 8, 1)):
        super().__init__()
        self.stem = nn.Conv2d(3, 24, (4, 6), (4, 2), bias=False)
        self.norm = nn.BatchNorm2d(24)
        self.second = nn.Conv2d(24, 32, 3, (2, 1), (1, 0), bias=False)
        self.norm2 = nn.BatchNorm2d(32)
        self.flat = nn.Conv1d(32 * RADII // 8, width, 1, bias=False)
        self.norm3 = nn.BatchNorm1d(width)
        angle = torch.arange(BINS) * (2 * torch.pi / BINS)
        self.register_buffer("up", torch.stack([angle.sin(), angle.cos()])[None], persistent=False)
        self.prior = nn.Conv1d(2, width, 1, bias=False)
        self.around = nn.Sequential(*(CircularResidual(width, step) for step in steps))
        self.whole = nn.Linear(width, width)
        self.head = nn.Conv1d(width, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        deviation, mean = torch.std_mean(x, (1, 2, 3), keepdim=True)
        x = (x - mean) / (deviation + 0.02)
        x = F.relu(self.norm(self.stem(F.pad(x, (2, 2, 0, 0), mode="circular"))), inplace=True)
        x = F.relu(self.norm2(self.second(F.pad(x, (1, 1, 0, 0), mode="circular"))), inplace=True)
        x = F.relu(self.norm3(self.flat(x.flatten(1, 2)) + self.prior(self.up)))
        for number, block in enumerate(self.around):
            x = block(x)
            if number == 2:  # what all of the dial says: where its numerals are, how its hands look
                x = x + self.whole(x.mean(2))[:, :, None]
        return self.head(x)


class AnyClockNet(nn.Module):
    """Both nets.

    Args:
        in_shape: of the images, in colour; the nets resample them.
        outputs: sizes of the reader's answers, three of BINS.
        finder: channels of the finder's three stages.
        reader: channels of the reader.

    Raises:
        ValueError: an argument is out of range, or does not fit the data.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        outputs: Sequence[int],
        finder: Sequence[int] = (32, 64, 96),
        reader: int = 96,
    ):
        super().__init__()
        if in_shape[0] != 3 or tuple(outputs) != (BINS,) * 3:
            raise ValueError("this net reads clocks in colour: use data=clocks data/scene=any")
        self.finder, self.reader = Finder(finder), DialReader(reader)
