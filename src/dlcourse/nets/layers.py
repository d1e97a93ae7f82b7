"""Shared by several nets: activations and initial weights by name, dense layers, shortcuts, the output layer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

T = TypeVar("T")

# In place only after layers that do not need their own output for the gradient.
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
    "glorot": nn.init.xavier_uniform_,  # the default of Keras
    "glorot_normal": nn.init.xavier_normal_,
    "lecun": partial(nn.init.kaiming_normal_, nonlinearity="linear"),
    "normal": partial(nn.init.normal_, std=0.05),
    "uniform": partial(nn.init.uniform_, a=-0.05, b=0.05),
    "orthogonal": nn.init.orthogonal_,
}


def pick(table: Mapping[str, T], option: str, name: str) -> T:
    """Return the entry of that name.

    Raises:
        ValueError: the name is unknown; the message lists the known ones.
    """
    if name not in table:
        raise ValueError(f"{option}={name} is unknown: use one of {', '.join(table)}")
    return table[name]


def each(option: str, value: float | Sequence[float], count: int, of: str) -> list[Any]:
    """Return `count` values, from one number for all or a list of that length.

    Raises:
        ValueError: the list has another length.
    """
    values = [value] * count if isinstance(value, (int, float)) else list(value)
    if len(values) != count:
        raise ValueError(f"{option} has {len(values)} entries for {count} {of}: use one number, or one for each")
    return values


def check_widths(option: str, widths: Iterable[int]) -> None:
    """Raise a ValueError unless all are positive whole numbers; `option` names them in the message."""
    for width in widths:
        if not isinstance(width, int) or width < 1:
            raise ValueError(f"{option} contains {width}: use positive whole numbers")


def picture_shape(in_shape: Sequence[int]) -> tuple[int, int, int]:
    """Return channels, height, width.

    Raises:
        ValueError: it is not the shape of an image.
    """
    if len(in_shape) != 3:
        shape = "x".join(map(str, in_shape))
        raise ValueError(
            f"this net needs images, but the inputs have {shape} features: use model/net=mlp, or other data"
        )
    channels, height, width = in_shape
    return channels, height, width


def padding(sides: Iterable[int], step: int) -> list[int]:
    """Padding (left, right, top, bottom) that makes height and width multiples of a step."""
    rows, columns = (-side % step for side in sides)
    return [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2]


def initialise(net: nn.Module, init: str) -> None:
    """Initialise the weights of every convolution and linear layer; their biases become zero."""
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
    """Linear layers, each with optional batch norm, activation and dropout: [N, inner] to [N, widths[-1]]."""
    check_widths("dense layers", widths)
    layers: list[nn.Module] = []
    for before, width in pairwise((inner, *widths)):
        body: list[nn.Module] = [nn.Linear(before, width)]
        body += [nn.BatchNorm1d(width)] if batch_norm else []
        if residual:
            body = [Residual(body, nn.Identity() if before == width else nn.Linear(before, width, bias=False))]
        # Dropout of 0 stays in the list, so that the weights keep their names when it changes.
        layers += [*body, pick(ACTIVATIONS, "activation", activation)(), nn.Dropout(dropout)]
    return nn.Sequential(*layers)


class Residual(nn.Module):
    """The sum of layers and a shortcut, before the activation."""

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
    """The output layer, in the precision of its weights: a step of bfloat16 would be minutes wide on a dial."""

    def forward(self, input: Tensor) -> Tensor:
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.to(self.weight.dtype))
