"""The task that a data set poses to a model."""

import math
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
import torch

Labels = TypeVar("Labels", torch.Tensor, np.ndarray)
SMALLEST_SIDE = 8  # fewer features than its square are table columns, not an image


@dataclass(frozen=True)
class Task:
    """Shape, labels and statistics of a data set, stated by its data module; models build their net and head from it.

    Attributes:
        data: name of the data set.
        kind: of the labels: `time`, hour and minute [N, 2]; `classes`, a class [N], or a fine and a coarse one
            [N, 2]; `pictures`, images for generative models, without labels or with factors.
        in_shape: channels, height and width of an image, or the number of plain features.
        mean: mean of the training inputs in the units they are stored in; one for each channel, or one for all.
        std: their standard deviation, in the same form.
        classes: names of the classes; of the fine ones if there are two levels.
        groups: names of the coarse classes, or empty.
        group_of: the coarse class of each fine one, or empty.
        factors: names of the factors that the labels of `pictures` give, float32 [N, F] in [0, 1]; or empty.
        categories: number of values K of each factor, value k stored as k / (K - 1); 0 for a continuous factor.
        levels: stored values of black and white.
        class_counts: training images of each class, or empty.
        pad: true: an image that is not square is kept whole, and its edge pixels are repeated; false: it is cropped to
            the central square.
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
    class_counts: tuple[int, ...] = ()
    pad: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for a checkpoint."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Task":
        """The inverse of `to_dict`."""
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**plain)

    def picture_shape(self) -> tuple[int, ...] | None:
        """Channels, height and width of a grey or colour image; a square number of features is grey; else None."""
        if len(self.in_shape) == 3:
            return self.in_shape if self.in_shape[0] in (1, 3) else None
        side = math.isqrt(self.in_shape[0])
        return (1, side, side) if side * side == self.in_shape[0] and side >= SMALLEST_SIDE else None

    def stored_shape(self) -> tuple[int, ...]:
        """Shape of one stored input: [H, W] if grey, [H, W, C] else, or [D]."""
        if len(self.in_shape) == 1:
            return self.in_shape
        channels, *sides = self.in_shape
        return (*sides,) if channels == 1 else (*sides, channels)

    def shape_text(self) -> str:
        """The input's shape as text: `28x28 grey`, `32x32 colour`, `256 features`."""
        if len(self.in_shape) == 1:
            return f"{self.in_shape[0]} features"
        channels, height, width = self.in_shape
        return f"{width}x{height} {'grey' if channels == 1 else 'colour' if channels == 3 else f'{channels}-channel'}"


def as_stored(images: torch.Tensor, task: Task) -> torch.Tensor:
    """Images uint8 [N, H, W] or [N, H, W, 3] in the units, and the shape, of a task's stored inputs."""
    low, high = task.levels
    if (low, high) != (0, 255):
        images = low + (high - low) / 255 * images.float()
    return images.flatten(1) if len(task.in_shape) == 1 else images


def fine(labels: Labels) -> Labels:
    """The labels [N] unchanged, or the fine labels of [N, 2]."""
    return labels if labels.ndim == 1 else labels[:, 0]
