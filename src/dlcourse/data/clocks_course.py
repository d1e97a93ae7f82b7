"""The original clock images of the course."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dlcourse.data.batches import Augment
from dlcourse.data.clock_splits import Copies, check_size, checked, checked_percent, split_indices, time_task
from dlcourse.data.images import resized
from dlcourse.data.module import Arrays
from dlcourse.data.npz import check_header
from dlcourse.errors import UserError

log = logging.getLogger(__name__)


class ClocksCourse(Copies):
    """The course's own files: images.npy uint8 [18000, S, S] and labels.npy [18000, 2], 150 or 75 pixels.

    Args:
        path: the folder that holds both files.
        fresh, scene: accepted so that the presets of rendered clocks can be used: `fresh` must be false, and `scene`
            that of these images, `{kind: course}`, or None.
        size: side in pixels that images are resized to; None keeps their size.
        scene_seed: seed of the split.
        split, copies: as in `Clocks`.
        batch_size, augment, seed, name: see `DataModule`.
    """

    task_kind = "time"

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
        scene: Mapping[str, Any] | None = None,
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
            raise UserError("data.fresh=true renders new images, but clocks_course has a fixed set: use data=clocks")
        if dict(scene or {}) not in ({}, {"kind": "course"}):
            raise UserError(
                f"data.scene={dict(scene or {})} is for rendered images, but clocks_course has a fixed set: "
                "use data=clocks"
            )
        if size is not None:
            check_size(size)
        self.path, self.size, self.scene_seed, self.split = path, size, scene_seed, checked_percent(split)

    def load(self) -> dict[str, Arrays]:
        """Read, check and split the files."""
        if self.path is None:
            raise UserError(
                "clocks_course needs the course's files: set data.path to the folder with images.npy and labels.npy"
            )
        self.is_published = True
        first, second = (self._read(Path(self.path) / name) for name in self.SHA256)
        images, labels = checked(Path(self.path), first, second)
        if len(images) < 10:
            raise UserError(f"{self.path} has {len(images)} images: three splits need at least 10")
        if self.size is not None:
            images = resized(images, (self.size, self.size))
        splits = split_indices(len(images), self.scene_seed, self.split)
        self.task = time_task(self.title, images[splits["train"]])
        return {split: (images[index], labels[index]) for split, index in splits.items()}

    def _read(self, path: Path) -> np.ndarray:
        try:
            if path.exists() and not path.is_file():
                raise ValueError("not a file")
            with path.open("rb") as file:
                check_header(file, path.stat().st_size)
                file.seek(0)
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            array = np.load(path, allow_pickle=False)
        except FileNotFoundError:
            raise UserError(f"{path} not found: set data.path to the folder with images.npy and labels.npy") from None
        except Exception as error:  # numpy raises many types for a damaged header
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise UserError(f"{path} could not be read as .npy ({reason}): copy it again") from None
        if digest not in self.SHA256[path.name]:
            self.is_published = False
            log.warning("%s differs from the course's file (sha256); it is used unchanged", path)
        return array
