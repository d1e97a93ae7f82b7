"""Layers of coverage, mixed from front to back, and their colours.

Every edge is a signed distance in dial radii, positive inside, that becomes a ramp one pixel wide. A layer is a
plane of coverage and one colour; the colours are mixed by one matrix product over all layers, so colour costs little
more than grey.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dlcourse.clocks.scene import Scene
from dlcourse.clocks.varied.scene import Pose, VariedRanges, pose, twelve


def colour(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Red, green and blue [N, 3], 0 to 1, of hue, saturation and value [N]; values beyond 0 to 1 are clipped."""
    wheel = (hue[:, None] * 6 + torch.tensor([0.0, 4.0, 2.0], device=hue.device)) % 6
    pure = ((wheel - 3).abs() - 1).clamp(0, 1)
    return value.clamp(0, 1)[:, None] * (1 - saturation.clamp(0, 1)[:, None] * (1 - pure))


def against(value: Tensor, contrast: Tensor) -> Tensor:
    """A brightness [N] that differs from `value` by a share of what is possible, 0.35 at least."""
    darker = value > 0.55
    return torch.where(darker, value - contrast * (value + 0.05).clamp_min(0.4), value + contrast * (1.05 - value))


_KINDS = {
    (field, kind): number
    for field, value in vars(VariedRanges()).items()
    if isinstance(value, dict)
    for number, kind in enumerate(value)
}
_COLUMNS = VariedRanges.columns()
_LAYERS = 28  # at the most


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
        self.place = pose(scene)
        self.steps = (torch.arange(size, device=self.device) + 0.5) / size
        self.pixels = (torch.linalg.det(self.place.shape).clamp_min(1e-9).sqrt() * size)[:, None, None]
        self.x, self.y = self._dial_plane(self.place, torch.deg2rad(twelve(scene)))
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
        return (getattr(self, name) == _KINDS[name, kind]).float()

    def _dial_plane(self, place: Pose, turn: Tensor) -> tuple[Tensor, Tensor]:
        """The dial's own coordinates of every pixel: right and down where its twelve is up."""
        matrix = torch.zeros(len(turn), 3, 3, device=self.device)
        matrix[:, :2, :2] = place.shape + place.centre[:, :, None] * place.bend[:, None]
        matrix[:, :2, 2], matrix[:, 2, :2], matrix[:, 2, 2] = place.centre, place.bend, 1
        back = torch.linalg.inv(matrix)
        back = back / (back[:, 2, :2] * place.centre).sum(1).add(back[:, 2, 2])[:, None, None]
        sin, cos = turn.sin()[:, None], turn.cos()[:, None]
        rows = torch.stack([cos * back[:, 0] + sin * back[:, 1], cos * back[:, 1] - sin * back[:, 0], back[:, 2]], 1)
        planes = (rows[..., 0, None] * self.steps)[:, :, None] + (rows[..., 1, None] * self.steps + rows[..., 2, None])[
            ..., None
        ]
        scale = planes[:, 2].clamp_min(0.1).reciprocal()
        return planes[:, 0] * scale, planes[:, 1] * scale

    def edge(self, inside: Tensor) -> Tensor:
        """Coverage of a signed distance in dial radii."""
        return inside.mul(self.pixels).add_(0.5).clamp_(0, 1)

    def add(self, coverage: Tensor, colour: Tensor, light: Tensor | None = None, also: Tensor | None = None) -> None:
        """Add a layer behind those before; `also` is the share of its coverage that takes the next colour instead."""
        weight = torch.mul(self.left, coverage, out=self.weights[:, len(self.colours)])
        self.left.sub_(weight)
        if light is not None:
            self.light.addcmul_(weight, light)
        self.colours.append(colour)
        if also is not None:
            second = torch.mul(weight, also, out=self.weights[:, len(self.colours)])
            weight.sub_(second)

    def mixed(self) -> Tensor:
        """The image [B, 3, S, S], 0 to 1 but for light that is too bright or too dark."""
        weights = self.weights[:, : len(self.colours)].flatten(2)
        found = torch.bmm(torch.stack(self.colours, 2), weights).view(-1, 3, self.size, self.size)
        return found.add_(self.light[:, None])
