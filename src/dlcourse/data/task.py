"""What a data set asks of a model."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Task:
    """A data set's question, stated once by its data module; a family builds its net and head from it.

    Attributes:
        data: name of the data set.
        kind: what the labels are; `time` is an hour and a minute [N, 2].
        in_shape: channels, height and width of a picture.
        mean: mean grey level of the training pictures, in the units they are stored in.
        std: their standard deviation.
    """

    data: str
    kind: str
    in_shape: tuple[int, int, int]
    mean: float
    std: float

    def to_dict(self) -> dict[str, Any]:
        """As plain values, the way a checkpoint carries it."""
        return asdict(self) | {"in_shape": list(self.in_shape)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Task":
        """The inverse of `to_dict`."""
        channels, height, width = values["in_shape"]
        return cls(values["data"], values["kind"], (channels, height, width), values["mean"], values["std"])
