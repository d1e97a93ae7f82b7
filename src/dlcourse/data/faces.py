"""Pictures without classes: a folder of files of any size and mode, or a prepared .npz."""

import logging
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from dlcourse.data.batches import Augment, seeded
from dlcourse.data.image_files import UNREADABLE, read_picture
from dlcourse.data.images import statistics
from dlcourse.data.module import Arrays, DataModule
from dlcourse.data.npz import Npz, cached_npz, read_npz, settings_hash
from dlcourse.data.task import Task
from dlcourse.errors import UserError

log = logging.getLogger(__name__)

VERSION = 1  # of how pictures are prepared; a part of the cached file's name
SHARE = 10  # at most one in so many is held out for the test, and likewise for validation
NAMED = 20  # broken files that are told by name


class Faces(DataModule):
    """Pictures to learn to draw; the labels are zeros [N].

    A folder is read with everything below it: each picture is turned as its EXIF says, cut square in the middle and
    resized, and all of them are kept as one .npz in `data_dir`, named by a hash of the files' names, sizes and times.
    What cannot be read is skipped and told.

    Args:
        name: the data set's name.
        data_dir: where prepared pictures are kept.
        path: a folder, or an .npz with train_x and perhaps test_x, uint8 [N, H, W] or [N, H, W, 3].
        size: side of the pictures in pixels.
        colour: whether pictures have colour; None: unless all of them are grey.
        test, validation: pictures held out, a tenth at most; `test` counts only where there is no test_x.
        split_seed: of the choice of those.
        batch_size, augment, seed: see `DataModule`.
    """

    def __init__(
        self,
        name: str,
        data_dir: str,
        path: str | None = None,
        size: int = 64,
        colour: bool | None = None,
        test: int = 1000,
        validation: int = 500,
        split_seed: int = 0,
        batch_size: int = 64,
        augment: Augment | None = None,
        seed: int = 0,
    ):
        super().__init__(name, batch_size, augment, seed)
        if size < 8:
            raise UserError(f"data.size={size} is too small for a picture: take 32, 64 or 128")
        if test < 1 or validation < 0:
            raise UserError(
                f"data.test={test} and data.validation={validation} are numbers of pictures: take 1000, 500"
            )
        self.data_dir = Path(data_dir)
        self.path = Path(path).expanduser() if path is not None else self.data_dir / f"{name}.npz"
        self.named = path is not None
        self.size, self.colour = size, colour
        self.test, self.validation, self.split_seed = test, validation, split_seed

    def prepare_data(self) -> None:
        """Read a folder's pictures unless it was done before."""
        self._pictures()

    def load(self) -> dict[str, Arrays]:
        """The pictures, split."""
        arrays = {split: torch.from_numpy(x) for split, x in self._pictures().items() if split.endswith("_x")}
        train = arrays["train_x"]
        order = torch.randperm(len(train), generator=seeded(self.split_seed))
        most = len(train) // SHARE
        if not most:
            raise UserError(f"{self.path} has {len(train)} pictures, too few to hold some out: give {SHARE} or more")
        splits = {}
        if "test_x" in arrays:
            splits["test"] = arrays["test_x"]
        else:
            count = min(self.test, most)
            splits["test"], order = train[order[:count].sort().values], order[count:]
        count = min(self.validation, most)
        held_out, order = order[:count], order[count:]
        splits = {"train": train[order], **({"val": train[held_out]} if count else {}), **splits}
        if len(splits["train"]) < self.batch_size:
            raise UserError(
                f"{self.path} leaves {len(splits['train'])} pictures to train with, fewer than a batch of "
                f"{self.batch_size}: set data.batch_size={len(splits['train'])} or less, or give more pictures"
            )
        mean, std = statistics(splits["train"])
        self.task = Task(self.title, "pictures", (len(mean), self.size, self.size), mean, std)
        return {split: (x, torch.zeros(len(x), dtype=torch.int64)) for split, x in splits.items()}

    def _pictures(self) -> Npz:
        """`train_x` and perhaps `test_x` of the wanted size and colour."""
        if not self.path.exists():
            asked = f"data.path={self.path} does not exist" if self.named else f"there is no {self.path.absolute()}"
            raise UserError(f"{asked}: name a folder of pictures, or an .npz with train_x, by data.path=...")
        if self.path.is_dir():
            return self._folder()
        stored = read_npz(self.path)
        if "train_x" not in stored:
            raise UserError(f"{self.path} has no train_x: name an .npz with pictures, or a folder, by data.path=...")
        found = {split: self._checked(stored[split], split) for split in ("train_x", "test_x") if split in stored}
        colour = any(map(_has_colour, found.values())) if self.colour is None else self.colour
        return {split: self._fitted(x, colour) for split, x in found.items()}

    def _folder(self) -> Npz:
        files = sorted(path for path in self.path.rglob("*") if path.is_file() and not path.name.startswith("."))
        if not files:
            raise UserError(f"{self.path} is an empty folder: put pictures into it")
        listing = [(str(path.relative_to(self.path)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        settings = {"version": VERSION, "files": listing, "size": self.size, "colour": self.colour}
        cached = self.data_dir / f"{self.title}-{settings_hash(settings)}.npz"
        return cached_npz(cached, lambda: {"train_x": self._read(files)})

    def _read(self, files: list[Path]) -> np.ndarray:
        shape = (1 if self.colour is False else 3, self.size, self.size)
        pictures, broken = [], []
        for file in files:
            try:
                pictures.append(read_picture(file, shape))
            except UNREADABLE:
                broken.append(file)
                if len(broken) <= NAMED:
                    log.warning("skipped %s: no picture that can be read", file.relative_to(self.path))
        if not pictures:
            raise UserError(f"{self.path} holds no picture that can be read: give PNGs, JPEGs or the like")
        if broken:
            log.warning("%d of %d files skipped", len(broken), len(files))
        found = np.stack(pictures)
        return found if self.colour or _has_colour(found) or found.ndim == 3 else np.ascontiguousarray(found[..., 0])

    def _checked(self, x: np.ndarray, split: str) -> np.ndarray:
        """Stored pictures, [N, H, W] where they have one channel."""
        if x.dtype != np.uint8 or x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[3] not in (1, 3)) or 0 in x.shape:
            raise UserError(
                f"{self.path}: {split} must be uint8 [N, H, W] or [N, H, W, 3], not {x.dtype} {list(x.shape)}: "
                "name another with data.path"
            )
        return x[..., 0] if x.shape[3:] == (1,) else x

    def _fitted(self, x: np.ndarray, colour: bool) -> np.ndarray:
        """Stored pictures in the wanted size and colour."""
        if x.shape[1:3] == (self.size, self.size) and colour == (x.ndim == 4):
            return x
        mode, side = "RGB" if colour else "L", (self.size, self.size)
        fitted = [ImageOps.fit(Image.fromarray(p).convert(mode), side, Image.Resampling.LANCZOS) for p in x]
        return np.stack([np.asarray(p) for p in fitted])


def _has_colour(x: np.ndarray) -> bool:
    return x.ndim == 4 and any((part != part[..., :1]).any() for part in np.array_split(x, 1 + len(x) // 1000))
