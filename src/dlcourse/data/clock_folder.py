"""A user's own photographs of clocks."""

from dataclasses import replace
from functools import cached_property

import numpy as np
import torch

from dlcourse.clocks.encodings import time_labels
from dlcourse.data.batches import Augment
from dlcourse.data.clock_names import find_clocks
from dlcourse.data.clock_splits import time_task
from dlcourse.data.folder import ImageFolder
from dlcourse.data.image_files import printable
from dlcourse.data.labelled_files import Labelled
from dlcourse.data.module import Arrays
from dlcourse.errors import UserError

SMALLEST = 3  # photographs: one for each split


class ClockFolder(ImageFolder):
    """Photographs of clocks: a folder of files named by the time, or a CSV with the columns file,time[,split].

    `dlcourse.data.clock_names.time_in` describes the names. Images are prepared as in `ImageFolder`.

    Args:
        path: the folder, or the CSV file.
        size: side of the images in pixels.
        colour: `grey` or `colour`.
        pad: keep whole images and repeat their edges to make them square, instead of cropping them.
        data_dir: where prepared images are stored.
        name, validation, test, split_seed, folds, fold, batch_size, augment, seed: see `OwnImages`.
    """

    task_kind = "time"

    def __init__(
        self,
        name: str,
        data_dir: str,
        path: str | None = None,
        size: int = 150,
        colour: str = "grey",
        pad: bool = False,
        validation: float = 0.15,
        test: float = 0.15,
        split_seed: int = 0,
        folds: int | None = None,
        fold: int | None = None,
        batch_size: int = 32,
        augment: Augment | None = None,
        seed: int = 0,
    ):
        super().__init__(
            name,
            data_dir,
            path,
            size,
            colour,
            validation,
            test,
            split_seed,
            folds,
            fold,
            False,
            batch_size,
            augment,
            seed,
        )
        self.pad = pad

    def load(self) -> dict[str, Arrays]:
        """Split the prepared photographs at random; the labels are hour and minute."""
        stored = self._prepared()
        images, labels = torch.from_numpy(stored["x"]), time_labels(torch.from_numpy(stored["y"]))
        if len(images) < SMALLEST and not self.whole:
            raise UserError(
                f"{printable(self.path)} has {len(images)} photographs with a time: three splits need {SMALLEST}"
            )
        # as one class, since most times have a single photograph
        splits = self.split_indices(np.zeros(len(images), np.int64), stored["split"], ("clock",))
        self.task = replace(time_task(self.title, images[splits["train"]]), pad=self.pad)
        return {name: (images[index], labels[index]) for name, index in splits.items()}

    @cached_property
    def _found(self) -> Labelled:
        return find_clocks(self.path)
