"""Palettes, and the hair styles as tables of numbers.

Hair is a cap that follows the skull down to a hairline, and cones (thick lines with a radius at either end). They are
given in radii of the skull from its middle, x to the right, y down: the crown is at (0, -1), eyes are near y = 0.3.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

INK = "2b2028"
PALETTES = {  # in the order of the factor's values
    "skin": "ffd23f ffcfa8 f9b3a0 dba06d a8693f 6f4630 c9b35b 9fdc9a 8ec5f0 c8a8e9",
    "iris": "2b2028 7a4a24 2f7fd0 3b9a4a 8a4fc0",
    "hair_colour": "37303a 6b4226 99462a e8743b f6d365 9a9aa5 f3f0ea ff7eb6 3f6fd8 2bb3a3 7d4bc4",
    "clothes_colour": "e0453f f28a2e 4fae58 20a39e 3a6fd0 7e57c2 ef6fa6 f4f1ea",
    "background_colour": "a9dcf5 b6ecd0 fff0a3 ffd3a8 ffc0cb d9c9f5 ead9bd d3dae3",
}


def rgb(colour: str) -> tuple[float, float, float]:
    """Red, green and blue, 0 to 255, of six hexadecimal digits."""
    red, green, blue = bytes.fromhex(colour)
    return float(red), float(green), float(blue)


def palette(name: str) -> Tensor:
    """The colours of a factor's values, float32 [K, 3]."""
    return torch.tensor([rgb(colour) for colour in PALETTES[name].split()])


Cone = tuple[float, float, float, float, float, float]  # x, y, radius of one end and of the other


class Style(NamedTuple):
    """A hair style.

    Attributes:
        back, front: cones behind the head and on it.
        cap: the hairline y = a + b |x - part| + c x^2 + d sin(e x), as (a, b, c, part, d, e); None without a cap.
        thick: distance of the cap from the skull.
        seams: how strongly the lines between cones are drawn, 0 to 1.
    """

    back: tuple[Cone, ...] = ()
    front: tuple[Cone, ...] = ()
    cap: tuple[float, float, float, float, float, float] | None = None
    thick: float = 0.06
    seams: float = 0.0


def _both(*cones: Cone) -> tuple[Cone, ...]:
    """Cones and their mirror images."""
    return tuple(c for x, y, r, u, v, s in cones for c in ((x, y, r, u, v, s), (-x, y, r, -u, v, s)))


def _fan(degrees: range, root: float, wide: float, tip: float, narrow: float) -> tuple[Cone, ...]:
    """Cones away from the skull's middle, from one distance to another, at angles from the crown."""
    angles = [math.radians(d) for d in degrees]
    return tuple(
        (root * math.sin(a), -root * math.cos(a), wide, tip * math.sin(a), -tip * math.cos(a), narrow) for a in angles
    )


