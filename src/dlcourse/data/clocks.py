"""Clocks: analog-clock pictures rendered on the spot, or the original files of the course."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from dlcourse.clocks.encodings import MINUTES
from dlcourse.clocks.render import RENDERER_VERSION, render
from dlcourse.clocks.scene import Scene, SceneRanges, draw_scenes
from dlcourse.data.batches import Augment, Batch, Batches, mix, seeded
from dlcourse.data.files import check_header
from dlcourse.data.module import Arrays, DataModule
from dlcourse.data.rendered import Rendered
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
    """What both clock data sets share: a training set enlarged by augmented copies, made once and kept in memory.

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


class Clocks(Copies, Rendered):
    """Rendered clocks, every minute of the dial equally often.

    Args:
        data_dir: where the rendered splits are kept.
        count: pictures in all, 80 % of them for training, 10 % for validation, 10 % for test.
        size: side of a picture in pixels.
        fresh: draw new training pictures for every batch, never one twice; an epoch is as many as the split has.
        scene_seed: of the stored pictures and of the split; the same for every run, so that runs can be compared.
        scene: ranges of the renderer that differ from `SceneRanges`, by name.
        split: percent of the pictures for training, validation (0: the last epoch is what is tested) and test.
        copies: times that each stored training picture is in the training set, see `Copies`.
        batch_size, augment, seed, name: see `DataModule`; `seed` also draws the fresh pictures.
    """

    KIND = "clocks"

    def __init__(
        self,
        data_dir: str,
        count: int = 18_000,
        size: int = 150,
        fresh: bool = True,
        scene_seed: int = 0,
        scene: Mapping[str, Any] | None = None,
        split: Sequence[int] = (80, 10, 10),
        copies: int = 1,
        batch_size: int = 64,
        augment: Augment | None = None,
        seed: int = 0,
        name: str = "clocks",
    ):
        super().__init__(copies, name, batch_size, augment, seed)
        self.data_dir, self.split = data_dir, checked_percent(split)
        if count < 30:
            raise UserError(f"data.count={count} is too few for three splits: take 720 or more")
        if fresh and copies > 1:
            raise UserError(f"data.copies={copies} is for a fixed training set: add data.fresh=false")
        check_size(size)
        try:
            self.ranges = SceneRanges(**(scene or {}))
        except (TypeError, ValueError) as error:
            raise UserError(f"data.scene: {error}") from None
        self.count, self.size, self.fresh, self.scene_seed = count, size, fresh, scene_seed

    def file_settings(self) -> Mapping[str, Any]:
        """What the stored pictures depend on."""
        return {
            "count": self.count,
            "size": self.size,
            "fresh": self.fresh,
            "seed": self.scene_seed,
            "scene": vars(self.ranges),
            "split": self.split,
            "renderer": RENDERER_VERSION,
        }

    def scenes(self) -> dict[str, tuple[Scene, Tensor]]:
        """What the stored pictures of each split show: hidden parameters, and minutes [N]."""
        minutes = torch.arange(self.count) % MINUTES
        scene = draw_scenes(minutes, mix(self.scene_seed, 0), self.ranges)
        found = {
            split: (scene[index], minutes[index])
            for split, index in split_indices(self.count, self.scene_seed, self.split).items()
        }
        if self.fresh:
            minutes = torch.randperm(FRESH_SAMPLE, generator=seeded(self.scene_seed))
            found["train"] = draw_scenes(minutes, mix(self.scene_seed, 1), self.ranges), minutes
        return found

    def render_splits(self) -> dict[str, np.ndarray]:
        """Pictures uint8 [N, S, S] and times [N, 2]."""
        arrays: dict[str, np.ndarray] = {}
        for split, (scene, minutes) in self.scenes().items():
            arrays[f"{split}_x"] = render(scene, self.size).numpy()
            arrays[f"{split}_y"] = time_labels(minutes).numpy()
        return arrays

    def load(self) -> dict[str, Arrays]:
        """Read the rendered splits."""
        stored = self.stored()
        splits = [split for split in SPLITS if split != "val" or self.split[1]]
        arrays = {split: checked(self.path, stored.get(f"{split}_x"), stored.get(f"{split}_y")) for split in splits}
        self.task = time_task(self.title, arrays["train"][0])
        return arrays

    def _take_fresh(self, index: Tensor, epoch: int, number: int) -> Batch:
        minutes = index % MINUTES
        scene = draw_scenes(minutes, mix(self.seed, 2, epoch, number, self.rank), self.ranges)
        pictures = render(scene, self.size, device=self.device)
        pictures = self._augmented(self.augment, pictures, index, epoch, number)
        return pictures, time_labels(minutes).to(self.device)

    def train_dataloader(self) -> Batches:
        """New pictures for every batch where `fresh`, else the stored ones shuffled."""
        if not self.fresh:
            return super().train_dataloader()
        count = len(split_indices(self.count, self.scene_seed, self.split)["train"])
        if self.batch_size > count:
            raise UserError(
                f"data.batch_size={self.batch_size} is larger than the {count} training pictures of an epoch"
            )
        return self._batches(count, self._take_fresh, self.batch_size, train=True)


