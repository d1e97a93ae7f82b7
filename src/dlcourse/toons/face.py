"""From a scene to pixels: the parameters and colours of each face, in shapes that broadcast over its pixels."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from dlcourse.toons.scene import Scene, values_of
from dlcourse.toons.styles import INK, PALETTES, cap_table, cone_table, palette, rgb

MIDDLE_X, MIDDLE_Y = 50.0, 53.5  # of a head that is not moved


class Face:
    """Parameters of N faces: numbers [N, 1, 1], colours [N, 3, 1, 1], choices [N], cones of hair [N, K, 6, 1, 1].

    `face[index]` selects faces lazily, since a layer needs few of the parameters.
    """

    def __init__(self, values: dict[str, Tensor] | None = None, of: tuple[Face, slice | Tensor] | None = None):
        self.__dict__.update(values or {})
        self._of = of

    def __getattr__(self, name: str) -> Tensor:
        of = self.__dict__.get("_of")
        if of is None:
            raise AttributeError(f"unknown parameter of a face: {name!r}")
        value = getattr(of[0], name)[of[1]]
        self.__dict__[name] = value
        return value

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, images: slice | Tensor) -> Face:
        return Face(of=(self, images))

    def to(self, device: torch.device) -> Face:
        """The same parameters on another device."""
        return Face({name: value.to(device) for name, value in self.__dict__.items() if isinstance(value, Tensor)})

    def at(self, choice: str, value: str) -> Tensor:
        """Mask of the faces with that value of a choice, bool [N]."""
        return getattr(self, choice) == values_of(choice).index(value)


@lru_cache(maxsize=1)
def _tables() -> dict[str, Tensor]:
    found = {name: palette(name) for name in PALETTES}
    for side in ("back", "front"):
        found[side], found[f"{side}_count"] = cone_table(side)
    return found | {"cap": cap_table()}


def face_of(scene: Scene) -> Face:
    """The parameters of a scene's faces, on the CPU."""
    s, tables = scene, _tables()
    tilt = torch.deg2rad(s.tilt)
    skull, jaw, half = s.head_width, s.head_width * s.jaw, s.head_height
    # The whole head is centred, not the line between its two middles.
    middle = (skull - jaw) / 2
    top, bottom = middle - half, middle + half
    eye = s.eye_size * (0.86 + 0.14 * s.head_width / 20.5)
    eye_y = top + 0.34 * skull + 1.6 * s.nod
    turned = s.turn * 0.26 * skull
    eye_x = eye + s.eye_gap
    numbers = {
        "x": MIDDLE_X + s.x,
        "y": MIDDLE_Y + s.y,
        "sin": tilt.sin(),
        "cos": tilt.cos(),
        "turn": s.turn,
        "turned": turned,
        "skull": skull,
        "jaw": jaw,
        "top": top,  # y of the skull's middle
        "bottom": bottom,  # y of the jaw's middle
        "squareness": s.squareness,
        "ear": s.ear_size,
        "ear_y": eye_y + 2.5,
        "eye": eye,
        "eye_x": eye_x,
        "eye_y": eye_y,
        "look_x": s.look_x,
        "look_y": s.look_y,
        "pupil": s.pupil_size,
        "lids": s.lids,
        "lid_tilt": s.lid_tilt,
        "brow_y": eye_y - eye * 1.05 - 1.5 - s.brow_height,
        "brow_tilt": s.brow_tilt,
        "brow": s.brow_thickness,
        "nose": s.nose_size,
        "nose_x": turned * 1.35,
        "nose_y": eye_y + 0.95 * eye + 0.4 * s.nod,
        "smile": s.smile,
        "open": s.mouth_open.clamp_min(0) * 5.6,
        "mouth": s.mouth_width * (1 - 0.18 * s.turn.abs()),
        "mouth_x": turned * 1.1,
        "mouth_y": bottom + 0.42 * jaw + 0.7 * s.nod,
        "volume": s.hair_volume * skull,
        "blush": s.blush,
    }
    covers = torch.tensor([name in ("beanie", "cap", "bowler") for name in values_of("hat")])
    numbers["hat_y"] = torch.where(covers[s.hat], top - 0.5 * skull, -99.0)
    numbers["shading"] = torch.full_like(s.x, 0.0 if s.flat else 1.0)  # strength of shades and highlights
    found = {name: value[:, None, None] for name, value in numbers.items()}
    for name in PALETTES:
        found[name] = tables[name][getattr(s, name)][:, :, None, None]
    found["ink"] = torch.tensor(rgb(INK)).expand(len(s), 3)[:, :, None, None]
    cap = tables["cap"][s.hair]
    found["cap"], found["seams"] = cap[:, :7, None, None], cap[:, 7, None, None]
    for side in ("back", "front"):
        found[f"{side}_cones"] = tables[side][s.hair][..., None, None]
        found[f"{side}_count"] = tables[f"{side}_count"][s.hair]
    for name in ("eyes", "lashes", "nose_shape", "teeth", "freckles", "beard", "hair", "glasses", "earrings", "hat",
                 "clothes", "background"):  # fmt: skip
        found[name] = getattr(s, name)
    return Face(found)
