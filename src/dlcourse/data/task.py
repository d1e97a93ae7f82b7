"""What a data set asks of a model."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch

SMALLEST_SIDE = 8  # fewer features than its square are numbers of a table, not a picture


@dataclass(frozen=True)
class Task:
    """A data set's question, stated once by its data module; a family builds its net and head from it.

    Attributes:
        data: name of the data set.
        kind: what the labels are: `time` is an hour and a minute [N, 2]; `classes` a class [N], or a fine and a
            coarse one [N, 2]; `pictures` has none to learn, a model draws such pictures itself, but may have factors.
        in_shape: channels, height and width of a picture, or the number of plain features.
        mean: mean of the training inputs in the units they are stored in; one a channel, or one for all.
        std: their standard deviation, likewise.
        classes: names of the classes, the fine ones where there are two.
        groups: names of the coarse classes; empty where there are none.
        group_of: the coarse class of each fine one; empty likewise.
        factors: names of the numbers that the labels of `pictures` hold, float32 [N, F] in [0, 1]; empty without any.
        categories: for each factor how many values it has, value k stored as k / (K - 1); 0 for one on a scale.
        levels: what black and white are stored as.
    """

    data: str
    kind: str
    in_shape: tuple[int, ...]
    mean: float | tuple[float, ...]
    std: float | tuple[float, ...]
    classes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    group_of: tuple[int, ...] = ()
    levels: tuple[float, float] = (0, 255)
    factors: tuple[str, ...] = ()
    categories: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As plain values, the way a checkpoint carries it."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Task":
        """The inverse of `to_dict`."""
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**plain)

    def picture_shape(self) -> tuple[int, ...] | None:
        """Channels, height and width; a square number of features is a grey picture, any other number is none."""
        if len(self.in_shape) == 3:
            return self.in_shape
        side = math.isqrt(self.in_shape[0])
        return (1, side, side) if side * side == self.in_shape[0] and side >= SMALLEST_SIDE else None

    def shape_text(self) -> str:
        """The input as people write it: `28x28 grey`, `32x32 colour`, `256 features`."""
        if len(self.in_shape) == 1:
            return f"{self.in_shape[0]} features"
        channels, height, width = self.in_shape
        return f"{width}x{height} {'grey' if channels == 1 else 'colour' if channels == 3 else f'{channels}-channel'}"


def as_stored(pictures: torch.Tensor, task: Task) -> torch.Tensor:
    """Pictures uint8 [N, H, W] or [N, H, W, 3] in the units, and the shape, of a task's stored inputs."""
    low, high = task.levels
    if (low, high) != (0, 255):
        pictures = low + (high - low) / 255 * pictures.float()
    return pictures.flatten(1) if len(task.in_shape) == 1 else pictures
