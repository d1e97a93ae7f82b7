"""The factors of a cartoon face, and seeded random values of them.

A number is uniform between its bounds; a choice has names with weights. Lengths are in hundredths of the image's
side, left and right are the viewer's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Number(NamedTuple):
    """A continuous factor."""

    name: str
    low: float
    high: float


class Choice(NamedTuple):
    """A factor with one of several values; `weights` by name need not sum to one."""

    name: str
    weights: dict[str, float]


def _alike(names: str) -> dict[str, float]:
    return dict.fromkeys(names.split(), 1.0)


FACTORS: tuple[Number | Choice, ...] = (
    # The head and how it is held.
    Number("x", -4.5, 4.5),  # of the head's middle, from the image's
    Number("y", -2.5, 2.5),
    Number("turn", -1.0, 1.0),  # to the left or right; 1 is about 40 degrees
    Number("nod", -1.0, 1.0),  # up or down
    Number("tilt", -9.0, 9.0),  # degrees clockwise
    Number("head_width", 17.5, 22.5),  # radius of the skull
    Number("head_height", 4.0, 10.0),  # half the distance from the skull's middle to the jaw's
    Number("jaw", 0.72, 1.15),  # its radius / the skull's
    Number("squareness", 0.0, 1.0),  # round to box
    Number("ear_size", 3.6, 6.4),
    # The face.
    Number("eye_size", 6.8, 9.8),  # radius
    Number("eye_gap", -0.5, 2.4),  # between the two
    Number("look_x", -1.0, 1.0),  # where the pupils are
    Number("look_y", -1.0, 1.0),
    Number("pupil_size", 0.3, 0.5),  # radius / the eye's
    Number("lids", -0.3, 0.42),  # share of the eye that the lid covers
    Number("lid_tilt", -0.4, 0.4),  # sad to angry
    Number("brow_height", 0.5, 6.5),  # above the eye
    Number("brow_tilt", -0.6, 0.45),  # sad to angry
    Number("brow_thickness", 0.6, 2.1),
    Number("nose_size", 3.0, 5.4),
    Number("smile", -0.6, 1.0),
    Number("mouth_open", -0.7, 1.0),  # closed below 0
    Number("mouth_width", 7.5, 12.5),
    Number("hair_volume", 0.85, 1.2),
    Number("blush", 0.0, 0.75),
    Choice("skin", _alike("yellow peach rose tan brown umber olive mint sky lilac")),
    Choice("eyes", {"both_open": 13, "left_closed": 1, "right_closed": 1, "both_closed": 1}),
    Choice("iris", _alike("black brown blue green violet")),
    Choice("lashes", {"none": 2, "long": 1}),
    Choice("nose_shape", _alike("button drop pointed potato snub")),
    Choice("teeth", {"row": 3, "two": 1, "none": 1}),
    Choice("freckles", {"none": 4, "some": 1}),
    Choice("beard", {"none": 7, "stubble": 1, "moustache": 1.3, "goatee": 1, "full": 1.3}),
    # Hair and things that are worn.
    Choice(
        "hair",
        _alike("bald sprout crop spikes bob curls mohawk bun pigtails long quiff tufts swirl locks"),
    ),
    Choice("hair_colour", _alike("black brown chestnut ginger blond grey white pink blue teal violet")),
    Choice("glasses", {"none": 6, "round": 1, "square": 1, "dark": 1}),
    Choice("earrings", {"none": 4, "studs": 1, "hoops": 1}),
    Choice("hat", {"none": 9, "beanie": 1, "cap": 1, "party": 1, "bow": 1, "crown": 0.8, "bowler": 1}),
    Choice("clothes", _alike("crew stripes v_neck tie dungarees")),
    Choice("clothes_colour", _alike("red orange green teal blue purple pink white")),
    Choice("background", _alike("plain halo stripes dots rays checks")),
    Choice("background_colour", _alike("sky mint lemon apricot rose lilac sand grey")),
)
NAMES: tuple[str, ...] = tuple(factor.name for factor in FACTORS)
# The number of values of a factor, 0 for a continuous one.
CATEGORIES: tuple[int, ...] = tuple(len(factor.weights) if isinstance(factor, Choice) else 0 for factor in FACTORS)
_COLUMN = {name: column for column, name in enumerate(NAMES)}


def values_of(name: str) -> tuple[str, ...]:
    """The names of a choice's values, in the order of their numbers."""
    factor = FACTORS[_COLUMN[name]]
    if not isinstance(factor, Choice):
        raise ValueError(f"{name} is a number, not a choice")
    return tuple(factor.weights)


@dataclass(frozen=True)
class Scene:
    """N faces: `scene.turn`, `scene.hair`, ... give a factor [N], choices as the index of their value.

    Attributes:
        factors: float32 [N, len(FACTORS)], in the units named there.
        flat: without shades and highlights.
    """

    factors: Tensor
    flat: bool = False

    def __getattr__(self, name: str) -> Tensor:
        if name not in _COLUMN:
            raise AttributeError(f"unknown factor of a face: {name!r}")
        column = self.factors[:, _COLUMN[name]]
        return column.long() if CATEGORIES[_COLUMN[name]] else column

    def __len__(self) -> int:
        return len(self.factors)

    def __getitem__(self, images: slice | Tensor) -> Scene:
        return Scene(self.factors[images], self.flat)

    def replaced(self, name: str, value: float | Tensor) -> Scene:
        """The same faces with another value of one factor."""
        factors = self.factors.clone()
        factors[:, _COLUMN[name]] = value
        return Scene(factors, self.flat)


def draw_scenes(count: int, seed: int) -> Scene:
    """Draw random faces in which every factor varies, on the CPU, so that every device gets the same.

    Face i depends on i and the seed only, so a longer draw begins with the shorter one.

    Raises:
        ValueError: a count below 0.
    """
    return Scene(draw_factors(FACTORS, count, seed))


def draw_factors(factors: tuple[Number | Choice, ...], count: int, seed: int) -> Tensor:
    """Random values of some factors, float32 [N, F] on the CPU: numbers, or the place of a choice's value.

    Raises:
        ValueError: a count below 0.
    """
    if count < 0:
        raise ValueError(f"count={count} is below 0: use 0 or more")
    # float64 makes torch fill the rows one number after the other, so a longer draw begins with the shorter one.
    uniform = torch.rand(count, len(factors), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    columns = []
    for factor, column in zip(factors, uniform.T, strict=True):
        if isinstance(factor, Number):
            columns.append(factor.low + (factor.high - factor.low) * column)
        else:
            share = torch.tensor(list(factor.weights.values()), dtype=torch.float64).cumsum(0)
            columns.append(torch.bucketize(column.contiguous(), share[:-1] / share[-1], right=True).double())
    return torch.stack(columns, 1).float()
