"""The parameters of rendered clock images: their ranges, and seeded random values from them.

A clock lies on wooden planks and a camera orbits above it. World unit: the dial's radius; z points up from the
dial's plane; the camera looks at the dial's centre from the image's lower side, so "up" in the image is "away".
Angles are in degrees, clockwise as seen in the image, brightness in grey levels of 0..255.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from functools import cache
from typing import ClassVar, Self

import torch
from torch import Tensor

Range = tuple[float, float]


@dataclass(frozen=True)
class Ranges:
    """Base of the ranges of a kind of scene: `(low, high)` of a uniform draw, a probability (a plain number), or kinds.

    A field whose name ends with `_probability` is a probability. A mapping gives kinds by name with their weights; the
    factor is the number of the kind that was drawn. Ranges may be given as lists (as configuration files do), and some
    of the kinds' weights alone. Raises ValueError for a range that is not two finite numbers with low <= high, for a
    probability outside 0..1, for a weight below 0 and for an unknown name.
    """

    # A factor and the probability with which it is drawn; it is zero otherwise.
    GATED: ClassVar[Mapping[str, str]] = {}

    def __new__(cls, *_: object, **overrides: object) -> Self:
        # The generated __init__ would raise a TypeError; configuration code expects a ValueError for a bad value.
        unknown = sorted(set(overrides) - {field.name for field in fields(cls)})
        if unknown:
            raise ValueError(f"unknown scene range: {', '.join(unknown)}")
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_probability"):
                if not _is_number(value) or not 0.0 <= value <= 1.0:
                    raise ValueError(f"{field.name}={value!r} is not a probability: use 0 to 1")
                continue
            if field.default_factory is MISSING:
                is_pair = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2
                if not is_pair or not all(_is_number(bound) for bound in value) or value[0] > value[1]:
                    raise ValueError(
                        f"{field.name}={value!r} is not a range: use two finite numbers [low, high] with low <= high"
                    )
                object.__setattr__(self, field.name, (float(value[0]), float(value[1])))
                continue
            object.__setattr__(self, field.name, _weights(field.name, value, field.default_factory()))

    @classmethod
    def factors(cls) -> tuple[str, ...]:
        """Names of the factors of a scene, in the order of their columns."""
        return tuple(cls.columns())

    @classmethod
    @cache
    def columns(cls) -> dict[str, int]:
        """The column of each factor."""
        names = [field.name for field in fields(cls) if not field.name.endswith("_probability")]
        return {name: column for column, name in enumerate(names)}

    def draw(self, uniform: Tensor) -> Tensor:
        """Factors [N, F] from uniform numbers [N, F + len(GATED)]."""
        names = self.factors()
        found = uniform[:, : len(names)].clone()
        for column, name in enumerate(names):
            value = getattr(self, name)
            if isinstance(value, tuple):
                found[:, column] = value[0] + (value[1] - value[0]) * uniform[:, column]
            else:
                shares = torch.tensor(list(value.values())).cumsum(0)
                found[:, column] = torch.bucketize(uniform[:, column] * shares[-1], shares[:-1], right=True).float()
        for gate, (name, probability) in enumerate(self.GATED.items(), start=len(names)):
            found[:, names.index(name)] *= uniform[:, gate] < getattr(self, probability)
        return found

    def arranged(self, factors: Tensor, minutes_N: Tensor) -> Tensor:
        """The factors [N, F] of images with these times [N].

        A subclass overrides it if some factors follow from others or from the time.
        """
        return factors


def _weights(name: str, value: object, usual: Mapping[str, float]) -> dict[str, float]:
    """Weights of kinds by name; those that `value` leaves out are as usual."""
    if not isinstance(value, Mapping) or not value.keys() <= usual.keys():
        raise ValueError(f"{name}={value!r} is unknown: give weights for some of {', '.join(usual)}")
    found = {kind: value.get(kind, weight) for kind, weight in usual.items()}
    if not all(_is_number(weight) and weight >= 0 for weight in found.values()) or not sum(found.values()):
        raise ValueError(f"{name}={value!r} contains invalid weights: use numbers of 0 or more, not all 0")
    return {kind: float(weight) for kind, weight in found.items()}


@dataclass(frozen=True)
class SceneRanges(Ranges):
    """Every random factor of an image: `(low, high)` of a uniform draw, or a probability (a plain number).

    Ranges may be given as lists (as configuration files do). Raises ValueError for a range that is not two finite
    numbers with low <= high, for a probability outside 0..1 and for an unknown name.
    """

    # Camera.
    azimuth: Range = (0.0, 360.0)  # degrees clockwise: where the dial's 12 points in the image
    tilt: Range = (10.0, 41.0)  # degrees between the line of sight and the vertical
    roll: Range = (-3.0, 3.0)  # degrees: turn of the camera about its line of sight
    zoom: Range = (0.33, 0.54)  # dial's radius / image's side
    focal: Range = (1.25, 1.55)  # focal length / image's side; with the zoom it sets the camera's distance
    centre_x: Range = (0.465, 0.52)  # image sides: where the dial's centre lies, from the left
    centre_y: Range = (0.42, 0.505)  # image sides, from the top

    # Planks. Contrast 1 keeps the texture's standard deviation at 1 grey level.
    wood_brightness: Range = (70.0, 118.0)  # grey levels
    wood_contrast: Range = (10.0, 25.0)  # grey levels a standard deviation
    wood_gradient: Range = (0.0, 40.0)  # grey levels from the image's centre to its edge
    wood_gradient_angle: Range = (0.0, 360.0)  # degrees: towards the brighter side
    wood_scale: Range = (0.8, 1.3)  # size of planks and grain / their drawn size
    wood_angle: Range = (0.0, 180.0)  # degrees from the dial's 12 to the grain
    wood_x: Range = (-0.6, 0.6)  # dial radii: offset along the grain
    wood_y: Range = (-0.6, 0.6)  # dial radii: offset across the grain
    wood_texture: Range = (0.0, 1.0)  # which pre-drawn planks, as a fraction of their number
    shadow_strength: Range = (0.0, 0.6)  # share of light the frame takes from the wood beside it
    shadow_angle: Range = (0.0, 360.0)  # degrees: side on which that shadow falls
    shadow_width: Range = (0.08, 0.35)  # dial radii

    # Frame.
    frame_width: Range = (0.145, 0.215)  # dial radii
    frame_drop: Range = (0.04, 0.11)  # dial radii: how far its foot lies below the dial
    frame_lean: Range = (-0.01, 0.04)  # dial radii: how far its foot lies to the right
    frame_inner: Range = (38.0, 76.0)  # grey levels of the inner slope
    frame_outer: Range = (48.0, 72.0)  # grey levels of the outer slope
    frame_gloss: Range = (8.0, 40.0)  # grey levels by which the inner slope differs around the frame
    frame_gloss_angle: Range = (-150.0, 150.0)  # degrees: towards the inner slope's bright side
    frame_light: Range = (-8.0, 14.0)  # grey levels by which the outer slope is brighter at the bottom
    frame_slope: Range = (0.09, 0.125)  # dial radii: width of the inner slope
    gloss_line_probability: float = 0.45  # a thin light line along the outer slope
    gloss_line: Range = (15.0, 70.0)  # grey levels
    gloss_line_angle: Range = (0.0, 360.0)  # degrees: its middle
    glint_probability: float = 0.7  # a white arc where dial and frame meet
    glint: Range = (40.0, 190.0)  # grey levels
    glint_angle: Range = (80.0, 280.0)  # degrees: its middle
    glint_spread: Range = (5.0, 26.0)  # degrees: half its length
    speck: Range = (0.0, 170.0)  # grey levels of the brightest tiny white speck of the frame

    # Dial.
    dial_brightness: Range = (184.0, 220.0)  # grey levels
    dial_gradient: Range = (0.0, 16.0)  # grey levels from its centre to its rim
    dial_gradient_angle: Range = (0.0, 360.0)  # degrees: towards the brighter side
    rim_shade: Range = (0.0, 0.3)  # share of light lost just inside the rim
    ink: Range = (96.0, 168.0)  # grey levels by which full ink is darker than the dial
    dial_texture: Range = (0.0, 1.0)  # which pre-drawn dial, as a fraction of their number

    # Hands.
    hour_length: Range = (0.58, 0.655)  # dial radii
    minute_length: Range = (0.69, 0.81)  # dial radii
    hour_width: Range = (0.055, 0.095)  # dial radii
    minute_width: Range = (0.05, 0.085)  # dial radii
    hand_taper: Range = (-0.1, 0.3)  # share of its width that a hand loses from its middle to its tip
    tail: Range = (0.03, 0.12)  # dial radii
    hand_height: Range = (0.0, 0.05)  # dial radii above the dial
    hand_brightness: Range = (40.0, 78.0)  # grey levels
    minute_difference: Range = (-8.0, 8.0)  # grey levels by which the minute hand is brighter

    # Reflection of a lamp in the glass.
    reflection_probability: float = 0.4
    reflection_x: Range = (-0.7, 0.7)  # dial radii to the right of the dial's centre, as seen in the image
    reflection_y: Range = (0.0, 0.95)  # dial radii above it
    reflection_size: Range = (0.03, 0.12)  # image sides: distance at which the core has fallen to a quarter
    reflection_strength: Range = (0.4, 2.2)  # share of white in the core's middle; above 1 it burns out
    haze: Range = (0.15, 0.85)  # share of white mixed in around the core
    haze_size: Range = (0.12, 0.36)  # image sides: distance at which the haze has fallen to a quarter
    veil: Range = (0.0, 0.05)  # share of white mixed into the whole image

    # Image.
    blur: Range = (-0.03, 0.24)  # weight of each neighbour in a 3-tap filter at 150 pixels; negative sharpens
    noise: Range = (0.3, 1.8)  # grey levels: half the span of the pixels' uniform noise
    edge_probability: float = 0.7  # for each side: a light line along the image's edge
    edge_left: Range = (0.0, 0.6)  # share of white in that line, one pixel wide at 150 pixels
    edge_right: Range = (0.0, 0.6)
    edge_top: Range = (0.0, 0.6)
    edge_bottom: Range = (0.1, 0.7)

    GATED: ClassVar[Mapping[str, str]] = {
        "gloss_line": "gloss_line_probability",
        "glint": "glint_probability",
        "reflection_strength": "reflection_probability",
        "edge_left": "edge_probability",
        "edge_right": "edge_probability",
        "edge_top": "edge_probability",
        "edge_bottom": "edge_probability",
    }


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


@dataclass(frozen=True)
class Scene:
    """The parameters of N images.

    `scene.tilt`, `scene.zoom`, ... give each factor of its ranges as a float32 tensor [N] in the units named there.
    `scene[i:j]` gives some of the images.
    """

    minutes: Tensor  # int64 [N], 0..719
    factors: Tensor  # float32 [N, F], in the order of `kind.factors()`
    luck: Tensor  # float32 [N, 8], uniform in 0..1: positions of specks and of the noise
    kind: type[Ranges] = SceneRanges

    def __getattr__(self, name: str) -> Tensor:
        columns = self.kind.columns() if name != "kind" else {}
        if name not in columns:
            raise AttributeError(f"unknown factor of a scene: {name!r}")
        return self.factors[:, columns[name]]

    def get(self, name: str, default: float) -> Tensor:
        """A factor [N] that only some kinds of scenes have, else `default` for every image."""
        return getattr(self, name) if name in self.kind.columns() else torch.full((len(self),), default)

    def __len__(self) -> int:
        return self.minutes.shape[0]

    def __getitem__(self, images: slice | Tensor) -> Scene:
        return replace(self, minutes=self.minutes[images], factors=self.factors[images], luck=self.luck[images])

    def to(self, device: torch.device | str) -> Scene:
        """The same scene on another device."""
        return replace(
            self, minutes=self.minutes.to(device), factors=self.factors.to(device), luck=self.luck.to(device)
        )

    @property
    def hour_angle(self) -> Tensor:
        """Degrees clockwise from the dial's 12 [N]; moves continuously with the minutes."""
        return self.minutes.float() * 0.5

    @property
    def minute_angle(self) -> Tensor:
        """Degrees clockwise from the dial's 12 [N]."""
        return (self.minutes % 60).float() * 6.0


