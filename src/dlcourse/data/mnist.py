"""MNIST and Fashion-MNIST: 60,000 + 10,000 grey images of 28x28 pixels, ten classes."""

import gzip
from pathlib import Path
from typing import ClassVar

import torch

from dlcourse.data.batches import Augment, seeded
from dlcourse.data.images import LabelledImages
from dlcourse.data.module import Arrays
from dlcourse.data.npz import Npz
from dlcourse.data.published_files import idx_files, read_idx

DEBIAN_FASHION = Path("/usr/share/datasets/fashion-mnist")  # of the package dataset-fashion-mnist


class MNIST(LabelledImages):
    """Handwritten digits (LeCun et al., 1998); downloaded and verified by torchvision."""

    CLASSES = tuple("0123456789")
    IDX = "MNIST"  # torchvision's name of the folder

    def published(self, path: Path) -> Npz | None:
        """The four IDX files of a folder, or of torchvision's tree in it."""
        files = idx_files(path, self.IDX) if path.is_dir() else {}
        return {name: read_idx(file) for name, file in files.items()} or None

    def download(self, folder: Path) -> Npz:
        """Download with torchvision."""
        from torchvision import datasets

        return _arrays({split: datasets.MNIST(str(folder), split == "train", download=True) for split in _SPLITS})


class ChangedMNIST(MNIST):
    """MNIST with changed test images, to test robustness; each image has its own, fixed change.

    Args:
        change: the random changes of the test images.
        name, data_dir, path, validation, split_seed, batch_size, augment, seed: see `LabelledImages`; `split_seed` is
            also the seed of the changes.
    """

    FILE = "mnist"

    def __init__(
        self,
        change: Augment,
        name: str,
        data_dir: str,
        path: str | None = None,
        validation: float = 5000,
        split_seed: int = 0,
        batch_size: int = 128,
        augment: Augment | None = None,
        seed: int = 0,
    ):
        super().__init__(name, data_dir, path, validation, split_seed, batch_size, augment, seed)
        self.change = change

    def load(self) -> dict[str, Arrays]:
        """As `LabelledImages`, then change the test images."""
        splits = super().load()
        images, labels = splits["test"]
        parts = (
            self.change(images[index], seeded(self.split_seed, 7, number), index, 0)
            for number, index in enumerate(torch.arange(len(images)).split(500))
        )
        return splits | {"test": (torch.cat(list(parts)), labels)}


class FashionMNIST(MNIST):
    """Articles of clothing (Xiao et al., 2017, arXiv:1708.07747); from Debian's package if it is installed."""

    CLASSES: ClassVar = (
        "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
    )  # fmt: skip
    IDX = "FashionMNIST"

    def download(self, folder: Path) -> Npz:
        """Unpack Debian's files, or download with torchvision."""
        from torchvision import datasets

        packed = sorted(DEBIAN_FASHION.glob("*-ubyte.gz"))
        raw = folder / "FashionMNIST" / "raw"
        raw.mkdir(parents=True)
        for path in packed:
            (raw / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
        return _arrays(
            {split: datasets.FashionMNIST(str(folder), split == "train", download=not packed) for split in _SPLITS}
        )


_SPLITS = ("train", "test")


def _arrays(parts: dict) -> Npz:
    found = {f"{split}_x": part.data.numpy() for split, part in parts.items()}
    return found | {f"{split}_y": part.targets.numpy() for split, part in parts.items()}
