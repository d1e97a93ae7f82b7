"""A small residual net with pre-activation blocks (He et al., 2016, arXiv:1603.05027)."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut: [N, inner, H, W] to [N, width, H / stride, W / stride]."""

    def __init__(self, inner: int, width: int, stride: int):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inner)
        self.conv1 = nn.Conv2d(inner, width, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.shortcut = nn.Conv2d(inner, width, 1, stride, bias=False) if stride > 1 or inner != width else None

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(x), inplace=True)
        shortcut = x if self.shortcut is None else self.shortcut(y)
        return shortcut + self.conv2(F.relu(self.norm2(self.conv1(y)), inplace=True))


class ResNet(nn.Module):
    """Residual stages, each at half the side of the one before, and a linear layer over the mean of the last.

    Args:
        in_shape: channels, height, width of the pictures.
        outputs: sizes of the heads; the net gives their sum.
        widths: channels of each stage.
        blocks: residual blocks of each stage.
        stem: side of the first convolution's kernel.
        stem_stride: its stride: how much smaller the picture is in the first stage.
    """

    def __init__(
        self,
        in_shape: tuple[int, int, int],
        outputs: Sequence[int],
        widths: Sequence[int] = (32, 64, 128, 256),
        blocks: Sequence[int] = (2, 2, 2, 2),
        stem: int = 5,
        stem_stride: int = 2,
    ):
        super().__init__()
        if len(widths) != len(blocks):
            raise ValueError(f"{len(widths)} widths for {len(blocks)} stages of blocks: give one for each")
        inner = widths[0]
        self.stem = nn.Conv2d(in_shape[0], inner, stem, stem_stride, stem // 2, bias=False)
        layers: list[nn.Module] = []
        for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            for i in range(count):
                layers.append(Block(inner, width, 2 if stage and not i else 1))
                inner = width
        self.stages = nn.Sequential(*layers)
        self.norm = nn.BatchNorm2d(inner)
        self.head = nn.Linear(inner, sum(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Scaled pictures [N, C, H, W] to [N, sum(outputs)]."""
        x = F.relu(self.norm(self.stages(self.stem(x))), inplace=True)
        return self.head(x.mean((2, 3)))