def draw_scenes(minutes_N: Tensor, seed: int, ranges: Ranges | None = None) -> Scene:
    """Draw one scene for each time, on the CPU, so that every device gets the same.

    `minutes_N`: int64 [N], minutes after twelve, 0..719. Image i depends on minutes_N[i], i and the seed only, so
    a longer draw begins with the shorter one. Raises ValueError for other shapes, types or times.
    """
    ranges = ranges or SceneRanges()
    if minutes_N.ndim != 1 or minutes_N.dtype != torch.int64:
        raise ValueError(f"minutes_N must be int64 [N], but is {minutes_N.dtype} {list(minutes_N.shape)}.")
    minutes_N = minutes_N.cpu()
    if len(minutes_N) and not 0 <= int(minutes_N.min()) <= int(minutes_N.max()) < 720:
        raise ValueError("minutes_N must lie in 0..719.")
    generator = torch.Generator().manual_seed(seed)
    # float64 makes torch fill the rows one number after the other, so a longer draw begins with the shorter one.
    count = len(ranges.factors()) + len(ranges.GATED) + 8
    uniform = torch.rand(len(minutes_N), count, generator=generator, dtype=torch.float64).float()
    factors = ranges.arranged(ranges.draw(uniform[:, :-8]), minutes_N)
    return Scene(minutes_N, factors, uniform[:, -8:].contiguous(), type(ranges))
