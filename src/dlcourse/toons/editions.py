"""Which factors of a cartoon face vary: all of them, or a few on faces with flat colours and a plain background."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from dlcourse.toons.scene import FACTORS, Choice, Number, Scene, draw_factors, values_of


class Edition(NamedTuple):
    """A style of the faces.

    Attributes:
        factors: those that vary; a choice may have fewer values than in `FACTORS`.
        fixed: values of the other factors: numbers, or names of a choice's values.
        flat: without shades and highlights.
    """

    factors: tuple[Number | Choice, ...]
    fixed: dict[str, float | str]
    flat: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the factors that vary."""
        return tuple(factor.name for factor in self.factors)

    @property
    def categories(self) -> tuple[int, ...]:
        """The number of values of each factor that varies; 0 for a number."""
        return tuple(len(factor.weights) if isinstance(factor, Choice) else 0 for factor in self.factors)

    def draw(self, count: int, seed: int) -> tuple[Scene, Tensor]:
        """Random faces on the CPU, and their labels, float32 [N, F] in [0, 1].

        A label is the number's place between its bounds, or k / (K - 1) for value k of K. Face i depends on i and the
        seed only, so a longer draw begins with the shorter one.

        Raises:
            ValueError: a count below 0.
        """
        drawn = draw_factors(self.factors, count, seed)
        low = torch.tensor([f.low if isinstance(f, Number) else 0.0 for f in self.factors])
        high = torch.tensor([f.high if isinstance(f, Number) else len(f.weights) - 1.0 for f in self.factors])
        labels = ((drawn - low) / (high - low)).clamp(0, 1)
        columns = []
        for factor in FACTORS:
            if factor.name in self.fixed:
                value = self.fixed[factor.name]
                number = values_of(factor.name).index(value) if isinstance(value, str) else value
                columns.append(torch.full((count,), float(number)))
                continue
            ours = self.names.index(factor.name)
            column, mine = drawn[:, ours], self.factors[ours]
            if isinstance(mine, Choice):  # from a place among this edition's values to one among all values
                places = torch.tensor([float(values_of(mine.name).index(value)) for value in mine.weights])
                column = places[column.long()]
            columns.append(column)
        return Scene(torch.stack(columns, 1), self.flat), labels


def _some(name: str, values: str) -> Choice:
    return Choice(name, dict.fromkeys(values.split(), 1.0))


EDITIONS = {
    "full": Edition(FACTORS, {}, False),
    "simple": Edition(
        (
            Number("head_width", 17.5, 22.5),
            Number("jaw", 0.72, 1.15),
            Number("eye_size", 6.8, 9.8),
            Number("look_x", -1.0, 1.0),
            Number("brow_tilt", -0.6, 0.45),
            Number("smile", -0.6, 1.0),
            Number("mouth_open", -0.7, 1.0),
            _some("skin", "yellow peach tan brown mint sky"),
            _some("hair", "bald crop spikes bob curls long"),
            _some("hair_colour", "black brown ginger blond pink blue"),
            Choice("glasses", {"none": 2, "round": 1}),
            _some("clothes_colour", "red orange green blue purple white"),
            _some("background_colour", "sky mint lemon rose lilac grey"),
        ),
        {
            "x": 0.0, "y": 0.0, "turn": 0.0, "nod": 0.0, "tilt": 0.0, "head_height": 7.0, "squareness": 0.3,
            "ear_size": 5.0, "eye_gap": 1.0, "look_y": 0.0, "pupil_size": 0.42, "lids": -0.3, "lid_tilt": 0.0,
            "brow_height": 3.5, "brow_thickness": 1.6, "nose_size": 4.2, "mouth_width": 10.5, "hair_volume": 1.0,
            "blush": 0.0, "eyes": "both_open", "iris": "black", "lashes": "none", "nose_shape": "button",
            "teeth": "row", "freckles": "none", "beard": "none", "earrings": "none", "hat": "none", "clothes": "crew",
            "background": "plain",
        },
        True,
    ),
}  # fmt: skip
