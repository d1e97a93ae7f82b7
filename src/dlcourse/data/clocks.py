"""Clocks: analog-clock pictures rendered on the spot, or the original files of the course."""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

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


def split_80_10_10(count: int, seed: int) -> dict[str, Tensor]:
    """Indices of the three splits, a seeded shuffle cut in eight, one and one tenth."""
    order = torch.randperm(count, generator=seeded(seed))
    held_out = count // 10
    test, val, train = order[:held_out], order[held_out : 2 * held_out], order[2 * held_out :]
    return {"train": train, "val": val, "test": test}


class Clocks(Rendered):
    """Rendered clocks, every minute of the dial equally often.

    Args:
        data_dir: where the rendered splits are kept.
        count: pictures in all, 80 % of them for training, 10 % for validation, 10 % for test.
        size: side of a picture in pixels.
        fresh: draw new training pictures for every batch, never one twice; an epoch is as many as the split has.
        scene_seed: of the stored pictures and of the split; the same for every run, so that runs can be compared.
        scene: ranges of the renderer that differ from `SceneRanges`, by name.
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
        batch_size: int = 64,
        augment: Augment | None = None,
        seed: int = 0,
        name: str = "clocks",
    ):
        super().__init__(data_dir, name, batch_size, augment, seed)
        if count < 30:
            raise UserError(f"data.count={count} is too few for three splits: take 720 or more")
        if not 16 <= size <= 1024:
            raise UserError(f"data.size={size} is out of range: take 16 to 1024 pixels")
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
            "renderer": RENDERER_VERSION,
        }

    def scenes(self) -> dict[str, tuple[Scene, Tensor]]:
        """What the stored pictures of each split show: hidden parameters, and minutes [N]."""
        minutes = torch.arange(self.count) % MINUTES
        scene = draw_scenes(minutes, mix(self.scene_seed, 0), self.ranges)
        found = {
            split: (scene[index], minutes[index])
            for split, index in split_80_10_10(self.count, self.scene_seed).items()
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
        arrays = {split: checked(self.path, stored.get(f"{split}_x"), stored.get(f"{split}_y")) for split in SPLITS}
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
        count = self.count - 2 * (self.count // 10)
        if self.batch_size > count:
            raise UserError(
                f"data.batch_size={self.batch_size} is larger than the {count} training pictures of an epoch"
            )
        return self._batches(count, self._take_fresh, self.batch_size, train=True)


class ClocksCourse(DataModule):
    """The course's own files: images.npy uint8 [18000, S, S] and labels.npy [18000, 2], 150 or 75 pixels.

    Args:
        path: the folder that holds both files.
        scene_seed: of the split, 80 / 10 / 10.
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
        scene_seed: int = 0,
        batch_size: int = 64,
        augment: Augment | None = None,
        seed: int = 0,
        name: str = "clocks_course",
    ):
        super().__init__(name, batch_size, augment, seed)
        self.path, self.scene_seed = path, scene_seed

    def load(self) -> dict[str, Arrays]:
        """Read, compare and split the files."""
        if self.path is None:
            raise UserError("clocks_course needs the course's files: data.path=FOLDER with images.npy and labels.npy")
        arrays = [self._read(Path(self.path) / name) for name in self.SHA256]
        pictures, labels = checked(Path(self.path), *arrays)
        if len(pictures) < 10:
            raise UserError(f"{self.path} has {len(pictures)} pictures: three splits need at least 10")
        splits = split_80_10_10(len(pictures), self.scene_seed)
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
