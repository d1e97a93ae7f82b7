"""The digit net of row D1: convolutions that stride instead of pooling."""

from collections.abc import Sequence
from math import ceil

from torch import Tensor, nn

from dlcourse.nets.layers import Head, pick, picture_shape

# The source lists 128 weights for its first convolution: only a dilated 2x2 one without bias has them and makes 26
# pixels of 28. A plain one has 288.
FIRST = {"dilated": (2, 2), "plain": (3, 1)}  # kernel and dilation


class MnistCNN(nn.Module):
    """Twice two 3x3 convolutions and a 5x5 one that halves the size, once more the latter, and a linear layer.

    403,562 numbers for 1x28x28 and 10 outputs as Keras counts them, which is with the running mean and variance of
    batch norm; 403,178 that are trained. The plain first convolution makes it 403,722 and 403,338.

    Args:
        in_shape: channels, height, width of the pictures, 13 pixels at least.
        outputs: sizes of the heads; the net gives their sum.
        first: the first convolution, `dilated` (2x2) or `plain` (3x3).
        dropout: probability after the first two of the convolutions that stride; the source does not state it.
    """

    def __init__(
        self, in_shape: tuple[int, int, int], outputs: Sequence[int], first: str = "dilated", dropout: float = 0.25
    ):
        super().__init__()
        channels, *sides = picture_shape(in_shape)
        height, width = (ceil((ceil((side - 4) / 2) - 4) / 4) for side in sides)
        if min(height, width) < 1:
            size = "x".join(map(str, sides))
            raise ValueError(f"pictures of {size} are too small for this net: give 13x13 or larger ones")
        kernel, dilation = pick(FIRST, "first", first)
        self.features = nn.Sequential(
            *normed(nn.Conv2d(channels, 32, kernel, dilation=dilation, bias=False)),
            *normed(nn.Conv2d(32, 32, 3, bias=False)),
            *halving(32, 32),
            nn.Dropout(dropout),
            *normed(nn.Conv2d(32, 64, 3, bias=False)),
            *normed(nn.Conv2d(64, 64, 3, bias=False)),
            *halving(64, 64),
            nn.Dropout(dropout),
            *halving(64, 128),
            nn.Flatten(),
        )
        self.head = Head(128 * height * width, sum(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Scaled pictures [N, C, H, W] to [N, sum(outputs)]."""
        return self.head(self.features(x))


def normed(convolution: nn.Conv2d) -> list[nn.Module]:
    """A convolution without bias, as batch norm follows and has its own."""
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU(inplace=True)]


def halving(inner: int, width: int) -> list[nn.Module]:
    """A 5x5 convolution with stride 2 and bias: [N, inner, H, W] to [N, width, H / 2, W / 2], rounded up."""
    return [nn.Conv2d(inner, width, 5, stride=2, padding=2), nn.ReLU(inplace=True)]
