"""Small grey digits as images or as features: the course's (16x16 pixels) and scikit-learn's (8x8)."""

import hashlib
import math
import urllib.request
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from dlcourse.data.batches import Augment, mix
from dlcourse.data.images import LabelledImages, statistics
from dlcourse.data.module import Arrays
from dlcourse.data.npz import Npz, cached_npz
from dlcourse.errors import UserError

VIEWS = ("features", "picture")


class Digits(LabelledImages):
    """Digits stored as floats, one image a row.

    Args:
        view: `picture` gives float32 [N, S, S] (in_shape 1, S, S), `features` the same numbers as [N, S * S].
        validation: training digits held out; 0 by default, since the reported figures are fitted on all of them.
        name, data_dir, path, split_seed, batch_size, augment, seed: see `LabelledImages`.
    """

    CLASSES = tuple("0123456789")
    SIDE: int
    LEVELS: tuple[float, float]  # stored values of black and white

    def __init__(
        self,
        name: str,
        data_dir: str = "",
        path: str | None = None,
        view: str = "features",
        validation: float = 0,
        split_seed: int = 0,
        batch_size: int = 64,
        augment: Augment | None = None,
        seed: int = 0,
    ):
        if view not in VIEWS:
            raise UserError(f"data.view={view} is unknown: use {' or '.join(VIEWS)}")
        super().__init__(name, data_dir, path, validation, split_seed, batch_size, augment, seed)
        self.view = view

    def _images(self, x: np.ndarray, split: str) -> np.ndarray:
        size = self.SIDE**2
        if x.dtype.kind not in "fiu" or math.prod(x.shape[1:]) != size or x.ndim not in (2, 3) or not len(x):
            raise UserError(
                f"{self.path}: {split}_x must be numbers [N, {size}], not {x.dtype} {list(x.shape)}: {self._remedy()}"
            )
        if not np.isfinite(x).all():
            raise UserError(f"{self.path}: {split}_x contains values that are not finite: {self._remedy()}")
        return x.astype(np.float32, copy=False).reshape(-1, self.SIDE, self.SIDE)

    def load(self) -> dict[str, Arrays]:
        """As `LabelledImages`, then in the form of `view`."""
        splits = super().load()
        self.task = replace(self.task, levels=self.LEVELS)
        if self.view == "features":
            self.task = replace(self.task, in_shape=(self.SIDE**2,))
            splits = {split: (x.flatten(1), y) for split, (x, y) in splits.items()}
        return splits


class Digits16(Digits):
    """1,707 + 1,000 handwritten digits of 16x16 pixels in [-1, 1], the course's four csv files.

    Args:
        path: the folder with the csv files, or an .npz with train_x, train_y, test_x, test_y; without it
            `<data_dir>/digits16.npz`, downloaded from the public copy if it does not exist.
        name, data_dir, view, validation, split_seed, batch_size, augment, seed: see `Digits`.
    """

    SIDE, LEVELS = 16, (-1.0, 1.0)
    URL = "https://raw.githubusercontent.com/johnkou97/DeepLearning/master/data/"
    SHA256: ClassVar = {
        "train_in.csv": "6ef54543a0a87a7954aaa4d0f67853f34b208f0f578b4fa6c0b793b758bb32f1",
        "train_out.csv": "c8c69738935c97e8dfe8e25d823c259153929d2f16e7a320d671d8476c917254",
        "test_in.csv": "92eaee35337f1d03bed1a676b95969f96f34cf164b266b035ab6ef98beec9a12",
        "test_out.csv": "8c886d9ef36bfe0dc5e8d99cd06310f8e3f97574d01449ff807b8ac97913e1f1",
    }

    def download(self, folder: Path) -> Npz:
        """Download the four files from a public copy and verify their checksums."""
        for name, digest in self.SHA256.items():
            with urllib.request.urlopen(f"{self.URL}{name}", timeout=60) as response:
                content = response.read()
            if hashlib.sha256(content).hexdigest() != digest:
                raise OSError(f"{self.URL}{name} has a different checksum from the course's file")
            (folder / name).write_bytes(content)
        return read_folder(folder)

    def _stored(self) -> Npz:
        if self.own and not self.path.exists():
            raise UserError(
                f"data.path={self.path} not found: give a folder with {', '.join(self.SHA256)}, or an .npz file"
            )
        return read_folder(self.path) if self.path.is_dir() else cached_npz(self.path, self._fetch, self._remedy())


