"""Dense layers only (rows C1 and C3)."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from dlcourse.nets.layers import Head, dense_layers, initialise, pick


class MLP(nn.Module):
    """Flattens its input, then applies hidden dense layers.

    Args:
        in_shape: shape of one input: channels, height, width of images, or the number of features.
        outputs: sizes of the heads; the net has their sum as outputs.
        widths: units of the hidden layers; an empty list leaves a linear classifier.
        depth: hidden layers made from `width` and `taper` instead of `widths`, so that a sweep can vary one number.
        width: units of each of them, or the difference between them.
        taper: `constant`; `rising`, layer k has k * width units; `falling`, the reverse.
        activation: a name in `layers.ACTIVATIONS`.
        init: a name in `layers.INITS`.
        dropout: probability after each hidden layer.
        batch_norm: adds batch normalisation between each hidden layer and its activation.
        residual: adds the input of a hidden layer to its output, before the activation; through a linear layer
            without bias if the sizes differ.

    Raises:
        ValueError: an argument is out of range, or does not fit the data.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        outputs: Sequence[int],
        widths: Sequence[int] = (300, 100),
        depth: int | None = None,
        width: int = 100,
        taper: str = "constant",
        activation: str = "relu",
        init: str = "default",
        dropout: float = 0.0,
        batch_norm: bool = False,
        residual: bool = False,
    ):
        super().__init__()
        if depth is not None:
            if not isinstance(depth, int) or depth < 0:
                raise ValueError(f"depth={depth} is not a number of hidden layers: use a whole number from 0")
            steps = range(1, depth + 1)
            tapers = {"constant": [1] * depth, "rising": steps, "falling": reversed(steps)}
            widths = [width * step for step in pick(tapers, "taper", taper)]
        inner = math.prod(in_shape)
        layers = dense_layers(inner, widths, activation, dropout, batch_norm, residual)
        self.hidden = nn.Sequential(nn.Flatten(), *layers)
        self.head = Head((inner, *widths)[-1], sum(outputs))
        initialise(self, init)

    def forward(self, x: Tensor) -> Tensor:
        """Scaled inputs [N, ...] to [N, sum(outputs)]."""
        return self.head(self.hidden(x))
