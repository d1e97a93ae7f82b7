"""A user's own labelled images: class folders or a CSV file."""

import logging
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import joblib
import numpy as np
from tqdm import tqdm

from dlcourse.data.batches import Augment
from dlcourse.data.image_files import UNREADABLE, as_text, printable, read_picture, why_unreadable
from dlcourse.data.labelled_files import Labelled, find
from dlcourse.data.module import Arrays
from dlcourse.data.npz import Npz, cached_npz, settings_hash
from dlcourse.data.own import OwnImages
from dlcourse.errors import UserError

log = logging.getLogger(__name__)

VERSION = 1  # of the preparation; a part of the cached file's name
COLOURS = ("auto", "grey", "colour")
SMALLEST, LARGEST = 8, 1024  # pixels a side
GREY = 8  # levels by which the colours of a grey image may differ after lossy compression
NAMED = 20  # skipped files that are listed by name


class ImageFolder(OwnImages):
    """Images in one folder for each class, or named by a CSV file with the columns file,label[,split].

    Class folders may be inside train/, val/ (or valid/, validation/) and test/; a split that is not given is drawn from
    the training images, stratified by class. Images of any format and size are turned by their EXIF orientation,
    cropped to the central square and resized, once: the result is an .npz file in `data_dir`, named by a hash of the
    settings and of the files' names, labels, sizes and times. Files that cannot be decoded are skipped with a warning.

    Args:
        path: the folder, or the CSV file.
        size: side of the images in pixels.
        colour: `grey`, `colour`, or `auto`: grey if all images are.
        data_dir: where prepared images are stored.
        name, validation, test, split_seed, folds, fold, balance, batch_size, augment, seed: see `OwnImages`.
    """

    pad = False  # whether images that are not square get their edges repeated, instead of being cropped

    def __init__(
        self,
        name: str,
        data_dir: str,
        path: str | None = None,
        size: int = 64,
        colour: str = "auto",
        validation: float = 0.15,
        test: float = 0.15,
        split_seed: int = 0,
        folds: int | None = None,
        fold: int | None = None,
        balance: bool = False,
        batch_size: int = 32,
        augment: Augment | None = None,
        seed: int = 0,
    ):
        super().__init__(name, path, validation, test, split_seed, folds, fold, balance, batch_size, augment, seed)
        if not SMALLEST <= size <= LARGEST:
            raise UserError(f"data.size={size} is out of range: use {SMALLEST} to {LARGEST} pixels, for example 64")
        if colour not in COLOURS:
            raise UserError(f"data.colour={colour} is unknown: use {', '.join(COLOURS)}")
        self.data_dir, self.size, self.colour = Path(data_dir), size, colour

    def prepare_data(self) -> None:
        """Decode and resize the images unless they are in the cache."""
        self._prepared()

    def load(self) -> dict[str, Arrays]:
        """Split the prepared images."""
        stored = self._prepared()
        return self.split(stored["x"], stored["y"], stored["split"], tuple(stored["classes"].tolist()))

    def stamp(self) -> tuple[tuple[str, int, str, int, int], ...]:
        """Name, label, split, size and time of each image file, so that any change of them is noticed."""
        found = self._found
        return tuple(
            (as_text(file), label, split, (stat := file.stat()).st_size, stat.st_mtime_ns)
            for file, label, split in zip(found.files, found.labels, found.splits, strict=True)
        )

    @cached_property
    def _found(self) -> Labelled:
        return find(self.path)

    def _prepared(self) -> Npz:
        """`x`, `y`, `split` and `classes` of all images that can be decoded."""
        settings = {
            "version": VERSION,
            "files": self.stamp(),
            "classes": self._found.classes,
            "size": self.size,
            "colour": self.colour,
        } | ({"pad": True} if self.pad else {})
        cached = self.data_dir / f"{self.title}-{settings_hash(settings)}.npz"
        return cached_npz(cached, lambda: self._prepare(self._found))

    def _prepare(self, found: Labelled) -> Npz:
        x, decoded = decode(found.files, self.size, self.colour, self.pad)
        labels = np.asarray(found.labels)
        lost = sorted(set(found.labels) - set(labels[decoded].tolist())) if found.classes or not len(x) else []
        if lost:
            where = f"the class {found.classes[lost[0]]!r}" if found.classes else printable(self.path)
            raise UserError(f"{where} does not contain an image that can be decoded: give PNG, JPEG or similar files")
        return {
            "x": x,
            "y": labels[decoded],
            "split": np.asarray(found.splits)[decoded],
            "classes": np.asarray(found.classes),
        }


def decode(files: list[Path], size: int, colour: str, pad: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Decode image files on all cores, with a progress bar.

    Args:
        files: to decode.
        size: side of the results in pixels.
        colour, pad: as in `ImageFolder`.

    Returns:
        Images uint8 [M, size, size] or [M, size, size, 3], and which of the files they are, bool [N] with M set.
        Files that cannot be decoded are reported and left out.
    """
    shape = (1 if colour == "grey" else 3, size, size)
    images = np.empty((len(files), size, size, *shape[:1] * (shape[0] > 1)), np.uint8)

    def read(number: int) -> BaseException | None:
        try:
            images[number] = read_picture(files[number], shape, pad)
        except UNREADABLE as error:
            return error
        return None

    # Threads suffice: Pillow decodes and resizes without Python's lock.
    pool = ThreadPoolExecutor(joblib.cpu_count())
    try:
        errors = list(tqdm(pool.map(read, range(len(files))), "preparing images", len(files), unit="", disable=None))
    finally:
        pool.shutdown(cancel_futures=True)
    broken = [number for number, error in enumerate(errors) if error is not None]
    for number in broken[:NAMED]:
        log.warning("skipped %s: %s", printable(files[number]), why_unreadable(errors[number]))
    if broken:
        log.warning("%d of %d files skipped", len(broken), len(files))
    decoded = np.ones(len(files), bool)
    decoded[broken] = False
    images = images[decoded] if broken else images
    if colour == "auto" and all(np.ptp(part, -1).max(initial=0) <= GREY for part in np.array_split(images, 100)):
        images = np.ascontiguousarray(images[..., 1])
    return images, decoded
