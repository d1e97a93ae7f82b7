"""The exclusive or: four points."""

import torch

from dlcourse.data.module import Arrays, DataModule
from dlcourse.data.task import Task

POINTS = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))


class XOR(DataModule):
    """Two inputs, class 1 where they differ.

    The training, validation and test splits are the same four points: metrics show what a net has learnt, not how it
    generalises.

    Args:
        name, batch_size, seed: see `DataModule`.

    Raises:
        UserError: an argument is out of range, or does not fit the data.
    """

    task_kind = "classes"

    def __init__(self, name: str, batch_size: int = 4, seed: int = 0):
        super().__init__(name, batch_size, seed=seed)

    def load(self) -> dict[str, Arrays]:
        """The points float32 [4, 2] and their classes, the same in each split."""
        x = torch.tensor(POINTS)
        arrays = x, (x[:, 0] != x[:, 1]).long()
        self.task = Task(self.title, "classes", (2,), 0.5, 0.5, ("0", "1"))
        return dict.fromkeys(("train", "val", "test"), arrays)
