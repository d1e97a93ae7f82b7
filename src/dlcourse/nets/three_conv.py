"""The three-convolution net of the source project (rows G1 to G4)."""

from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor, nn

from dlcourse.nets.layers import Head, check_widths, dense_layers, each, initialise, picture_shape


class ThreeConv(nn.Module):
    """Three 3x3 convolutions, each with 2x2 max-pooling, and a stack of dense layers for each head.

    Args:
        in_shape: channels, height, width of the images.
        outputs: sizes of the heads.
        filters: channels of the three convolutions.
        dense: hidden dense layers of each head; one entry applies to all heads.
        dropout: probability after each hidden dense layer; one for all heads, or one for each.
        l2: weight of the sum of the squared weights of each head's first dense layer in `penalty`; likewise.
        init: a name in `layers.INITS`.

    Raises:
        ValueError: an argument is out of range, or does not fit the data.
    """

    def __init__(
        self,
        in_shape: tuple[int, int, int],
        outputs: Sequence[int],
        filters: Sequence[int] = (32, 32, 32),
        dense: Sequence[Sequence[int]] = ((128, 128),),
        dropout: float | Sequence[float] = 0.1,
        l2: float | Sequence[float] = 0.0,
        init: str = "default",
    ):
        super().__init__()
        if len(dense) not in (1, len(outputs)):
            raise ValueError(f"dense has {len(dense)} entries for {len(outputs)} heads: use one, or one for each head")
        check_widths("filters", filters)
        each_dropout = each("dropout", dropout, len(outputs), "heads")
        self.l2 = each("l2", l2, len(outputs), "heads")
        inner, height, width = picture_shape(in_shape)
        layers: list[nn.Module] = []
        for channels in filters:
            # ReLU after the pooling gives the same result with a quarter of the work.
            layers += [nn.Conv2d(inner, channels, 3), nn.MaxPool2d(2), nn.ReLU()]
            inner, height, width = channels, (height - 2) // 2, (width - 2) // 2
        self.features = nn.Sequential(*layers, nn.Flatten())
        if min(height, width) < 1:
            raise ValueError(f"images of {in_shape[1]}x{in_shape[2]} are too small for {len(filters)} convolutions")
        self.stacks, self.heads = nn.ModuleList(), nn.ModuleList()
        for head, size in enumerate(outputs):
            units = (inner * height * width, *dense[head % len(dense)])
            self.stacks.append(dense_layers(units[0], units[1:], dropout=each_dropout[head]))
            self.heads.append(Head(units[-1], size))
        initialise(self, init)

    def forward(self, x: Tensor) -> Tensor:
        """Scaled images [N, C, H, W] to the outputs of all heads, concatenated [N, sum(outputs)]."""
        features = self.features(x)
        return torch.cat([head(stack(features)) for stack, head in zip(self.stacks, self.heads, strict=True)], 1)

    def penalty(self) -> Tensor | None:
        """What is added to the training loss, a scalar; None without `l2`."""
        pairs = zip(self.stacks, self.heads, strict=True)
        weights = [next(chain(stack.parameters(), head.parameters())) for stack, head in pairs]
        terms = [l2 * weight.square().sum() for l2, weight in zip(self.l2, weights, strict=True) if l2]
        return torch.stack(terms).sum() if terms else None
