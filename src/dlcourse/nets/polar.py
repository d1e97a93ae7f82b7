"""A net that unrolls a round object around its centre, so that a turn of the object is a shift of its features."""

from collections.abc import Sequence
from math import pi

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcourse.nets.layers import check_widths, picture_shape

INNER = 0.08  # smallest radius that is seen, in image sides


class CircularConv(nn.Module):
    """A convolution of features [N, C, radii, angles] whose angles form a circle, with batch norm and ReLU.

    Args:
        inner, outer: channels before and after.
        radii: side of the kernel along the radius, odd.
        step: distance of the kernel's three angles.
        residual: add the input.
    """

    def __init__(self, inner: int, outer: int, radii: int = 1, step: int = 1, residual: bool = True):
        super().__init__()
        self.conv = nn.Conv2d(inner, outer, (radii, 3), padding=(radii // 2, 0), dilation=(1, step), bias=False)
        self.norm = nn.BatchNorm2d(outer)
        self.step, self.residual = step, residual

    def forward(self, x: Tensor) -> Tensor:
        # F.pad's circular mode takes three times as long.
        closed = torch.cat([x[..., -self.step :], x, x[..., : self.step]], -1)
        found = F.relu(self.norm(self.conv(closed)), inplace=True)
        return x + found if self.residual else found


class PolarNet(nn.Module):
    """Reads something round whose turn in the image is unknown, such as a clock: sampled in polar coordinates.

    A turn of the object is a shift of the samples around the circle. Convolutions around it treat all angles alike.
    The net then weights the angles and correlates its features with these weights, circularly: a turn shifts both
    alike, so that the correlation, which a linear layer reads, stays the same. Polar sampling: Esteves et al., 2018
    (Polar Transformer Networks, arXiv:1709.01889); the rest of the layout is our own.

    Args:
        in_shape: channels, height, width of the images.
        outputs: sizes of the heads; the net has their sum as outputs.
        width: channels of the convolutions around the circle.
        steps: distance of the kernel's angles in each of them.
        first: channels of the two layers before them, which see radius and angle.
        read: channels of the features that are correlated and read.
        radii, angles: samples along the radius, a multiple of 8, and around the circle, a multiple of 4.
        centre: where the object's middle is expected: from the left and from the top, in image sides.
        reach: largest radius that is seen, in image sides.
        squeeze: height of the circle as it is seen / its width.

    Raises:
        ValueError: an argument is out of range, or does not fit the data.
    """

    extra_plots = ("polar",)
    grid: Tensor  # places of the samples in the image [1, radii, angles, 2], -1 to 1

    def __init__(
        self,
        in_shape: tuple[int, ...],
        outputs: Sequence[int],
        width: int = 128,
        steps: Sequence[int] = (1, 2, 4, 8),
        first: int = 32,
        read: int = 24,
        radii: int = 48,
        angles: int = 240,
        centre: Sequence[float] = (0.5, 0.5),
        reach: float = 0.6,
        squeeze: float = 1.0,
    ):
        super().__init__()
        channels, _, _ = picture_shape(in_shape)
        if radii % 8 or angles % 4 or min(radii, angles) < 8:
            raise ValueError(f"radii={radii} and angles={angles} must be multiples of 8 and 4")
        check_widths("model.net (width, first, read, steps)", (width, first, read, *steps))
        if isinstance(centre, str) or len(centre) != 2 or not all(isinstance(part, (int, float)) for part in centre):
            raise ValueError(f"centre={centre} is not a place in the image: use two numbers, such as [0.5,0.5]")
        columns = angles // 4
        if 2 * max(steps, default=1) > columns:
            raise ValueError(f"steps={list(steps)} reach further than the {columns} angles: use smaller ones")
        self.register_buffer("grid", _grid(radii, angles, centre, reach, squeeze), persistent=False)
        turn = torch.arange(columns) * (2 * pi / columns)
        seen = torch.stack([turn.sin(), turn.cos(), (2 * turn).sin(), (2 * turn).cos()])
        self.register_buffer("direction", seen[None, :, None], persistent=False)
        at = torch.arange(columns)  # column k has the index of each weight after a shift by k angles
        self.register_buffer("shifted", (at[:, None] - at) % columns, persistent=False)
        self.first = CircularConv(channels * 32, first, 3, residual=False)
        self.second = CircularConv(first, first, 3)
        self.flat = nn.Conv2d(first, width, (radii // 8, 1), bias=False)
        self.perspective = nn.Conv2d(4, width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.near = nn.Sequential(*(CircularConv(width, width, step=step) for step in steps[:2]))
        self.whole = nn.Linear(width, width)
        self.far = nn.Sequential(*(CircularConv(width, width, step=step) for step in steps[2:]))
        self.weigh = nn.Conv2d(width, 1, 1)
        self.read = nn.Conv2d(width, read, 1)
        self.head = nn.Linear(read * columns, sum(outputs))

    def unrolled(self, x: Tensor) -> Tensor:
        """Images [N, C, H, W] sampled around the centre [N, C, radii, angles], each with mean 0 and deviation 1."""
        # x.shape[0], not len(x): an export keeps the number of images variable.
        grid = self.grid.to(x.dtype).expand(x.shape[0], -1, -1, -1)
        x = F.grid_sample(x, grid, align_corners=False)
        deviation, mean = torch.std_mean(x, (1, 2, 3), keepdim=True)
        return (x - mean) / (deviation + 0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Scaled images [N, C, H, W] to [N, sum(outputs)]."""
        x = self.unrolled(x)
        count, channels, radii, angles = x.shape
        # Tiles of 8 radii and 4 angles as channels: a convolution over a single channel takes longer.
        x = x.view(count, channels, radii // 8, 8, angles // 4, 4).permute(0, 1, 3, 5, 2, 4).flatten(1, 3)
        x = self.second(self.first(x.contiguous(memory_format=torch.channels_last)))
        # The camera's perspective depends on the direction in the image, not on the object's turn.
        x = F.relu(self.norm(self.flat(x) + self.perspective(self.direction)), inplace=True)
        x = self.near(x)
        x = self.far(x + self.whole(x.mean((2, 3)))[:, :, None, None])
        # The outputs stay in float32: a step of bfloat16 is minutes wide if one number encodes the whole dial.
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(self.head.weight.dtype)
            weights = self.weigh(x).flatten(1).softmax(1)
            features = self.read(x).flatten(2)
            return self.head((features @ weights[:, self.shifted]).flatten(1))


def _grid(radii: int, angles: int, centre: Sequence[float], reach: float, squeeze: float) -> Tensor:
    """Places [1, radii, angles, 2] of the samples in the image, -1 to 1; the first angle is up, they go clockwise."""
    turn = torch.arange(angles) * (2 * pi / angles)
    radius = torch.linspace(INNER, reach, radii)[:, None]
    x, y = centre[0] + radius * turn.sin(), centre[1] - radius * squeeze * turn.cos()
    return torch.stack([2 * x - 1, 2 * y - 1], -1)[None]