class ClocksCourse(Copies):
    """The course's own files: images.npy uint8 [18000, S, S] and labels.npy [18000, 2], 150 or 75 pixels.

    Args:
        path: the folder that holds both files.
        fresh: there are no new pictures; it is here to be refused.
        size: side in pixels that pictures are resized to; None: as they are.
        scene_seed: of the split.
        split, copies: as in `Clocks`.
        batch_size, augment, seed, name: see `DataModule`.
    """

    SHA256: ClassVar = {
        "images.npy": (
            "8a1dc371ea4809b51ac53490448a34320dcbffb6841570498e62e16538c25e4c",
            "15b55db56f1170614d7ce8de4c1a81b5b6ac1a7c2181fd10f420f8c01b0c46df",
        ),
        "labels.npy": ("a54beb9e9f4f69ae524ced55506768703914ae4f3a2272b05262c16d41923b2c",),
    }

    def __init__(
        self,
        path: str | None,
        size: int | None = None,
        fresh: bool = False,
        scene_seed: int = 0,
        split: Sequence[int] = (80, 10, 10),
        copies: int = 1,
        batch_size: int = 64,
        augment: Augment | None = None,
        seed: int = 0,
        name: str = "clocks_course",
    ):
        super().__init__(copies, name, batch_size, augment, seed)
        if fresh:
            raise UserError("data.fresh=true draws new pictures, and clocks_course has its own only: take data=clocks")
        if size is not None:
            check_size(size)
        self.path, self.size, self.scene_seed, self.split = path, size, scene_seed, checked_percent(split)

    def load(self) -> dict[str, Arrays]:
        """Read, compare and split the files."""
        if self.path is None:
            raise UserError("clocks_course needs the course's files: data.path=FOLDER with images.npy and labels.npy")
        arrays = [self._read(Path(self.path) / name) for name in self.SHA256]
        pictures, labels = checked(Path(self.path), *arrays)
        if len(pictures) < 10:
            raise UserError(f"{self.path} has {len(pictures)} pictures: three splits need at least 10")
        if self.size not in (None, pictures.shape[1]):
            pictures = interpolate(pictures[:, None], self.size, mode="bilinear", antialias=True)[:, 0]
        splits = split_indices(len(pictures), self.scene_seed, self.split)
        self.task = time_task(self.title, pictures[splits["train"]])
        return {split: (pictures[index], labels[index]) for split, index in splits.items()}

    def _read(self, path: Path) -> np.ndarray:
        try:
            if path.exists() and not path.is_file():
                raise ValueError("it is no file")
            with path.open("rb") as file:
                check_header(file, path.stat().st_size)
                file.seek(0)
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            array = np.load(path, allow_pickle=False)
        except FileNotFoundError:
            raise UserError(f"{path} is not there: data.path names the folder with images.npy and labels.npy") from None
        except Exception as error:  # of a damaged header numpy raises whatever its parts do
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise UserError(f"{path} is no readable .npy file ({reason}): copy it again") from None
        if digest not in self.SHA256[path.name]:
            log.warning("%s is not the course's file (its sha256 differs); it is used as it is", path)
        return array


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
