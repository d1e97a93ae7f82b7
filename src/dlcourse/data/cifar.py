"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009): 50,000 + 10,000 colour images of 32x32 pixels."""

import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np

from dlcourse.data.images import LabelledImages
from dlcourse.data.npz import Npz
from dlcourse.errors import UserError, first_line


class CIFAR10(LabelledImages):
    """Ten classes; downloaded and verified by torchvision."""

    CLASSES: ClassVar = (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    )  # fmt: skip

    def published(self, path: Path) -> Npz | None:
        """torchvision's folder of batches, or the published archive."""
        from torchvision.datasets import CIFAR10 as Published

        return read_cifar(path, Published)

    def download(self, folder: Path) -> Npz:
        """Download with torchvision."""
        from torchvision.datasets import CIFAR10 as Published

        return _arrays(Published, folder)


HIERARCHY = {
    "aquatic mammals": "beaver, dolphin, otter, seal, whale",
    "fish": "aquarium fish, flatfish, ray, shark, trout",
    "flowers": "orchid, poppy, rose, sunflower, tulip",
    "food containers": "bottle, bowl, can, cup, plate",
    "fruit and vegetables": "apple, mushroom, orange, pear, sweet pepper",
    "household electrical devices": "clock, keyboard, lamp, telephone, television",
    "household furniture": "bed, chair, couch, table, wardrobe",
    "insects": "bee, beetle, butterfly, caterpillar, cockroach",
    "large carnivores": "bear, leopard, lion, tiger, wolf",
    "large man-made outdoor things": "bridge, castle, house, road, skyscraper",
    "large natural outdoor scenes": "cloud, forest, mountain, plain, sea",
    "large omnivores and herbivores": "camel, cattle, chimpanzee, elephant, kangaroo",
    "medium mammals": "fox, porcupine, possum, raccoon, skunk",
    "non-insect invertebrates": "crab, lobster, snail, spider, worm",
    "people": "baby, boy, girl, man, woman",
    "reptiles": "crocodile, dinosaur, lizard, snake, turtle",
    "small mammals": "hamster, mouse, rabbit, shrew, squirrel",
    "trees": "maple tree, oak tree, palm tree, pine tree, willow tree",
    "vehicles 1": "bicycle, bus, motorcycle, pickup truck, train",
    "vehicles 2": "lawn mower, rocket, streetcar, tank, tractor",
}
_PARENT = {name: group for group, names in HIERARCHY.items() for name in names.split(", ")}


class CIFAR100(LabelledImages):
    """A hundred fine classes in twenty coarse ones, with both labels; downloaded and verified by torchvision."""

    CLASSES: ClassVar = tuple(sorted(_PARENT))  # the published order of both is alphabetical
    GROUPS: ClassVar = tuple(HIERARCHY)
    GROUP_OF: ClassVar = tuple(list(HIERARCHY).index(_PARENT[name]) for name in sorted(_PARENT))

    def published(self, path: Path) -> Npz | None:
        """torchvision's folder of batches, or the published archive."""
        from torchvision.datasets import CIFAR100 as Published

        found = read_cifar(path, Published)
        return found and self._with_groups(found)

    def download(self, folder: Path) -> Npz:
        """Download with torchvision, which reads the fine labels; the coarse ones follow from them."""
        from torchvision.datasets import CIFAR100 as Published

        return self._with_groups(_arrays(Published, folder))

    def _with_groups(self, arrays: Npz) -> Npz:
        for name in ("train_y", "test_y"):
            arrays[name] = np.stack([arrays[name], np.asarray(self.GROUP_OF)[arrays[name]]], 1)
        return arrays


def read_cifar(path: Path, published: Any) -> Npz | None:
    """The arrays of torchvision's folder of batches or of the published archive; None if `path` is neither.

    Args:
        path: the folder, one that contains it, or the .tar.gz file.
        published: torchvision's CIFAR10 or CIFAR100.

    Raises:
        UserError: a checksum is wrong; batches are pickles, so only the published ones are opened.
    """
    from torchvision.datasets.utils import check_integrity

    try:
        if path.is_dir():
            root = path if (path / published.base_folder).is_dir() else path.parent
            return _arrays(published, root, download=False) if (root / published.base_folder).is_dir() else None
        if not path.name.endswith((".tar.gz", ".tgz")):
            return None
        if not check_integrity(str(path), published.tgz_md5):
            raise RuntimeError("its MD5 checksum differs")
        with TemporaryDirectory() as folder, tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
            return _arrays(published, Path(folder), download=False)
    except RuntimeError as error:
        raise UserError(
            f"{path} is not the published {published.__name__} ({first_line(error)}): download it again"
        ) from None


def _arrays(published: Any, folder: Path, download: bool = True) -> Npz:
    found = {}
    for split in ("train", "test"):
        part = published(str(folder), split == "train", download=download)
        found |= {f"{split}_x": part.data, f"{split}_y": np.asarray(part.targets, np.int64)}
    return found
