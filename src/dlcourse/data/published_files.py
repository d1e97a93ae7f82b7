"""The published data sets in the forms that other programs store: IDX files, torchvision's folders, Keras' .npz."""

import gzip
import hashlib
import zlib
from pathlib import Path

import numpy as np

from dlcourse.data.npz import Npz
from dlcourse.errors import UserError

SPLITS = {"train": "train", "test": "t10k"}  # prefix of the IDX files
# SHA-256 of the images and labels, independent of their order (see `digest`).
DIGESTS = {
    "digits16": "098ec80b26450385",
    "mnist": "7c45a2fdc7987036",
    "fashion_mnist": "2134b2fd938105c3",
    "cifar10": "05c95cba8ba7fd84",
    "cifar100": "9ced3d2dff7b21c9",
}


def digest(arrays: Npz) -> str:
    """A checksum of train_x, train_y, test_x and test_y that does not depend on the order of the images."""
    total = hashlib.sha256()
    for split in ("train", "test"):
        rows = zip(np.ascontiguousarray(arrays[f"{split}_x"]), arrays[f"{split}_y"].astype(np.int64), strict=True)
        codes = np.array([zlib.crc32(y.tobytes(), zlib.crc32(x)) for x, y in rows], np.uint32)
        total.update(np.sort(codes).tobytes())
    return total.hexdigest()[:16]


def keras_names(arrays: Npz) -> Npz:
    """Arrays of an .npz file of Keras, x_train to y_test, under our names; any others unchanged."""
    names = {"x_train": "train_x", "y_train": "train_y", "x_test": "test_x", "y_test": "test_y"}
    return {names.get(name, name): array for name, array in arrays.items()}


def idx_files(folder: Path, name: str) -> dict[str, Path]:
    """The four IDX files of a folder, or of torchvision's folders in it, by our names of the arrays; empty if none.

    Args:
        folder: to look in.
        name: of torchvision's class, such as `MNIST`.

    Raises:
        UserError: some of the four are missing.
    """
    for place in (folder, folder / name / "raw", folder / "raw"):
        found = {}
        for split, prefix in SPLITS.items():
            for part, kind in (("x", "images-idx3"), ("y", "labels-idx1")):
                stems = (f"{prefix}-{kind}-ubyte", f"{prefix}-{kind.replace('-', '.', 1)}-ubyte")
                paths = [place / f"{stem}{end}" for stem in stems for end in ("", ".gz")]
                found |= {f"{split}_{part}": path for path in paths if path.is_file()}
        if found and len(found) < 4:
            missing = next(f"{s}_{p}" for s in SPLITS for p in "xy" if f"{s}_{p}" not in found)
            raise UserError(f"{place} lacks the IDX file of {missing}: give all four files")
        if found:
            return found
    return {}


def read_idx(path: Path) -> np.ndarray:
    """An IDX file of bytes (LeCun et al., 1998), compressed or not, as uint8.

    Raises:
        UserError: it is damaged.
    """
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        if content[:3] != b"\x00\x00\x08" or len(content) < 4 + 4 * content[3]:
            raise ValueError("its header is not that of an IDX file of bytes")
        shape = np.frombuffer(content, ">u4", content[3], 4).tolist()
        return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape).copy()
    except (OSError, EOFError, zlib.error, ValueError, IndexError) as error:
        raise UserError(f"{path} could not be read as an IDX file ({error}): copy it again") from None
