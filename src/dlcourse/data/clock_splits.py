"""What both clock data sets share: splits by percent, augmented copies, checks of what was read."""

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
FRESH_SAMPLE = MINUTES  # pictures that stand for an endless training set: its grey levels, its error, its look


def time_labels(minutes_N: Tensor) -> Tensor:
    """Minutes of the dial [N] as hour 0-11 and minute 0-59 [N, 2]."""
    return torch.stack([minutes_N // 60, minutes_N % 60], 1)


def split_indices(count: int, seed: int, percent: Sequence[int] = (80, 10, 10)) -> dict[str, Tensor]:
    """Indices of the splits, a seeded shuffle that is cut.

    Args:
        count: of pictures.
        seed: of the shuffle.
        percent: for training, validation (0: there is none) and test.
    """
    order = torch.randperm(count, generator=seeded(seed))
    _, val, test = (count * share // 100 for share in percent)
    found = {"train": order[test + val :], "val": order[test : test + val], "test": order[:test]}
    return {split: index for split, index in found.items() if split != "val" or percent[1]}


def checked_percent(percent: Sequence[int]) -> tuple[int, ...]:
    """Shares of training, validation and test.

    Raises:
        UserError: they are no three whole numbers that add up to 100, with some left to train and to test.
    """
    shares = tuple(percent)
    whole = len(shares) == 3 and all(isinstance(share, int) and share >= 0 for share in shares)
    if not whole or sum(shares) != 100 or not (shares[0] and shares[2]):
        raise UserError(
            f"data.split={list(percent)} is no share of training, validation and test: take [80,10,10], or [80,0,20]"
        )
    return shares


class Copies(DataModule):
    """A training set enlarged by augmented copies, made once and kept in memory.

    Args:
        copies: times that each training picture is in the set, the first as it is and the others augmented; with 1
            there are no copies, and every batch is augmented anew.
        name, batch_size, augment, seed: see `DataModule`; `seed` also draws the copies.
    """

    def __init__(self, copies: int, name: str, batch_size: int, augment: Augment | None = None, seed: int = 0):
        DataModule.__init__(self, name, batch_size, augment, seed)
        if not isinstance(copies, int) or copies < 1:
            raise UserError(f"data.copies={copies} is no whole number from 1 on: take 1, or 10")
        if copies > 1 and (augment is None or not getattr(augment, "changes", True)):
            raise UserError(
                f"data.copies={copies} would be the same pictures again: add data/augment=clocks, or take data.copies=1"
            )
        self.copies, self._copied = copies, False

    def train_dataloader(self) -> Batches:
        """As in `DataModule`, of all copies, which are made when they are first trained with.

        They are no part of what runs share, since they depend on the seed.
        """
        if self.copies > 1 and not self._copied:
            self.arrays["train"] = self._enlarged(*self.arrays["train"])
            self.augment, self._copied = None, True
        return super().train_dataloader()

    def _enlarged(self, pictures: Tensor, labels: Tensor) -> Arrays:
        assert self.augment is not None
        log.info("augmenting %d pictures %d times", len(pictures), self.copies - 1)
        enlarged = pictures.new_empty(self.copies * len(pictures), *pictures.shape[1:])
        enlarged[: len(pictures)] = pictures
        for copy in range(1, self.copies):
            for number, index in enumerate(torch.arange(len(pictures)).split(500)):
                draws = seeded(self.seed, 4, copy, number)
                enlarged[copy * len(pictures) + index] = self.augment(pictures[index], draws, index, copy)
        return enlarged, labels.repeat(self.copies, 1)


def check_size(size: int) -> None:
    """Refuse a side that is no sensible number of pixels."""
    if not 16 <= size <= 1024:
        raise UserError(f"data.size={size} is out of range: take 16 to 1024 pixels")


def checked(path: Path, pictures: np.ndarray | None, labels: np.ndarray | None) -> Arrays:
    """Pictures uint8 [N, S, S] and labels [N, 2] as tensors.

    Raises:
        UserError: wrong shape or type, different lengths, or a label that is no time.
    """
    if pictures is None or labels is None:
        raise UserError(f"{path} lacks an array: delete it to have it made anew")
    if pictures.dtype != np.uint8 or pictures.ndim != 3 or pictures.shape[1] != pictures.shape[2]:
        raise UserError(f"{path}: pictures must be uint8 [N, S, S], not {pictures.dtype} {list(pictures.shape)}")
    if labels.ndim != 2 or labels.shape[1] != 2 or labels.dtype.kind not in "iu":
        raise UserError(f"{path}: labels must be whole numbers [N, 2], not {labels.dtype} {list(labels.shape)}")
    if len(pictures) != len(labels):
        raise UserError(f"{path} has {len(pictures)} pictures but {len(labels)} labels: they must match one to one")
    wrong = (labels < 0).any(1) | (labels >= (12, 60)).any(1)
    if wrong.any():
        first = int(wrong.argmax())
        raise UserError(
            f"{path}: label {first} is {labels[first].tolist()}, but an hour is 0 to 11 and a minute 0 to 59"
        )
    return torch.from_numpy(pictures), torch.from_numpy(labels.astype(np.int64))


def time_task(name: str, pictures: Tensor) -> Task:
    """The task of reading times from grey pictures [N, S, S]."""
    sample = pictures[: 2 * FRESH_SAMPLE].float()
    side = pictures.shape[1]
    return Task(name, "time", (1, side, side), sample.mean().item(), sample.std().item())
