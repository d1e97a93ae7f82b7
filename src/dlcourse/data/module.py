"""The LightningDataModule behind every data set: arrays in memory, batches made on the device."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from dlcourse.data.batches import Augment, Batch, Batches, seeded
from dlcourse.data.memory_cache import loaded, stamp_of
from dlcourse.data.task import Task, fine
from dlcourse.errors import UserError

Arrays = tuple[
    Tensor, Tensor
]  # images uint8 [N, H, W] or [N, H, W, 3], labels int64 [N] or [N, 2], factors float32 [N, F]


class DataModule(LightningDataModule, ABC):
    """Base of the data sets. A subclass returns its arrays from `load` and sets its `task` there.

    Args:
        name: the data set's name, as in conf/data; stored as `title`, since Lightning uses `name` itself.
        batch_size: samples of a training batch in this process.
        augment: a function that changes a training batch uint8 [B, ...] on its device, or None.
        seed: seed of the order of samples and of augmentation; by default the run's seed.

    Raises:
        UserError: an argument is out of range, or does not fit the data.
    """

    task: Task
    task_kind: str | None = None  # of the task, which is known in full only when the images are read
    settings: dict[str, Any] | None = None  # its config; two modules with the same settings share their arrays
    is_published = True  # whether the images are the known files that published figures are measured on
    balance = False  # whether training draws each class equally often
    whole = False  # whether all images of the user are test images, for a run that was not trained on them
    ahead = False  # whether a thread of its own makes the next training batch, which takes a core
    measured = 10_000  # training images that a trained model is evaluated on: as many as a usual test split has
    rendered = False  # whether the images are rendered: figures on them are not comparable with those on real files

    def __init__(self, name: str, batch_size: int, augment: Augment | None = None, seed: int = 0):
        super().__init__()
        if batch_size < 1:
            raise UserError(f"data.batch_size={batch_size} is below 1: use for example 64")
        self.title, self.batch_size, self.augment, self.seed = name, batch_size, augment, seed
        self.arrays: dict[str, Arrays] = {}
        self._on_device: dict[tuple[str, torch.device], Arrays] = {}

    @abstractmethod
    def load(self) -> dict[str, Arrays]:
        """Return the splits by name (`train`, `val` if images are held out, `test`), and set `self.task`."""

    def setup(self, stage: str | None = None) -> None:
        """Load the arrays once; Lightning calls this for each stage."""
        if not self.arrays:
            if self.settings is None:
                self.arrays = self.load()
            else:
                vars(self).update(loaded(self.settings | {"whole": self.whole}, self.stamp(), self._loaded))
            for split, (x, y) in self.arrays.items():
                if len(x) != len(y):
                    raise UserError(
                        f"the {split} split of {self.title} has {len(x)} images but {len(y)} labels: "
                        "give one label for each image"
                    )
                if not len(x):
                    raise UserError(f"{self.title} has an empty {split} split: give more images")

    def stamp(self) -> Hashable:
        """A value that changes with the files that the arrays come from."""
        return stamp_of(getattr(self, "path", None))

    def _loaded(self) -> dict[str, Any]:
        """The attributes that `load` sets, including `arrays`."""
        before = dict(vars(self))
        self.arrays = self.load()
        return {name: value for name, value in vars(self).items() if before.get(name) is not value}

    def as_pictures(self) -> None:
        """Give labelled images to a generative model: uint8, with the class as a factor that a probe may look for.

        Raises:
            UserError: the inputs are not images.
        """
        task = self.task
        if task.kind == "pictures":
            return
        shape = task.picture_shape()
        if shape is None or not self.arrays:
            raise UserError(f"a generative model needs images, but {self.title} has {task.shape_text()}: choose others")
        low, high = task.levels
        scale = 255 / (high - low)
        found: dict[str, Arrays] = {}
        for split, (x, y) in self.arrays.items():
            images = x.reshape(-1, *shape[1:]) if x.ndim == 2 else x
            if images.dtype != torch.uint8:
                images = ((images - low) * scale).clamp(0, 255).round().byte()
            found[split] = images, _as_factor(y, len(task.classes))
        self.arrays = found  # a new dict: another module may share the old one
        self._on_device.clear()
        factors = {"factors": ("class",), "categories": (len(task.classes),)} if task.classes else {}
        mean, std = (
            tuple((np.atleast_1d(values) * scale - shift).tolist())
            for values, shift in ((task.mean, low * scale), (task.std, 0))
        )
        self.task = replace(task, kind="pictures", in_shape=shape, mean=mean, std=std, levels=(0, 255), classes=(),
                            groups=(), group_of=(), class_counts=(), **factors)  # fmt: skip

    @property
    def device(self) -> torch.device:
        """The device of the batches: the trainer's, or the CPU without a trainer."""
        return self.trainer.strategy.root_device if self.trainer is not None else torch.device("cpu")

    @property
    def rank(self) -> int:
        """This process's rank among those that train together."""
        return self.trainer.global_rank if self.trainer is not None else 0

    def placed(self, split: str) -> Arrays:
        """A split's arrays on the device, or on the CPU if they need more than half of the free GPU memory."""
        if (split, self.device) not in self._on_device:
            x, y = self.arrays[split]
            if self.device.type == "cuda":
                free = torch.cuda.mem_get_info(self.device)[0]
                if x.nbytes < free / 2:
                    x, y = x.to(self.device), y.to(self.device)
            elif self.device.type != "cpu":
                x, y = x.to(self.device), y.to(self.device)
            self._on_device[split, self.device] = x, y
        return self._on_device[split, self.device]

    def _take(self, split: str, augment: Augment | None) -> Callable[[Tensor, int, int], Batch]:
        def take(index: Tensor, epoch: int, number: int) -> Batch:
            images, labels = (rows(part, index, self.device) for part in self.placed(split))
            return self._augmented(augment, images, index, epoch, number), labels

        return take

    def _augmented(self, augment: Augment | None, images: Tensor, index: Tensor, epoch: int, number: int) -> Tensor:
        if augment is None:
            return images
        return augment(images, seeded(self.seed, 1, epoch, number, self.rank, device=self.device), index, epoch)

    def _batches(
        self,
        count: int,
        take: Callable[[Tensor, int, int], Batch],
        batch_size: int,
        train: bool,
        split: str | None = None,
    ) -> Batches:
        return Batches(
            count,
            take,
            batch_size,
            shuffle_seed=self.seed if train else None,
            weights=class_weights(self.arrays["train"][1]) if train and self.balance else None,
            rank=self.rank,
            world=self.trainer.world_size if self.trainer is not None else 1,
            epoch=lambda: self.trainer.current_epoch if self.trainer is not None else 0,
            start=self._batches_done if train else lambda: 0,
            place=lambda: self.placed(split)[0].device if split is not None else torch.device("cpu"),
            ahead=train and self.ahead,
        )

    def _batches_done(self) -> int:
        """Training batches of the current epoch that the run had processed before it stopped."""
        if self.trainer is None or not self.trainer.training:
            return 0
        return self.trainer.fit_loop.epoch_loop.batch_progress.current.ready

    def train_dataloader(self) -> Batches:
        """Shuffled, augmented training batches; a single batch of all images if the model sets `full_batch`."""
        count = len(self.arrays["train"][0])
        if self.trainer is not None and getattr(self.trainer.lightning_module, "full_batch", False):
            return self._batches(count, self._take("train", None), count, train=False, split="train")
        if self.batch_size > count:
            raise UserError(
                f"data.batch_size={self.batch_size} is larger than the {count} training images of {self.title}"
            )
        return self._batches(count, self._take("train", self.augment), self.batch_size, train=True, split="train")

    def split_dataloader(self, split: str) -> Batches:
        """A split in its stored order without augmentation; only the first 10,000 images of a training split."""
        count = len(self.arrays[split][0])
        count = min(count, self.measured) if split == "train" else count
        return self._batches(count, self._take(split, None), max(self.batch_size, 500), train=False, split=split)

    def val_dataloader(self) -> Batches | list[Batches]:
        """The validation split; an empty list without one."""
        return self.split_dataloader("val") if "val" in self.arrays else []

    def test_dataloader(self) -> Batches:
        """The test split."""
        return self.split_dataloader("test")

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Return the batch, which is on the device already."""
        return batch


def _as_factor(labels: Tensor, count: int) -> Tensor:
    """Classes [N], or the fine ones of [N, 2], as a factor in [0, 1]: float32 [N, 1]; without classes, empty [N, 0]."""
    if not count:
        return torch.empty(len(labels), 0)
    return (fine(labels).float() / max(1, count - 1))[:, None]


def class_weights(labels: Tensor) -> Tensor:
    """The inverse frequency of each image's class [N], from labels [N], or fine and coarse ones [N, 2]."""
    _, inverse, counts = fine(labels).unique(return_inverse=True, return_counts=True)
    return 1 / counts[inverse]


def rows(array: Tensor, index: Tensor, device: torch.device) -> Tensor:
    """Rows of an array on a device; copied asynchronously if the array is on the CPU.

    Args:
        array: [N, ...], on the device or on the CPU.
        index: indices of the rows [B], on the array's device.
        device: of the result.
    """
    found = array.index_select(0, index)  # for whole rows on the CPU, 10 times as fast as array[index]
    if device.type == "cuda" and array.device.type == "cpu":
        return found.pin_memory().to(device, non_blocking=True)
    return found.to(device)
