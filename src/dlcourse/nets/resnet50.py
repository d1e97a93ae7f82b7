"""torchvision's ResNet-50 (He et al., 2015, arXiv:1512.03385), untrained (row F1)."""

from collections.abc import Sequence

from torch import Tensor, nn

from dlcourse.nets.layers import GlobalAverage, Head, pick, picture_shape

STEMS = {"original": (7, 2), "small": (3, 1)}  # kernel and stride of the first convolution


class ResNet50(nn.Module):
    """ResNet-50 with a first convolution for any number of channels; 25,557,032 parameters for 3 and 1000 outputs.

    Args:
        in_shape: channels, height, width of the images.
        outputs: sizes of the heads; the net has their sum as outputs.
        stem: `original` divides the side by four, with a 7x7 convolution of stride 2 and max-pooling; `small` keeps the
            size with a 3x3 convolution, for images of about 32 pixels.

    Raises:
        ValueError: an argument is out of range, or does not fit the data.
    """

    def __init__(self, in_shape: tuple[int, int, int], outputs: Sequence[int], stem: str = "small"):
        super().__init__()
        from torchvision.models import resnet50  # takes seconds to import

        channels, _, _ = picture_shape(in_shape)
        kernel, stride = pick(STEMS, "stem", stem)
        self.net = resnet50(num_classes=1)
        self.net.conv1 = nn.Conv2d(channels, 64, kernel, stride, kernel // 2, bias=False)
        nn.init.kaiming_normal_(self.net.conv1.weight, mode="fan_out", nonlinearity="relu")  # as torchvision does
        if stem == "small":
            self.net.maxpool = nn.Identity()
        self.net.avgpool = GlobalAverage()
        self.net.fc = Head(self.net.fc.in_features, sum(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Scaled images [N, C, H, W] to [N, sum(outputs)]."""
        return self.net(x)
