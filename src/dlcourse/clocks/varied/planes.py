"""Layers of coverage, mixed from front to back, and their colours.

Every edge is a signed distance in dial radii, positive inside, that becomes a ramp one pixel wide. A layer is a
plane of coverage and one colour; the colours are mixed by one matrix product over all layers, so colour costs little
more than grey.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dlcourse.clocks.scene import Scene
from dlcourse.clocks.varied.palette import palette
from dlcourse.clocks.varied.scene import KINDS, VariedRanges, pose, twelve

_COLUMNS = VariedRanges.columns()
_LAYERS = 28  # at the most


def view(scene: Scene, size: int) -> tuple[Tensor, Tensor]:
    """The dial's own coordinates, right and down where its twelve is up, and the dial's radius in pixels.

    Returns:
        rows [N, 3, 3]: three quantities that are linear in the image: factors of x and of y in image sides, and
            constants; the first two, divided by the third, are the coordinates. And pixels [N], the mean radius.
    """
    place, turn = pose(scene), torch.deg2rad(twelve(scene))
    matrix = torch.zeros(len(turn), 3, 3, device=turn.device)
    matrix[:, :2, :2] = place.shape + place.centre[:, :, None] * place.bend[:, None]
    matrix[:, :2, 2], matrix[:, 2, :2], matrix[:, 2, 2] = place.centre, place.bend, 1
    back = torch.linalg.inv(matrix)
    back = back / (back[:, 2, :2] * place.centre).sum(1).add(back[:, 2, 2])[:, None, None]
    sin, cos = turn.sin()[:, None], turn.cos()[:, None]
    rows = torch.stack([cos * back[:, 0] + sin * back[:, 1], cos * back[:, 1] - sin * back[:, 0], back[:, 2]], 1)
    return rows, torch.linalg.det(place.shape).clamp_min(1e-9).sqrt() * size


class Planes:
    """The planes of a few images [B, S, S], and the layers that have been drawn, front to back.

    `planes.NAME` is a factor of the scene, [B, 1, 1].
    """

    def __init__(self, scene: Scene, size: int):
        self.scene, self.size, self.device = scene, size, scene.factors.device
        self.factors = scene.factors[:, :, None, None].unbind(1)
        self.used = (scene.factors != 0).any(0).tolist()
        self.left = torch.ones(len(scene), size, size, device=self.device)  # light that reaches the next layer
        self.light = torch.zeros_like(self.left)  # brightness that is added
        # Written in place, layer by layer: collecting the planes afterwards would copy them all.
        self.weights = torch.empty(len(scene), _LAYERS, size, size, device=self.device)
        self.colours: list[Tensor] = []
        self.palette = palette(scene)
        self.steps = (torch.arange(size, device=self.device) + 0.5) / size
        rows, pixels = view(scene, size)
        self.pixels = pixels[:, None, None]
        self.x, self.y = self._coordinates(rows)
        self.r = torch.hypot(self.x, self.y)
        self.far = self.r  # 1 on the dial's rim, whatever its form

    def __getattr__(self, name: str) -> Tensor:
        if name not in _COLUMNS:
            raise AttributeError(f"unknown factor of a scene: {name!r}")
        return self.factors[_COLUMNS[name]]

    def any(self, name: str) -> bool:
        """Whether a factor that can be switched off is on in one of the images."""
        return self.used[_COLUMNS[name]]

    def kind(self, name: str, kind: str) -> Tensor:
        """Which images have a kind, 0 or 1 [B, 1, 1]."""
        return (getattr(self, name) == KINDS[name, kind]).float()

    def _coordinates(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The dial's own coordinates of every pixel."""
        planes = (rows[..., 0, None] * self.steps)[:, :, None] + (rows[..., 1, None] * self.steps + rows[..., 2, None])[
            ..., None
        ]
        scale = planes[:, 2].clamp_min(0.1).reciprocal()
        return planes[:, 0] * scale, planes[:, 1] * scale

    def edge(self, inside: Tensor) -> Tensor:
        """Coverage of a signed distance in dial radii."""
        return inside.mul(self.pixels).add_(0.5).clamp_(0, 1)

    def add(
        self,
        coverage: Tensor,
        colour: Tensor,
        light: Tensor | None = None,
        also: Tensor | None = None,
        second: Tensor | None = None,
    ) -> None:
        """Add a layer behind those before; `also` is the share of its coverage that takes the second colour."""
        weight = torch.mul(self.left, coverage, out=self.weights[:, len(self.colours)])
        self.left.sub_(weight)
        if light is not None:
            self.light.addcmul_(weight, light)
        self.colours.append(colour)
        if also is not None and second is not None:
            share = torch.mul(weight, also, out=self.weights[:, len(self.colours)])
            weight.sub_(share)
            self.colours.append(second)

    def mixed(self) -> Tensor:
        """The image [B, 3, S, S], 0 to 1 but for light that is too bright or too dark."""
        weights = self.weights[:, : len(self.colours)].flatten(2)
        found = torch.bmm(torch.stack(self.colours, 2), weights).view(-1, 3, self.size, self.size)
        return found.add_(self.light[:, None])
