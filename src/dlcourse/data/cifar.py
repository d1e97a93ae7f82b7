"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009): 50,000 + 10,000 colour images of 32x32 pixels."""

from pathlib import Path
from typing import ClassVar

import numpy as np

from dlcourse.data.images import LabelledImages
from dlcourse.data.npz import Npz


class CIFAR10(LabelledImages):
    """Ten classes; downloaded and verified by torchvision."""

    CLASSES: ClassVar = (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    )  # fmt: skip

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

    def download(self, folder: Path) -> Npz:
        """Download with torchvision, which reads the fine labels; the coarse ones follow from them."""
        from torchvision.datasets import CIFAR100 as Published

        arrays = _arrays(Published, folder)
        for name in ("train_y", "test_y"):
            arrays[name] = np.stack([arrays[name], np.asarray(self.GROUP_OF)[arrays[name]]], 1)
        return arrays


def _arrays(published: type, folder: Path) -> Npz:
    found = {}
    for split in ("train", "test"):
        part = published(str(folder), split == "train", download=True)
        found |= {f"{split}_x": part.data, f"{split}_y": np.asarray(part.targets, np.int64)}
    return found
