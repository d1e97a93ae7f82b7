"""Features of CIFAR-100 from a fixed net, computed once, so that any model can learn from them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from dlcourse.data.cifar import CIFAR100
from dlcourse.data.module import Arrays


class Encoder(Protocol):
    """A fixed net, as `feature_space` gives it."""

    def cached(self, images: Tensor, folder: Path | None) -> Tensor:
        """Features float32 [N, D] of images uint8 [N, H, W, 3], from a file in `folder` where they are known."""
        ...


class CIFAR100Features(CIFAR100):
    """Features of CIFAR-100's images from a frozen net, with the labels of the images.

    They are stored in `data_dir`, so that a second run starts at once. Mean and deviation are per feature.

    Args:
        encoder: gives the net that computes them.
        name, data_dir, path, validation, split_seed, batch_size, seed: see `LabelledImages`.
    """

    FILE = "cifar100"

    def __init__(
        self,
        encoder: Callable[[], Encoder],
        name: str,
        data_dir: str,
        path: str | None = None,
        validation: float = 5000,
        split_seed: int | None = 0,
        batch_size: int = 128,
        seed: int = 0,
    ):
        super().__init__(name, data_dir, path, validation, split_seed, batch_size, seed=seed)
        self.encoder = encoder

    def _images(self, x: np.ndarray, split: str) -> np.ndarray:
        """Features as grey images of one row, [N, 1, D], so that they are split as images are."""
        found = self.encoder().cached(torch.from_numpy(super()._images(x, split)), self.data_dir)
        return found[:, None].numpy()

    def load(self) -> dict[str, Arrays]:
        """As `LabelledImages` does, then as numbers [N, D]."""
        splits = {split: (x.flatten(1), y) for split, (x, y) in super().load().items()}
        std, mean = torch.std_mean(splits["train"][0], 0)
        self.task = replace(self.task, in_shape=(len(mean),), mean=tuple(mean.tolist()), std=tuple(std.tolist()))
        return splits
