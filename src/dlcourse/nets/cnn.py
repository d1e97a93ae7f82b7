"""Stages of convolutions with pooling, then dense layers: the textbook nets of rows A7, C2, C4, D2, E and F."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from dlcourse.nets.layers import (
    ACTIVATIONS,
    GlobalAverage,
    Head,
    Residual,
    check_widths,
    dense_layers,
    each,
    initialise,
    pick,
    picture_shape,
)

POOLS = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}
PLACES = dict.fromkeys(("before", "after"))
HEADS = {"flatten": nn.Flatten, "global_average": GlobalAverage}


class CNN(nn.Module):
    """Stages of convolutions that keep the size, each followed by 2x2 pooling, then dense layers.

    Args:
        in_shape: channels, height, width of the images; a square number of features is taken as a grey image.
        outputs: sizes of the heads; the net has their sum as outputs.
        stages: filters of each stage's convolutions; a stage ends with 2x2 pooling.
        kernels: side of the kernels, an odd number; one for all stages, or one for each.
        activation: a name in `layers.ACTIVATIONS`, after each convolution and dense layer.
        batch_norm: whether batch normalisation follows the convolutions.
        norm_place: `before` or `after` each activation.
        pool: `max` or `average`.
        stage_dropout: probability after each pooling; one for all stages, or one for each.
        residual: adds a shortcut around each stage's convolutions, a 1x1 convolution where the filters differ.
        head: `flatten` passes every pixel to the dense layers, `global_average` the mean of each channel.
        dense: units of the dense layers.
        dense_batch_norm: adds batch normalisation between each dense layer and its activation.
        dropout: probability after each dense layer.
        init: a name in `layers.INITS`.

    Raises:
        ValueError: an argument is out of range, or does not fit the data.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        outputs: Sequence[int],
        stages: Sequence[Sequence[int]] = ((64,), (128, 128), (256, 256)),
        kernels: int | Sequence[int] = (7, 3, 3),
        activation: str = "relu",
        batch_norm: bool = False,
        norm_place: str = "before",
        pool: str = "max",
        stage_dropout: float | Sequence[float] = 0.0,
        residual: bool = False,
        head: str = "flatten",
        dense: Sequence[int] = (128, 64),
        dense_batch_norm: bool = False,
        dropout: float = 0.5,
        init: str = "default",
    ):
        super().__init__()
        pick(PLACES, "norm_place", norm_place)
        place = norm_place if batch_norm else ""
        layers: list[nn.Module] = []
        if len(in_shape) == 1 and (side := math.isqrt(in_shape[0])) ** 2 == in_shape[0]:
            in_shape = (1, side, side)
            layers.append(nn.Unflatten(1, in_shape))
        inner, height, width = picture_shape(in_shape)
        each_kernel = each("kernels", kernels, len(stages), "stages")
        each_dropout = each("stage_dropout", stage_dropout, len(stages), "stages")
        for filters, kernel, probability in zip(stages, each_kernel, each_dropout, strict=True):
            layers += stage(inner, filters, kernel, activation, place, residual)
            layers += [pick(POOLS, "pool", pool)(2), nn.Dropout(probability)]
            inner, height, width = filters[-1], height // 2, width // 2
        if min(height, width) < 1:
            size = f"{in_shape[1]}x{in_shape[2]}"
            raise ValueError(f"images of {size} are too small for {len(stages)} poolings: use fewer stages")
        self.features = nn.Sequential(*layers, pick(HEADS, "head", head)())
        units = inner if head == "global_average" else inner * height * width
        self.dense = dense_layers(units, dense, activation, dropout, dense_batch_norm)
        self.head = Head((units, *dense)[-1], sum(outputs))
        initialise(self, init)

    def forward(self, x: Tensor) -> Tensor:
        """Scaled images [N, C, H, W] to [N, sum(outputs)]."""
        return self.head(self.dense(self.features(x)))


def stage(
    inner: int, filters: Sequence[int], kernel: int, activation: str, norm: str, residual: bool
) -> list[nn.Module]:
    """Convolutions [N, inner, H, W] to [N, filters[-1], H, W]; `norm` is the place of batch norm, or empty."""
    if isinstance(filters, int) or not filters:
        raise ValueError(f"stages must be lists of filters, as in [[32], [64, 64]], but one is {filters}")
    if not isinstance(kernel, int) or kernel < 1 or kernel % 2 == 0:
        raise ValueError(f"kernels={kernel} does not keep the size of an image: use odd numbers, for example 3")
    check_widths("stages", filters)
    before, after = inner, inner
    body: list[nn.Module] = []
    tail: list[nn.Module] = []  # layers after a convolution; after the last one they follow the sum with the shortcut
    for after in filters:
        body += [*tail, nn.Conv2d(before, after, kernel, padding=kernel // 2)]
        body += [nn.BatchNorm2d(after)] if norm == "before" else []
        tail = [pick(ACTIVATIONS, "activation", activation)()]
        tail += [nn.BatchNorm2d(after)] if norm == "after" else []
        before = after
    if residual:
        body = [Residual(body, nn.Identity() if inner == after else nn.Conv2d(inner, after, 1, bias=False))]
    return [*body, *tail]
