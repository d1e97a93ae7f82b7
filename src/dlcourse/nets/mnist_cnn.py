"""The digit net of row D1: strided convolutions instead of pooling."""

from collections.abc import Sequence
from math import ceil

from torch import Tensor, nn

from dlcourse.nets.layers import Head, pick, picture_shape

# The source lists 128 weights and a 26-pixel output for its first convolution: only a dilated 2x2 one without bias
# has both. A plain 3x3 one has 288.
FIRST = {"dilated": (2, 2), "plain": (3, 1)}  # kernel and dilation


class MnistCNN(nn.Module):
    """Two blocks of two 3x3 convolutions and a strided 5x5 one, then a strided 5x5 convolution and a linear layer.

    For 1x28x28 and 10 outputs it has 403,178 trainable parameters; Keras also counts the running mean and variance of
    batch norm, 403,562 in all. With the plain first convolution it has 403,338 and 403,722.

    Args:
        in_shape: channels, height, width of the images, at least 13 pixels.
        outputs: sizes of the heads; the net has their sum as outputs.
        first: the first convolution, `dilated` (2x2) or `plain` (3x3).
        dropout: probability after the first two strided convolutions; the source does not state it.

    Raises:
        ValueError: an argument is out of range, or does not fit the data.
    """

    def __init__(
        self, in_shape: tuple[int, int, int], outputs: Sequence[int], first: str = "dilated", dropout: float = 0.25
    ):
        super().__init__()
        channels, *sides = picture_shape(in_shape)
        height, width = (ceil((ceil((side - 4) / 2) - 4) / 4) for side in sides)
        if min(height, width) < 1:
            size = "x".join(map(str, sides))
            raise ValueError(f"images of {size} are too small for this net: use 13x13 or larger")
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
        """Scaled images [N, C, H, W] to [N, sum(outputs)]."""
        return self.head(self.features(x))


def normed(convolution: nn.Conv2d) -> list[nn.Module]:
    """A convolution without bias, batch norm (which has one) and ReLU."""
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU(inplace=True)]


def halving(inner: int, width: int) -> list[nn.Module]:
    """A 5x5 convolution with stride 2 and bias: [N, inner, H, W] to [N, width, H / 2, W / 2], rounded up."""
    return [nn.Conv2d(inner, width, 5, stride=2, padding=2), nn.ReLU(inplace=True)]
