"""Labelled images in a prepared .npz file: base class of MNIST, CIFAR and others."""

import logging
from abc import abstractmethod
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from dlcourse.data.batches import Augment, seeded
from dlcourse.data.class_splits import check_shares
from dlcourse.data.module import Arrays, DataModule
from dlcourse.data.npz import AGAIN, Npz, cached_npz
from dlcourse.data.published_files import DIGESTS, digest, keras_names
from dlcourse.data.task import Task, fine
from dlcourse.errors import UserError, first_line

log = logging.getLogger(__name__)


class LabelledImages(DataModule):
    """Images with one class each, from `<data_dir>/<name>.npz`, which is downloaded if it does not exist.

    A subclass names its classes and implements the download.

    Args:
        name: the data set's name.
        data_dir: where prepared data sets are stored.
        path: other files instead: an .npz file with train_x, train_y, test_x, test_y (or Keras' x_train, ...), or the
            published files as torchvision and their authors store them.
        validation: training images held out: a number, or a fraction if below 1; 0 trains on all.
        split_seed: seed of that choice; the same for every run, so that runs can be compared. None holds
            out the last images of the file.
        batch_size, augment, seed: see `DataModule`.
    """

    task_kind = "classes"

    CLASSES: ClassVar[tuple[str, ...]]
    GROUPS: ClassVar[tuple[str, ...]] = ()
    GROUP_OF: ClassVar[tuple[int, ...]] = ()
    FILE: ClassVar[str | None] = None  # stem of the prepared file if it is shared with another data set

    def __init__(
        self,
        name: str,
        data_dir: str,
        path: str | None = None,
        validation: float = 5000,
        split_seed: int | None = 0,
        batch_size: int = 128,
        augment: Augment | None = None,
        seed: int = 0,
    ):
        super().__init__(name, batch_size, augment, seed)
        check_shares(validation=validation)
        self.own, self.data_dir = path is not None, Path(data_dir) if data_dir else None
        self.path = Path(path) if path is not None else Path(data_dir) / f"{self.FILE or name}.npz"
        self.validation, self.split_seed = validation, split_seed

    @abstractmethod
    def download(self, folder: Path) -> Npz:
        """Download all arrays; `folder` is a temporary folder for the files.

        Raises:
            OSError, RuntimeError: the download failed, or a checksum is wrong.
        """

    def published(self, path: Path) -> Npz | None:
        """The arrays of the published files at `path`, which are read in place; None if there are none.

        Raises:
            UserError: they are damaged.
        """
        return None

    def _fetch(self) -> Npz:
        # MNIST and Fashion-MNIST have files of the same names.
        try:
            found = self.published(self.path.parent)
        except UserError as error:  # of an interrupted download
            log.warning("%s", error)
            found = None
        if found is not None and digest(found) == DIGESTS.get(self.FILE or self.title):
            return found
        log.info("downloading %s", self.title)
        with TemporaryDirectory() as folder:
            try:
                return self.download(Path(folder))
            except (OSError, RuntimeError, HTTPException) as error:
                reason = first_line(error).rstrip(":")
                raise UserError(
                    f"{self.title} not found at {self.path.absolute()}, and the download failed ({reason}): "
                    "connect to the network, or set data.path to a prepared .npz file"
                ) from None

    def _stored(self) -> Npz:
        if self.own and not self.path.exists():
            raise UserError(f"data.path={self.path} not found: give an .npz file with train_x, train_y, test_x, test_y")
        if self.own and (self.path.is_dir() or self.path.suffix != ".npz"):
            if (found := self.published(self.path)) is not None:
                return found
            if self.path.is_dir():
                raise UserError(
                    f"data.path={self.path} does not contain the files of {self.title}: give them or an .npz file, "
                    f"or use data=folder for your own images in class folders"
                )
        return cached_npz(self.path, self._fetch, self._remedy())

    def prepare_data(self) -> None:
        """Download unless the file exists."""
        if not self.path.exists():
            self._stored()

    def load(self) -> dict[str, Arrays]:
        """Read and check the file, and split off the validation images."""
        arrays = keras_names(self._stored())
        train, test = (self._checked(arrays, split) for split in ("train", "test"))
        if train[0].shape[1:] != test[0].shape[1:]:
            raise UserError(
                f"{self.path}: training images are {list(train[0].shape[1:])}, test images "
                f"{list(test[0].shape[1:])}: give both in the same size"
            )
        self.is_published = digest(arrays) == DIGESTS.get(self.FILE or self.title)
        count = self._held_out(len(train[0]))
        splits = {"train": train, "val": train, "test": test}
        if count:
            if self.split_seed is None:
                order = torch.arange(len(train[0])).roll(count)  # the last ones first
            else:
                order = torch.randperm(len(train[0]), generator=seeded(self.split_seed))
            splits |= {"train": _at(train, order[count:]), "val": _at(train, order[:count])}
        else:
            del splits["val"]
        images = splits["train"][0]
        height, width = images.shape[1:3]
        mean, std = statistics(images)
        self.task = Task(
            self.title,
            "classes",
            (len(mean), height, width),
            mean,
            std,
            self.CLASSES,
            self.GROUPS,
            self.GROUP_OF,
            class_counts=tuple(torch.bincount(fine(splits["train"][1]), minlength=len(self.CLASSES)).tolist()),
        )
        return splits

    def _held_out(self, total: int) -> int:
        count = round(self.validation * total) if self.validation < 1 else int(self.validation)
        if count >= total:
            raise UserError(
                f"data.validation={self.validation} holds out all {total} training images: use a smaller number"
            )
        return count

    def _checked(self, arrays: Npz, split: str) -> Arrays:
        """Check a split's images and labels; raise UserError if they are wrong."""
        if missing := [name for name in (f"{split}_x", f"{split}_y") if name not in arrays]:
            raise UserError(f"{self.path} does not contain {missing[0]}: {self._remedy()}")
        x, y = self._images(arrays[f"{split}_x"], split), arrays[f"{split}_y"]
        y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
        shape = (len(x), 2) if self.GROUPS else (len(x),)
        if y.dtype.kind not in "iu" or y.shape != shape:
            what = "a fine and a coarse label" if self.GROUPS else "one label"
            raise UserError(
                f"{self.path}: {split}_y must be whole numbers {list(shape)}, {what} for each image, not {y.dtype} "
                f"{list(y.shape)}: {self._remedy()}"
            )
        for labels, names in zip(y.reshape(len(x), -1).T, (self.CLASSES, self.GROUPS), strict=False):
            if labels.min() < 0 or labels.max() >= len(names):
                wrong = labels.min() if labels.min() < 0 else labels.max()
                raise UserError(
                    f"{self.path}: {split}_y contains the label {wrong}, but {self.title} has 0 to {len(names) - 1}: "
                    f"{self._remedy()}"
                )
        if self.GROUPS and (np.asarray(self.GROUP_OF)[y[:, 0]] != y[:, 1]).any():
            raise UserError(f"{self.path}: {split}_y combines a fine label with a wrong coarse one: {self._remedy()}")
        return torch.from_numpy(x), torch.from_numpy(y.astype(np.int64, copy=False))

    def _images(self, x: np.ndarray, split: str) -> np.ndarray:
        """Check that a split's inputs are images [N, H, W] or [N, H, W, 3]."""
        if x.dtype != np.uint8 or x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[3] != 3) or 0 in x.shape:
            raise UserError(
                f"{self.path}: {split}_x must be uint8 [N, H, W] or [N, H, W, 3], not {x.dtype} {list(x.shape)}: "
                f"{self._remedy()}"
            )
        return x

    def _remedy(self) -> str:
        return "set data.path to another file" if self.own else f"{AGAIN} to download it again"


