"""A small residual net with pre-activation blocks (He et al., 2016, arXiv:1603.05027)."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from dlcourse.nets.layers import GlobalAverage, Head, check_widths, padding, picture_shape


class Block(nn.Module):
    """Two 3x3 convolutions with dropout between them, and a shortcut.

    [N, inner, H, W] to [N, width, H / stride, W / stride].
    """

    def __init__(self, inner: int, width: int, stride: int, dropout: float = 0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.norm1 = nn.BatchNorm2d(inner)
        self.conv1 = nn.Conv2d(inner, width, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.stride = stride
        self.shortcut = nn.Conv2d(inner, width, 1, bias=False) if stride > 1 or inner != width else None

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(x), inplace=True)
        # Slicing replaces the stride of the 1x1 convolution: with a stride and fewer than 8 input channels, oneDNN in
        # torch 2.15 writes past its buffers on CPUs without AVX-512 (heap corruption).
        shortcut = x if self.shortcut is None else self.shortcut(y[:, :, :: self.stride, :: self.stride])
        return shortcut + self.conv2(self.dropout(F.relu(self.norm2(self.conv1(y)), inplace=True)))


class ResNet(nn.Module):
    """Residual stages, each with half the side of the one before, global average pooling and a linear layer.

    Args:
        in_shape: channels, height, width of the images.
        outputs: sizes of the heads; the net has their sum as outputs.
        widths: channels of each stage.
        blocks: residual blocks of each stage.
        patch: side of the squares of pixels that become channels before the first convolution: the factor by which the
            first stage is smaller than the image. A convolution of 16 channels takes half the time of a large strided
            kernel over a single channel.

    Raises:
        ValueError: an argument is out of range, or does not fit the data.
    """

    def __init__(
        self,
        in_shape: tuple[int, int, int],
        outputs: Sequence[int],
        widths: Sequence[int] = (32, 64, 128, 256),
        blocks: Sequence[int] = (2, 2, 2, 2),
        patch: int = 4,
    ):
        super().__init__()
        check_widths("widths or patch", (*widths, patch))
        if not widths:
            raise ValueError("widths is empty: give one for a stage, as widths=[32,64]")
        if len(widths) != len(blocks):
            raise ValueError(
                f"widths has {len(widths)} entries, but blocks has {len(blocks)}: give one of each for a stage"
            )
        inner, self.patch = widths[0], patch
        channels, *sides = picture_shape(in_shape)
        self.padding = padding(sides, patch)
        self.stem = nn.Conv2d(channels * patch**2, inner, 3, padding=1, bias=False)
        layers: list[nn.Module] = []
        for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            for i in range(count):
                layers.append(Block(inner, width, 2 if stage and not i else 1))
                inner = width
        self.stages = nn.Sequential(*layers)
        self.norm = nn.BatchNorm2d(inner)
        self.pool, self.head = GlobalAverage(), Head(inner, sum(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Scaled images [N, C, H, W] to [N, sum(outputs)]."""
        x = self.stages(self.stem(F.pixel_unshuffle(F.pad(x, self.padding), self.patch)))
        return self.head(self.pool(F.relu(self.norm(x), inplace=True)))
