"""A wide residual net (Zagoruyko and Komodakis, 2016, arXiv:1605.07146), not in the tables C, E and F."""

from collections.abc import Sequence

from torch import Tensor, nn

from dlcourse.nets.layers import GlobalAverage, Head, initialise, picture_shape
from dlcourse.nets.resnet import Block


class WideResNet(nn.Module):
    """WRN-depth-widen for images of about 32 pixels: three groups of pre-activation blocks, two of them with stride 2.

    WRN-28-10 has 36,479,194 parameters for 3x32x32 and 10 outputs.

    Args:
        in_shape: channels, height, width of the images.
        outputs: sizes of the heads; the net has their sum as outputs.
        depth: 6 n + 4 for n blocks in each group.
        widen: factor of the groups' 16, 32 and 64 channels.
        dropout: probability between the two convolutions of a block.

    Raises:
        ValueError: an argument is out of range, or does not fit the data.
    """

    def __init__(
        self,
        in_shape: tuple[int, int, int],
        outputs: Sequence[int],
        depth: int = 16,
        widen: int = 4,
        dropout: float = 0.0,
    ):
        super().__init__()
        blocks, rest = divmod(depth - 4, 6)
        if blocks < 1 or rest:
            raise ValueError(f"depth={depth} is not 6 n + 4: use 10, 16, 22, 28, 34, 40, ...")
        if widen < 1:
            raise ValueError(f"widen={widen} is below 1: use 1 or more")
        channels, _, _ = picture_shape(in_shape)
        layers: list[nn.Module] = [nn.Conv2d(channels, 16, 3, padding=1, bias=False)]
        inner = 16
        for group in range(3):
            width = 16 * 2**group * widen
            for i in range(blocks):
                layers.append(Block(inner, width, 2 if group and not i else 1, dropout))
                inner = width
        self.features = nn.Sequential(*layers, nn.BatchNorm2d(inner), nn.ReLU(inplace=True), GlobalAverage())
        self.head = Head(inner, sum(outputs))
        initialise(self, "he")  # as in the paper

    def forward(self, x: Tensor) -> Tensor:
        """Scaled images [N, C, H, W] to [N, sum(outputs)]."""
        return self.head(self.features(x))