STYLES: dict[str, Style] = {
    "bald": Style(),
    "sprout": Style(
        front=(
            (-0.06, -0.95, 0.03, -0.2, -1.36, 0.02),
            (-0.2, -1.36, 0.02, -0.46, -1.42, 0.01),
            (0.08, -0.95, 0.03, 0.13, -1.42, 0.02),
            (0.13, -1.42, 0.02, 0.38, -1.56, 0.01),
        )
    ),
    "crop": Style(cap=(-0.5, 0.0, 0.45, 0.0, 0.0, 0.0)),
    "spikes": Style(front=_fan(range(-78, 79, 26), 0.8, 0.27, 1.5, 0.0), cap=(-0.42, 0.0, 0.3, 0.0, 0.07, 13.0)),
    "bob": Style(
        back=((0.0, -0.1, 1.12, 0.0, 0.1, 1.12), *_both((0.75, 0.0, 0.45, 0.85, 1.1, 0.4))),
        front=_both((0.97, -0.3, 0.16, 0.98, 0.75, 0.05)),
        cap=(-0.3, 0.0, 0.12, 0.0, 0.03, 12.0),
        thick=0.13,
    ),
    "curls": Style(
        back=_fan(range(-112, 113, 28), 1.02, 0.4, 1.06, 0.4),
        front=_fan(range(-66, 67, 33), 0.9, 0.26, 0.95, 0.26),
        cap=(-0.5, 0.0, 0.3, 0.0, 0.08, 10.0),
        seams=0.55,
    ),
    "mohawk": Style(front=_fan(range(-32, 33, 16), 0.75, 0.2, 1.7, 0.07), seams=0.5),
    "bun": Style(back=((0.0, -1.36, 0.42, 0.0, -1.4, 0.42),), cap=(-0.56, 0.0, 0.55, 0.0, 0.0, 0.0), thick=0.08),
    "pigtails": Style(
        back=_both(
            (1.05, -0.25, 0.16, 1.32, -0.3, 0.2),
            (1.32, -0.2, 0.22, 1.55, 0.45, 0.28),
            (1.55, 0.45, 0.28, 1.42, 1.15, 0.03),
        ),
        cap=(-0.68, 0.55, 0.0, 0.0, 0.0, 0.0),
        thick=0.08,
    ),
    "long": Style(
        back=((0.0, -0.1, 1.13, 0.0, 0.3, 1.13), *_both((0.7, 0.0, 0.5, 0.95, 1.9, 0.36))),
        front=_both((0.99, -0.3, 0.15, 1.06, 1.35, 0.03)),
        cap=(-0.72, 0.5, 0.0, 0.25, 0.0, 0.0),
        thick=0.12,
    ),
    "quiff": Style(
        front=((-0.62, -0.8, 0.28, 0.45, -1.12, 0.4), (0.45, -1.12, 0.4, 0.98, -1.32, 0.08)),
        cap=(-0.52, 0.0, 0.35, 0.0, 0.0, 0.0),
    ),
    "tufts": Style(
        back=_both(
            (1.0, -0.3, 0.22, 1.02, -0.28, 0.22),
            (1.12, -0.02, 0.27, 1.14, 0.0, 0.27),
            (1.08, 0.3, 0.25, 1.1, 0.32, 0.25),
        ),
        seams=0.6,
    ),
    "swirl": Style(
        front=(
            (-0.62, -0.86, 0.27, 0.62, -0.94, 0.27),
            (-0.36, -1.22, 0.24, 0.4, -1.3, 0.24),
            (-0.12, -1.54, 0.19, 0.2, -1.6, 0.19),
            (0.1, -1.72, 0.12, 0.34, -1.95, 0.01),
        ),
        cap=(-0.58, 0.0, 0.4, 0.0, 0.0, 0.0),
        seams=0.8,
    ),
    "locks": Style(
        back=_both(
            (0.9, -0.4, 0.2, 1.22, 0.9, 0.13),
            (0.7, -0.2, 0.2, 0.95, 1.3, 0.13),
            (0.4, 0.0, 0.3, 0.62, 1.4, 0.14),
        ),
        front=_both(
            (0.15, -0.95, 0.2, 0.5, -0.5, 0.12),
            (0.5, -0.85, 0.2, 0.92, -0.25, 0.12),
            (0.8, -0.6, 0.2, 1.08, 0.25, 0.12),
        ),
        cap=(-0.62, 0.0, 0.4, 0.0, 0.0, 0.0),
        thick=0.1,
        seams=0.7,
    ),
}


def cone_table(side: str) -> tuple[Tensor, Tensor]:
    """The `back` or `front` cones of every style, float32 [styles, K, 6] filled up with zeros, and their number."""
    rows = [getattr(style, side) for style in STYLES.values()]
    table = torch.zeros(len(rows), max(map(len, rows)), 6)
    for place, cones in enumerate(rows):
        if cones:
            table[place, : len(cones)] = torch.tensor(cones)
    return table, torch.tensor([len(cones) for cones in rows])


def cap_table() -> Tensor:
    """Hairline, thickness and seams of every style, float32 [styles, 8]; without a cap the hairline is far above."""
    none = (-99.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    return torch.tensor([(*(style.cap or none), style.thick, style.seams) for style in STYLES.values()])
