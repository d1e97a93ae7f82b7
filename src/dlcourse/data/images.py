"""Labelled pictures in a prepared .npz: what MNIST, CIFAR and the like have in common."""

import logging
from abc import abstractmethod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from dlcourse.data.batches import Augment, seeded
from dlcourse.data.module import Arrays, DataModule
from dlcourse.data.npz import Npz, cached_npz
from dlcourse.data.task import Task
from dlcourse.errors import UserError

log = logging.getLogger(__name__)


class LabelledImages(DataModule):
    """Pictures with a class each, from `<data_dir>/<name>.npz`; downloaded into it where it is not there.

    A subclass names its classes and says how to download.

    Args:
        name: the data set's name.
        data_dir: where prepared data sets are kept.
        path: a file of one's own instead: an .npz with train_x, train_y, test_x, test_y.
        validation: training pictures held out, a number, or a share where below 1; 0 trains on everything.
        split_seed: of the choice of those; the same for every run, so that runs can be compared.
        batch_size, augment, seed: see `DataModule`.
    """

    CLASSES: ClassVar[tuple[str, ...]]
    GROUPS: ClassVar[tuple[str, ...]] = ()
    GROUP_OF: ClassVar[tuple[int, ...]] = ()
    FILE: ClassVar[str | None] = None  # stem of the prepared file where it is another's; else the name

    def __init__(
        self,
        name: str,
        data_dir: str,
        path: str | None = None,
        validation: float = 5000,
        split_seed: int = 0,
        batch_size: int = 128,
        augment: Augment | None = None,
        seed: int = 0,
    ):
        super().__init__(name, batch_size, augment, seed)
        if validation < 0 or (validation > 1 and validation != int(validation)):
            raise UserError(
                f"data.validation={validation} is neither a number of pictures nor a share: take 5000, 0.1 or 0"
            )
        self.own = path is not None
        self.path = Path(path) if path is not None else Path(data_dir) / f"{self.FILE or name}.npz"
        self.validation, self.split_seed = validation, split_seed

    @abstractmethod
    def download(self, folder: Path) -> Npz:
        """All arrays, fetched from where they are published; `folder` is for what comes with them.

        Raises:
            OSError, RuntimeError: they could not be fetched, or their checksum is wrong.
        """

    def _fetch(self) -> Npz:
        log.info("downloading %s", self.title)
        with TemporaryDirectory() as folder:
            try:
                return self.download(Path(folder))
            except (OSError, RuntimeError) as error:
                reason = str(error).strip().splitlines()[0].rstrip(":")
                raise UserError(
                    f"{self.title} is not at {self.path.absolute()} and could not be downloaded ({reason}): "
                    "connect to the network, or name a prepared file with data.path=FILE.npz"
                ) from None

    def _stored(self) -> Npz:
        if self.own and not self.path.exists():
            raise UserError(f"data.path={self.path} does not exist: name an .npz with train_x, train_y, test_x, test_y")
        return cached_npz(self.path, self._fetch)

    def prepare_data(self) -> None:
        """Download unless it is there."""
        if not self.path.exists():
            self._stored()

    def load(self) -> dict[str, Arrays]:
        """Read and check the file, and hold out the validation split."""
        arrays = self._stored()
        train, test = (self._checked(arrays, split) for split in ("train", "test"))
        if train[0].shape[1:] != test[0].shape[1:]:
            raise UserError(
                f"{self.path}: training pictures are {list(train[0].shape[1:])}, test pictures "
                f"{list(test[0].shape[1:])}: they must be alike"
            )
        count = self._held_out(len(train[0]))
        splits = {"train": train, "val": train, "test": test}
        if count:
            order = torch.randperm(len(train[0]), generator=seeded(self.split_seed))
            splits |= {"train": _at(train, order[count:]), "val": _at(train, order[:count])}
        else:
            del splits["val"]
        pictures = splits["train"][0]
        height, width = pictures.shape[1:3]
        mean, std = statistics(pictures)
        self.task = Task(
            self.title, "classes", (len(mean), height, width), mean, std, self.CLASSES, self.GROUPS, self.GROUP_OF
        )
        return splits

    def _held_out(self, total: int) -> int:
        count = round(self.validation * total) if self.validation < 1 else int(self.validation)
        if count >= total:
            raise UserError(f"data.validation={self.validation} leaves nothing of {total} pictures to train on")
        return count

    def _checked(self, arrays: Npz, split: str) -> Arrays:
        """A split's pictures and labels, refused in one sentence where they are not what they should be."""
        if missing := [name for name in (f"{split}_x", f"{split}_y") if name not in arrays]:
            raise UserError(f"{self.path} has no {missing[0]}: {self._remedy()}")
        x, y = self._pictures(arrays[f"{split}_x"], split), arrays[f"{split}_y"]
        shape = (len(x), 2) if self.GROUPS else (len(x),)
        if y.dtype.kind not in "iu" or y.shape != shape:
            what = "a fine and a coarse label" if self.GROUPS else "one label"
            raise UserError(
                f"{self.path}: {split}_y must be whole numbers {list(shape)}, {what} a picture, not {y.dtype} "
                f"{list(y.shape)}: {self._remedy()}"
            )
        for labels, names in zip(y.reshape(len(x), -1).T, (self.CLASSES, self.GROUPS), strict=False):
            if labels.min() < 0 or labels.max() >= len(names):
                wrong = labels.min() if labels.min() < 0 else labels.max()
                raise UserError(
                    f"{self.path}: {split}_y holds the label {wrong}, but {self.title} has 0 to {len(names) - 1}: "
                    f"{self._remedy()}"
                )
        if self.GROUPS and (np.asarray(self.GROUP_OF)[y[:, 0]] != y[:, 1]).any():
            raise UserError(f"{self.path}: {split}_y pairs a fine label with a wrong coarse one: {self._remedy()}")
        return torch.from_numpy(x), torch.from_numpy(y.astype(np.int64, copy=False))

    def _pictures(self, x: np.ndarray, split: str) -> np.ndarray:
        """A split's inputs as pictures [N, H, W] or [N, H, W, 3], refused where they are none."""
        if x.dtype != np.uint8 or x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[3] != 3) or 0 in x.shape:
            raise UserError(
                f"{self.path}: {split}_x must be uint8 [N, H, W] or [N, H, W, 3], not {x.dtype} {list(x.shape)}: "
                f"{self._remedy()}"
            )
        return x

    def _remedy(self) -> str:
        return "name another with data.path" if self.own else "delete it to have it downloaded anew"


def _at(arrays: Arrays, index: Tensor) -> Arrays:
    return arrays[0][index], arrays[1][index]


def statistics(pictures: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of pictures uint8 [N, H, W] or [N, H, W, C], exactly."""
    channels = pictures.shape[3] if pictures.ndim == 4 else 1
    total = torch.zeros(2, channels, dtype=torch.float64)
    for part in pictures.split(2000):  # a float copy of everything would need four times its memory
        values = part.reshape(-1, channels).float()
        total += torch.stack([values.sum(0, dtype=torch.float64), values.square().sum(0, dtype=torch.float64)])
    mean, square = total / (pictures.numel() / channels)
    return tuple(mean.tolist()), tuple((square - mean**2).clamp_min(0).sqrt().tolist())


def mean_picture(pictures: Tensor) -> Tensor:
    """The mean of pictures uint8 [N, ...], rounded to levels [...]."""
    return torch.stack([part.float().sum(0) for part in pictures.split(2000)]).sum(0).div(len(pictures)).round().byte()
