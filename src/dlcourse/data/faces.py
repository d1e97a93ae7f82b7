"""Images without classes: a folder of image files of any size and mode, or a prepared .npz file."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from dlcourse.data.batches import Augment, seeded
from dlcourse.data.folder import decode
from dlcourse.data.image_files import as_text, files_below
from dlcourse.data.images import statistics
from dlcourse.data.module import Arrays, DataModule
from dlcourse.data.npz import Npz, cached_npz, read_npz, settings_hash
from dlcourse.data.task import Task
from dlcourse.errors import UserError

VERSION = 3  # of the preparation; a part of the cached file's name
SHARE = 10  # at most one image in ten is held out for the test, and the same for validation


class Faces(DataModule):
    """Images for generative models; the labels are zeros [N].

    A folder is read recursively: each image is turned by its EXIF orientation, cropped to the central square and
    resized. The result is one .npz file in `data_dir`, named by a hash of the files' names, sizes and times.
    Files that cannot be decoded are skipped with a warning.

    Args:
        name: the data set's name.
        data_dir: where prepared images are stored.
        path: a folder, or an .npz file with train_x and optionally test_x, uint8 [N, H, W] or [N, H, W, 3].
        size: side of the images in pixels.
        colour: whether images are read in colour; None: grey if all of them are grey.
        test, validation: images held out, a tenth at most; `test` is ignored if the file has test_x.
        split_seed: seed of that choice.
        batch_size, augment, seed: see `DataModule`.
    """

    task_kind = "pictures"

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
            raise UserError(f"data.size={size} is too small: use for example 32, 64 or 128")
        if test < 1 or validation < 0:
            raise UserError(
                f"data.test={test} and data.validation={validation} must be at least 1 and 0 images: "
                "use for example 1000 and 500"
            )
        self.data_dir = Path(data_dir)
        self.path = Path(path).expanduser() if path is not None else self.data_dir / f"{name}.npz"
        self.named = path is not None
        self.size, self.colour = size, colour
        self.test, self.validation, self.split_seed = test, validation, split_seed

    def prepare_data(self) -> None:
        """Read a folder's images unless they are in the cache."""
        self._images()

    def load(self) -> dict[str, Arrays]:
        """Read and split the images."""
        arrays = {split: torch.from_numpy(x) for split, x in self._images().items() if split.endswith("_x")}
        train = arrays["train_x"]
        order = torch.randperm(len(train), generator=seeded(self.split_seed))
        most = len(train) // SHARE
        if not most:
            raise UserError(f"{self.path} has {len(train)} images, too few for a test split: give {SHARE} or more")
        splits = {}
        if "test_x" in arrays:
            splits["test"] = arrays["test_x"]
        else:
            count = min(self.test, most)
            splits["test"], order = train[order[:count].sort().values], order[count:]
        count = min(self.validation, most)
        held_out, order = order[:count], order[count:]
        splits = {"train": train[order], **({"val": train[held_out]} if count else {}), **splits}
        mean, std = statistics(splits["train"])
        self.task = Task(self.title, "pictures", (len(mean), self.size, self.size), mean, std)
        return {split: (x, torch.zeros(len(x), dtype=torch.int64)) for split, x in splits.items()}

    def _images(self) -> Npz:
        """`train_x` and, if given, `test_x` in the requested size and colour."""
        if not self.path.exists():
            missing = f"data.path={self.path}" if self.named else f"{self.path.absolute()}"
            raise UserError(
                f"{missing} not found: set data.path to a folder of images, or to an .npz file with train_x"
            )
        if self.path.is_dir():
            return self._folder()
        stored = read_npz(self.path, "set data.path to another file")
        if "train_x" not in stored:
            raise UserError(
                f"{self.path} does not contain train_x: set data.path to an .npz file with it, or to a folder of images"
            )
        found = {split: self._checked(stored[split], split) for split in ("train_x", "test_x") if split in stored}
        colour = any(map(_has_colour, found.values())) if self.colour is None else self.colour
        return {split: self._fitted(x, colour) for split, x in found.items()}

    def _folder(self) -> Npz:
        files = files_below(self.path)
        if not files:
            raise UserError(f"{self.path} is an empty folder: give a folder of images")
        listing = [
            (as_text(path.relative_to(self.path)), path.stat().st_size, path.stat().st_mtime_ns) for path in files
        ]
        settings = {"version": VERSION, "files": listing, "size": self.size, "colour": self.colour}
        cached = self.data_dir / f"{self.title}-{settings_hash(settings)}.npz"
        return cached_npz(cached, lambda: {"train_x": self._read(files)})

    def _read(self, files: list[Path]) -> np.ndarray:
        found, _ = decode(files, self.size, {None: "auto", True: "colour", False: "grey"}[self.colour])
        if not len(found):
            raise UserError(
                f"{self.path} does not contain an image that can be decoded: give PNG, JPEG or similar files"
            )
        return found

    def _checked(self, x: np.ndarray, split: str) -> np.ndarray:
        """Stored images, as [N, H, W] if they have one channel."""
        if x.dtype != np.uint8 or x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[3] not in (1, 3)) or 0 in x.shape:
            raise UserError(
                f"{self.path}: {split} must be uint8 [N, H, W] or [N, H, W, 3], not {x.dtype} {list(x.shape)}: "
                "set data.path to another file"
            )
        return x[..., 0] if x.shape[3:] == (1,) else x

    def _fitted(self, x: np.ndarray, colour: bool) -> np.ndarray:
        """Stored images in the requested size and colour."""
        if x.shape[1:3] == (self.size, self.size) and colour == (x.ndim == 4):
            return x
        mode, side = "RGB" if colour else "L", (self.size, self.size)
        fitted = [ImageOps.fit(Image.fromarray(p).convert(mode), side, Image.Resampling.LANCZOS) for p in x]
        return np.stack([np.asarray(p) for p in fitted])


def _has_colour(x: np.ndarray) -> bool:
    return x.ndim == 4 and any((part != part[..., :1]).any() for part in np.array_split(x, 1 + len(x) // 1000))