class Digits28(Digits16):
    """The course's digits centred on 28x28 black pixels and stored like MNIST, to test a net trained on MNIST.

    Args:
        name, data_dir, path, validation, split_seed, batch_size, augment, seed: see `Digits16`.
    """

    FILE, MARGIN = "digits16", 6

    def __init__(
        self,
        name: str,
        data_dir: str = "",
        path: str | None = None,
        validation: float = 0,
        split_seed: int = 0,
        batch_size: int = 64,
        augment: Augment | None = None,
        seed: int = 0,
    ):
        super().__init__(name, data_dir, path, "picture", validation, split_seed, batch_size, augment, seed)

    def load(self) -> dict[str, Arrays]:
        """As `Digits16`, then as grey levels with a margin."""
        splits = {split: (self._framed(x), y) for split, (x, y) in super().load().items()}
        images = splits["train"][0]
        mean, std = statistics(images)
        self.task = replace(self.task, in_shape=(1, *images.shape[1:]), mean=mean, std=std, levels=(0, 255))
        return splits

    def _framed(self, x: Tensor) -> Tensor:
        black, white = self.LEVELS
        return F.pad((x - black).div(white - black).mul(255).round().byte(), (self.MARGIN,) * 4)


class Digits8(Digits):
    """scikit-learn's 1,797 handwritten digits of 8x8 pixels, 0 to 16; a fixed choice of 360 is the test split.

    They come with scikit-learn (from the UCI collection of Alpaydin and Kaynak, 1998), so nothing is downloaded.
    """

    SIDE, LEVELS = 8, (0.0, 16.0)
    TEST, TEST_SEED = 360, 8

    def load(self) -> dict[str, Arrays]:
        """As `Digits`; scikit-learn's digits are always the published ones."""
        splits = super().load()
        self.is_published = True
        return splits

    def prepare_data(self) -> None:
        """Do nothing: the digits come with scikit-learn."""

    def download(self, folder: Path) -> Npz:
        """Read from scikit-learn's folder, since to import it takes seconds."""
        (package,) = find_spec("sklearn").submodule_search_locations  # ty: ignore
        table = np.loadtxt(Path(package) / "datasets" / "data" / "digits.csv.gz", delimiter=",")
        x, y = table[:, :-1], table[:, -1].astype(int)
        # sorted by a hash, so that the split does not depend on a library's random numbers
        order = sorted(range(len(x)), key=lambda i: mix(self.TEST_SEED, i))
        test, train = order[: self.TEST], order[self.TEST :]
        return {"train_x": x[train], "train_y": y[train], "test_x": x[test], "test_y": y[test]}

    def _stored(self) -> Npz:
        if self.own:
            raise UserError("digits8 has digits of its own: use data=digits16 or data=arrays for yours")
        return self.download(self.path)


def read_folder(folder: Path) -> Npz:
    """Read the four csv files of a folder: in each row 256 numbers (train_in, test_in) or a label (the others).

    Raises:
        UserError: a file is missing, or a row does not have the expected number of numbers.
    """
    found = {}
    for split in ("train", "test"):
        x, y = folder / f"{split}_in.csv", folder / f"{split}_out.csv"
        found[f"{split}_x"] = _read_csv(x, Digits16.SIDE**2, "numbers from -1 to 1")
        labels = _read_csv(y, 1, "a label from 0 to 9")[:, 0]
        if (wrong := ~np.isin(labels, range(10))).any():
            row = int(wrong.argmax())
            raise UserError(f"{y}: row {row + 1} contains {labels[row]:g}, but labels are 0 to 9: correct that row")
        if len(labels) != len(found[f"{split}_x"]):
            raise UserError(
                f"{x} has {len(found[f'{split}_x'])} rows but {y.name} {len(labels)}: give one label for each row"
            )
        found[f"{split}_x"], found[f"{split}_y"] = found[f"{split}_x"].astype(np.float32), labels.astype(np.int64)
    return found


def _read_csv(path: Path, columns: int, content: str) -> np.ndarray:
    """A csv file without a header as float64 [N, columns]."""
    rows = []
    try:
        lines = path.read_text("utf8").splitlines()
    except FileNotFoundError:
        raise UserError(
            f"{path} not found: set data.path to a folder with {', '.join(Digits16.SHA256)}, or to an .npz file"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} could not be read ({error}): copy it again") from None
    for number, line in enumerate(lines, 1):
        cells = line.split(",")
        if len(cells) != columns:
            raise UserError(
                f"{path}: row {number} has {len(cells)} columns, not {columns}: give one digit a row, {content}"
            )
        try:
            rows.append([float(cell) for cell in cells])
        except ValueError as error:
            word = str(error).rpartition(": ")[2]
            raise UserError(f"{path}: row {number} contains {word}, which is not a number: give {content}") from None
        if not all(map(math.isfinite, rows[-1])):
            raise UserError(f"{path}: row {number} contains a value that is not finite: give {content}")
    if not rows:
        raise UserError(f"{path} is empty: give one digit a row, {content}")
    return np.array(rows)
