"""What several nets share: activations and initial weights by name, dense layers, shortcuts, the answering layer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

T = TypeVar("T")

# In place only where it is safe: after a layer that does not need its own output to find its gradient.
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": partial(nn.ReLU, inplace=True),
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}
INITS: dict[str, Callable[[Tensor], Any] | None] = {
    "default": None,  # PyTorch's own: uniform within 1 / sqrt(inputs), biases too
    "he": partial(nn.init.kaiming_normal_, nonlinearity="relu"),
    "he_uniform": partial(nn.init.kaiming_uniform_, nonlinearity="relu"),
    "glorot": nn.init.xavier_uniform_,  # what Keras takes unless told
    "glorot_normal": nn.init.xavier_normal_,
    "lecun": partial(nn.init.kaiming_normal_, nonlinearity="linear"),
    "normal": partial(nn.init.normal_, std=0.05),
    "uniform": partial(nn.init.uniform_, a=-0.05, b=0.05),
    "orthogonal": nn.init.orthogonal_,
}


def pick(table: Mapping[str, T], option: str, name: str) -> T:
    """The entry of that name.

    Raises:
        ValueError: there is none; the message tells the names there are.
    """
    if name not in table:
        raise ValueError(f"{option}={name} is unknown: take one of {', '.join(table)}")
    return table[name]


def each(option: str, value: float | Sequence[float], count: int, of: str) -> list[Any]:
    """A value for each of `count` things, from one number for all or a list of as many.

    Raises:
        ValueError: the list has another length.
    """
    values = [value] * count if isinstance(value, (int, float)) else list(value)
    if len(values) != count:
        raise ValueError(f"{option} has {len(values)} entries for {count} {of}: give one number, or one for each")
    return values


def check_widths(option: str, widths: Iterable[int]) -> None:
    """Raise a ValueError unless all are whole numbers from 1 on; `option` says whose they are."""
    for width in widths:
        if not isinstance(width, int) or width < 1:
            raise ValueError(f"a width of {width} in {option} makes no layer: give whole numbers from 1 on")


def picture_shape(in_shape: Sequence[int]) -> tuple[int, int, int]:
    """The same as channels, height, width.

    Raises:
        ValueError: it is not the shape of a picture.
    """
    if len(in_shape) != 3:
        shape = "x".join(map(str, in_shape))
        raise ValueError(f"this net reads pictures, not inputs of {shape} numbers: take model/net=mlp, or other data")
    channels, height, width = in_shape
    return channels, height, width


def initialise(net: nn.Module, init: str) -> None:
    """Draw the weights of every convolution and linear layer anew; their biases become zero."""
    draw = pick(INITS, "init", init)
    if draw is None:
        return
    for layer in net.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            draw(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def dense_layers(
    inner: int,
    widths: Sequence[int],
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    residual: bool = False,
) -> nn.Sequential:
    """Linear layers, each with batch norm if asked, activation and dropout: [N, inner] to [N, widths[-1]]."""
    check_widths("dense layers", widths)
    layers: list[nn.Module] = []
    for before, width in pairwise((inner, *widths)):
        body: list[nn.Module] = [nn.Linear(before, width)]
        body += [nn.BatchNorm1d(width)] if batch_norm else []
        if residual:
            body = [Residual(body, nn.Identity() if before == width else nn.Linear(before, width, bias=False))]
        # Dropout of 0 stays in the list, so that weights keep their names when it is changed.
        layers += [*body, pick(ACTIVATIONS, "activation", activation)(), nn.Dropout(dropout)]
    return nn.Sequential(*layers)


class Residual(nn.Module):
    """Layers beside a shortcut: their sum, which the caller's activation follows."""

    def __init__(self, body: Sequence[nn.Module], shortcut: nn.Module):
        super().__init__()
        self.body, self.shortcut = nn.Sequential(*body), shortcut

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.shortcut(x)


class GlobalAverage(nn.Module):
    """The mean of each channel, summed in float32: [N, C, H, W] to [N, C]."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), dtype=torch.float32)


class Head(nn.Linear):
    """The layer that answers, never in bfloat16: whoever reads its output needs all of its digits."""

    def forward(self, input: Tensor) -> Tensor:
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.to(self.weight.dtype))
