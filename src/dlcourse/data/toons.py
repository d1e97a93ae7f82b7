"""Rendered cartoon faces, labelled with their factors."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from dlcourse.data.batches import Augment, mix
from dlcourse.data.images import statistics
from dlcourse.data.module import Arrays
from dlcourse.data.npz import AGAIN
from dlcourse.data.rendered import Rendered
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.toons.editions import EDITIONS
from dlcourse.toons.render import LARGEST, RENDERER_VERSION, SMALLEST, render

SPLITS = ("train", "val", "test")


class Toons(Rendered):
    """Cartoon faces in colour; the labels are their factors, float32 [N, F] in [0, 1].

    `task.factors` names them; where `task.categories` is K > 0, the label of value k is k / (K - 1).

    Args:
        data_dir: where the rendered splits are stored.
        count: training images.
        validation, test: images of these splits.
        size: side of an image in pixels.
        style: `full`, 43 factors; or `simple`, 13 factors, flat colours and plain backgrounds.
        scene_seed: seed of the faces; the same for every run, so that runs can be compared.
        batch_size, augment, seed, name: see `DataModule`.
    """

    KIND = "toons"
    task_kind = "pictures"

    def __init__(
        self,
        data_dir: str,
        count: int = 20_000,
        validation: int = 1000,
        test: int = 2000,
        size: int = 64,
        style: str = "full",
        scene_seed: int = 0,
        batch_size: int = 64,
        augment: Augment | None = None,
        seed: int = 0,
        name: str = "toons",
    ):
        super().__init__(data_dir, name, batch_size, augment, seed)
        self.counts = dict(zip(SPLITS, (count, validation, test), strict=True))
        for key, number in zip(("count", "validation", "test"), self.counts.values(), strict=True):
            if number < 1:
                raise UserError(f"data.{key}={number} is below 1: each split needs an image; use for example 1000")
        if not SMALLEST <= size <= LARGEST:
            raise UserError(f"data.size={size} is out of range: use {SMALLEST} to {LARGEST} pixels, for example 64")
        if style not in EDITIONS:
            raise UserError(f"data.style={style} is unknown: use {' or '.join(EDITIONS)}")
        self.size, self.style, self.scene_seed = size, style, scene_seed
        self.edition = EDITIONS[style]

    def file_settings(self) -> Mapping[str, Any]:
        """Settings that the stored images depend on."""
        factors, fixed, flat = self.edition
        return {
            **self.counts,
            "size": self.size,
            "seed": self.scene_seed,
            "factors": [list(factor) for factor in factors],
            "renderer": RENDERER_VERSION,
            **({"fixed": fixed, "flat": flat} if fixed else {}),
        }

    def render_splits(self) -> dict[str, np.ndarray]:
        """Images uint8 [N, S, S, 3] and labels; a split does not depend on the others."""
        arrays = {}
        for number, (split, count) in enumerate(self.counts.items()):
            scene, labels = self.edition.draw(count, mix(self.scene_seed, number))
            arrays[f"{split}_x"], arrays[f"{split}_y"] = render(scene, self.size).numpy(), labels.numpy()
        return arrays

    def load(self) -> dict[str, Arrays]:
        """Read the rendered splits."""
        stored, arrays = self.stored(), {}
        for split, count in self.counts.items():
            x, y = stored.get(f"{split}_x"), stored.get(f"{split}_y")
            shapes = (count, self.size, self.size, 3), (count, len(self.edition.factors))
            if x is None or y is None or (x.shape, y.shape) != shapes or (x.dtype, y.dtype) != (np.uint8, np.float32):
                raise UserError(f"{self.path} does not contain the expected arrays: {AGAIN}")
            if not ((y >= 0) & (y <= 1)).all():
                raise UserError(f"{self.path}: {split}_y contains a label outside of 0 to 1: {AGAIN}")
            arrays[split] = torch.from_numpy(x), torch.from_numpy(y)
        mean, std = statistics(arrays["train"][0])
        names, categories = self.edition.names, self.edition.categories
        shape = (3, self.size, self.size)
        self.task = Task(self.title, "pictures", shape, mean, std, factors=names, categories=categories)
        return arrays
