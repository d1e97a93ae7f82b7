"""A user's own labelled images in an .npz file."""

import numpy as np

from dlcourse.data.batches import Augment
from dlcourse.data.module import Arrays
from dlcourse.data.npz import Npz, read_npz
from dlcourse.data.own import OwnImages
from dlcourse.data.published_files import keras_names
from dlcourse.errors import UserError

SPLITS = ("train", "val", "test")
RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))  # usual ranges of float images, black to white


class ImageArrays(OwnImages):
    """Images and labels in an .npz file: `x` and `y`, or `train_x` and `train_y` with optional `val_*` and `test_*`.

    Images are uint8 or float32 of the shape [N, H, W] or [N, H, W, C] with any number of channels C. Labels are whole
    numbers or names [N]; `class_names` [K] names the labels 0 to K - 1.

    Args:
        path: the file.
        name, validation, test, split_seed, folds, fold, balance, batch_size, augment, seed: see `OwnImages`.
    """

    def __init__(
        self,
        name: str,
        path: str | None = None,
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

    def load(self) -> dict[str, Arrays]:
        """Read, check and split the file."""
        if not self.path.exists():
            raise UserError(f"data.path={self.path} not found: give an .npz file with x and y, or train_x and train_y")
        stored = keras_names(read_npz(self.path, "set data.path to another file"))
        if "train_x" not in stored and "x" in stored:
            stored |= {f"train_{part}": stored[part] for part in "xy" if part in stored}
        parts = {split: self._checked(stored, split) for split in SPLITS if split == "train" or f"{split}_x" in stored}
        shapes = {split: list(x.shape[1:]) for split, (x, _) in parts.items()}
        if any(shape != shapes["train"] for shape in shapes.values()) or len({x.dtype for x, _ in parts.values()}) > 1:
            raise UserError(
                f"{self.path}: the splits have images of different shape or type ({shapes}): make them equal"
            )
        x = np.concatenate([x for x, _ in parts.values()])
        given = np.concatenate([[split if len(parts) > 1 else ""] * len(y) for split, (_, y) in parts.items()])
        labels, classes = self._classes(np.concatenate([y for _, y in parts.values()]), stored.get("class_names"))
        return self.split(x, labels, given, classes, _levels(x))

    def _checked(self, stored: Npz, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels of a split.

        Raises:
            UserError: an array is missing or has another shape, order or type.
        """
        for name in (f"{split}_x", f"{split}_y"):
            if name not in stored:
                raise UserError(
                    f"{self.path} does not contain {name}: give x and y, or train_x and train_y "
                    f"(found: {', '.join(stored) or 'nothing'})"
                )
        x, y = stored[f"{split}_x"], stored[f"{split}_y"]
        where, shape = f"{self.path}: {split}_x", list(x.shape)
        y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
        if y.ndim != 1 or y.dtype.kind not in "iubU":
            remedy = f"{split}_y.argmax(1)" if y.ndim == 2 else "whole numbers or names"
            raise UserError(
                f"{self.path}: {split}_y has the shape {list(y.shape)} and type {y.dtype}: "
                f"give one label for each image, for example {remedy}"
            )
        if x.ndim not in (3, 4) or 0 in x.shape:
            raise UserError(f"{where} has the shape {shape}: give images [N, H, W] or [N, H, W, C]")
        if x.dtype not in (np.uint8, np.float32):
            raise UserError(f"{where} has the type {x.dtype}: convert it to uint8 (0 to 255) or float32")
        if len(x) != len(y):
            last = len(y) == x.shape[-1]
            order = "; its last dimension fits, so use np.moveaxis(x, -1, 0)" if last else ": give one for each"
            raise UserError(f"{where} has {len(x)} images but {split}_y {len(y)} labels{order}")
        if x.ndim == 4 and x.shape[1] < min(x.shape[2:]) and x.shape[1] != x.shape[2]:
            raise UserError(
                f"{where} has the shape {shape}, channels first (NCHW): give channels last, x.transpose(0, 2, 3, 1)"
            )
        if x.dtype == np.float32 and not np.isfinite(x).all():
            raise UserError(f"{where} contains values that are not finite: replace them")
        return (x[..., 0] if x.ndim == 4 and x.shape[3] == 1 else x), y

    def _classes(self, y: np.ndarray, names: np.ndarray | None) -> tuple[np.ndarray, tuple[str, ...]]:
        """Labels as numbers from 0, and the names of the classes."""
        values, labels = np.unique(y, return_inverse=True)
        if len(values) < 2:
            raise UserError(f"{self.path} has one class, {values[0]}: give at least two to tell apart")
        if names is None or y.dtype.kind == "U":
            return labels, tuple(map(str, values.tolist()))
        if names.ndim != 1 or values.min() < 0 or values.max() >= len(names):
            raise UserError(
                f"{self.path}: labels are {values.min()} to {values.max()}, but class_names has the shape "
                f"{list(names.shape)}: give one name for each label from 0"
            )
        return y.astype(np.int64), tuple(map(str, names.tolist()))


def _levels(x: np.ndarray) -> tuple[float, float]:
    """The values of black and white."""
    if x.dtype == np.uint8:
        return (0, 255)
    low, high = float(x.min()), float(x.max())
    return next((limits for limits in RANGES if limits[0] <= low and high <= limits[1]), (low, high))
