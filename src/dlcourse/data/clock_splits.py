"""Shared by the clock data sets: splits by percent, augmented copies, checks of files."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dlcourse.clocks.encodings import MINUTES
from dlcourse.data.batches import Augment, Batches, seeded
from dlcourse.data.module import Arrays, DataModule
from dlcourse.data.task import Task
from dlcourse.errors import UserError

log = logging.getLogger(__name__)

SPLITS = ("train", "val", "test")
FRESH_SAMPLE = MINUTES  # images that represent an endless training set in statistics, metrics and plots


def split_indices(
    count: int, seed: int, percent: Sequence[int] = (80, 10, 10), groups_N: Tensor | None = None
) -> dict[str, Tensor]:
    """Indices of the splits: slices of a seeded shuffle.

    Args:
        count: number of images.
        seed: seed of the shuffle.
        percent: of training, validation (0: no such split) and test.
        groups_N: the group of each image [N]: a split then has all images of a group or none, and the percentages are
            of the groups. None: every image on its own.

    Raises:
        UserError: there are too few groups for a group in each split.
    """
    order = torch.randperm(count, generator=seeded(seed))
    if groups_N is not None:
        groups, group_N = groups_N.unique(return_inverse=True)
        found = split_indices(len(groups), seed, percent)
        if empty := [split for split, index in found.items() if not len(index)]:
            raise UserError(
                f"the {len(groups)} groups of images are too few for data.split={list(percent)}: no group is left for "
                f"{empty[0]}; increase its share or data.count"
            )
        return {split: order[torch.isin(group_N[order], index)] for split, index in found.items()}
    _, val, test = (count * share // 100 for share in percent)
    found = {"train": order[test + val :], "val": order[test : test + val], "test": order[:test]}
    return {split: index for split, index in found.items() if split != "val" or percent[1]}


def checked_percent(percent: Sequence[int]) -> tuple[int, ...]:
    """Shares of training, validation and test.

    Raises:
        UserError: they are not three whole numbers that add up to 100, or training or test is empty.
    """
    shares = tuple(percent)
    whole = len(shares) == 3 and all(isinstance(share, int) and share >= 0 for share in shares)
    if not whole or sum(shares) != 100 or not (shares[0] and shares[2]):
        raise UserError(
            f"data.split={list(percent)} is not three percentages (training, validation, test) with sum 100: "
            "use for example [80,10,10] or [80,0,20]"
        )
    return shares


class Copies(DataModule):
    """A training set with augmented copies, made once and kept in memory.

    Args:
        copies: how often each training image is in the set, once unchanged and otherwise augmented; with 1
            there are no copies, and every batch is augmented again.
        name, batch_size, augment, seed: see `DataModule`; `seed` also draws the copies.
    """

    def __init__(self, copies: int, name: str, batch_size: int, augment: Augment | None = None, seed: int = 0):
        DataModule.__init__(self, name, batch_size, augment, seed)
        if not isinstance(copies, int) or copies < 1:
            raise UserError(f"data.copies={copies} is not a positive whole number: use for example 1 or 10")
        if copies > 1 and (augment is None or not getattr(augment, "changes", True)):
            raise UserError(
                f"data.copies={copies} would repeat the same images: add data/augment=clocks, or use data.copies=1"
            )
        self.copies, self._copied = copies, False

    def train_dataloader(self) -> Batches:
        """As in `DataModule`, with all copies, which are made on first use.

        Runs do not share the copies, since they depend on the seed.
        """
        if self.copies > 1 and not self._copied:
            self.measured = min(self.measured, len(self.arrays["train"][0]))  # the originals, which come first
            self.arrays["train"] = self._enlarged(*self.arrays["train"])
            self.augment, self._copied = None, True
        return super().train_dataloader()

    def _enlarged(self, images: Tensor, labels: Tensor) -> Arrays:
        assert self.augment is not None
        log.info("augmenting %d images %d times", len(images), self.copies - 1)
        enlarged = images.new_empty(self.copies * len(images), *images.shape[1:])
        enlarged[: len(images)] = images
        for copy in range(1, self.copies):
            for number, index in enumerate(torch.arange(len(images)).split(500)):
                draws = seeded(self.seed, 4, copy, number)
                enlarged[copy * len(images) + index] = self.augment(images[index], draws, index, copy)
        return enlarged, labels.repeat(self.copies, 1)


def check_size(size: int) -> None:
    """Refuse a side outside of 16 to 1024 pixels."""
    if not 16 <= size <= 1024:
        raise UserError(f"data.size={size} is out of range: use 16 to 1024 pixels")


def checked(path: Path, images: np.ndarray | None, labels: np.ndarray | None, remedy: str = "") -> Arrays:
    """Images uint8 [N, S, S] or [N, S, S, 3] and labels [N, 2] as tensors.

    `remedy` ends the message about a missing array.

    Raises:
        UserError: wrong shape or type, different lengths, or a label that is not a time.
    """
    if images is None or labels is None:
        raise UserError(f"{path} lacks an array of images or labels: {remedy}")
    square = images.ndim >= 3 and images.shape[1] == images.shape[2] and images.shape[3:] in ((), (3,))
    if images.dtype != np.uint8 or not square:
        raise UserError(
            f"{path}: images must be uint8 [N, S, S] or [N, S, S, 3], not {images.dtype} {list(images.shape)}"
        )
    if labels.ndim != 2 or labels.shape[1] != 2 or labels.dtype.kind not in "iu":
        raise UserError(f"{path}: labels must be whole numbers [N, 2], not {labels.dtype} {list(labels.shape)}")
    if len(images) != len(labels):
        raise UserError(f"{path} has {len(images)} images but {len(labels)} labels: give one label for each image")
    wrong = (labels < 0).any(1) | (labels >= (12, 60)).any(1)
    if wrong.any():
        first = int(wrong.argmax())
        raise UserError(
            f"{path}: label {first} is {labels[first].tolist()}, but the hour must be 0 to 11 and the minute 0 to 59"
        )
    return torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64))


def time_task(name: str, images: Tensor) -> Task:
    """The task of reading times from grey images [N, S, S] or colour ones [N, S, S, 3]."""
    sample = images[: 2 * FRESH_SAMPLE].float()
    side = images.shape[1]
    return Task(name, "time", (1 if images.ndim == 3 else 3, side, side), sample.mean().item(), sample.std().item())