def _at(arrays: Arrays, index: Tensor) -> Arrays:
    return arrays[0][index], arrays[1][index]


def statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Exact mean and standard deviation of each channel of images [N, H, W] or [N, H, W, C]."""
    channels = images.shape[3] if images.ndim == 4 else 1
    total = torch.zeros(2, channels, dtype=torch.float64)
    for part in images.split(2000):  # a float copy of everything would need four times its memory
        values = part.reshape(-1, channels).float()
        total += torch.stack([values.sum(0, dtype=torch.float64), values.square().sum(0, dtype=torch.float64)])
    mean, square = total / (images.numel() / channels)
    return tuple(mean.tolist()), tuple((square - mean**2).clamp_min(0).sqrt().tolist())


def resized(images: Tensor, size: Sequence[int]) -> Tensor:
    """Stored images [N, H, W] or [N, H, W, C] resized to a height and a width."""
    if list(images.shape[1:3]) == list(size):
        return images
    x = images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2)
    x = interpolate(x, size, mode="bilinear", antialias=True)
    return x[:, 0] if images.ndim == 3 else x.permute(0, 2, 3, 1).contiguous()


def mean_picture(images: Tensor) -> Tensor:
    """The mean image uint8 [...] of images uint8 [N, ...], rounded."""
    return torch.stack([part.float().sum(0) for part in images.split(2000)]).sum(0).div(len(images)).round().byte()
