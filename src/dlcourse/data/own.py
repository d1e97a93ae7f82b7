"""Base class of the data sets that a user brings: splits by class, folds, balanced batches."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from dlcourse.data.batches import Augment, Batches
from dlcourse.data.class_splits import check_folds, check_shares, split_by_class
from dlcourse.data.images import statistics
from dlcourse.data.module import Arrays, DataModule
from dlcourse.data.task import Task
from dlcourse.errors import UserError

log = logging.getLogger(__name__)


class OwnImages(DataModule):
    """Labelled images of a user. A subclass reads them and calls `split` in `load`.

    Args:
        name: the data set's name.
        path: of the user's file or folder.
        validation, test: share of the images held out if that split is not given: a fraction, or a number from 1.
        split_seed: seed of that choice and of the folds; the same for every run, so that runs can be compared.
        folds: number of folds of a cross-validation, or None.
        fold: the fold to test on, from 0.
        balance: draw each class equally often in training.
        batch_size: samples of a training batch; at most the number of training images.
        augment, seed: see `DataModule`.
    """

    is_published = False
    task_kind = "classes"

    def __init__(
        self,
        name: str,
        path: str | None,
        validation: float,
        test: float,
        split_seed: int,
        folds: int | None,
        fold: int | None,
        balance: bool,
        batch_size: int,
        augment: Augment | None,
        seed: int,
    ):
        super().__init__(name, batch_size, augment, seed)
        check_shares(validation=validation, test=test)
        check_folds(folds, fold)
        if not path:
            raise UserError(f"data={name} needs your images: set data.path (docs/guides/own-images.md shows the forms)")
        self.path = Path(path).expanduser()
        self.validation, self.test, self.split_seed = validation, test, split_seed
        self.folds, self.fold, self.balance = folds, fold, balance

    def split(
        self,
        x: np.ndarray,
        labels: np.ndarray,
        given: np.ndarray,
        classes: Sequence[str],
        levels: tuple[float, float] = (0, 255),
    ) -> dict[str, Arrays]:
        """Split the images, and state the task.

        Args:
            x: [N, H, W] or [N, H, W, C], uint8 or float32.
            labels: int64 [N], numbers of the classes.
            given: split of each image [N] that the user gave: `train`, `val`, `test` or empty.
            classes: names.
            levels: stored values of black and white.
        """
        splits = self.split_indices(labels, given, classes)
        arrays = {
            name: (torch.from_numpy(x[index]), torch.from_numpy(labels[index].astype(np.int64)))
            for name, index in splits.items()
        }
        train = arrays["train"][0]
        mean, std = statistics(train)
        counts = tuple(np.bincount(labels[splits["train"]], minlength=len(classes)).tolist())
        shape = (len(mean), *train.shape[1:3])
        self.task = Task(self.title, "classes", shape, mean, std, tuple(classes), levels=levels, class_counts=counts)
        return arrays

    def split_indices(self, labels: np.ndarray, given: np.ndarray, classes: Sequence[str]) -> dict[str, np.ndarray]:
        """Indices of the images of each split; see `split_by_class` for the arguments.

        Each split is shuffled: models and plots take the first images of a split as a sample of it. If `whole` is set,
        all images are the test split in their stored order, or those that the user gave as `test`.
        """
        if self.whole:
            test = np.flatnonzero(given == "test")
            test = test if len(test) else np.arange(len(labels))
            return {"train": test, "test": test}
        splits = split_by_class(
            labels, given, classes, self.validation, self.test, self.split_seed, self.folds, self.fold
        )
        log.info("%s: %s images", self.title, " + ".join(f"{len(index)} {name}" for name, index in splits.items()))
        order = np.random.default_rng(self.split_seed)
        return {name: order.permutation(index) for name, index in splits.items()}

    def train_dataloader(self) -> Batches:
        """As in `DataModule`; a batch is at most the training set."""
        self.batch_size = min(self.batch_size, len(self.arrays["train"][0]))
        return super().train_dataloader()
