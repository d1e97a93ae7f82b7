"""The background, the shoulders and what they wear."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from dlcourse.toons.canvas import Canvas, box, cone, disc, ellipse, lighter, plain, shade
from dlcourse.toons.scene import values_of


@lru_cache(maxsize=8)
def _patterns(size: int, device: torch.device) -> Tensor:
    """How much of the second colour a background has, float32 [patterns, 1, S, S]."""
    steps = (torch.arange(size, dtype=torch.float64) + 0.5) * (100 / size)
    u, v = steps[None, :], steps[:, None]
    across, down = u - 50, v - 55
    waves = {
        "plain": (v - 50) * (1.2 / size) + u * 0,
        "halo": (across.square() + (v - 50).square()).sqrt() - 40,
        "stripes": torch.sin((u + v) * 0.36) / 0.5,
        "dots": (0.55 - torch.cos(u * 0.5) * torch.cos(v * 0.5)) / 0.35,
        "rays": torch.sin(torch.atan2(down, across) * 9) * (across.square() + down.square()).sqrt() / 9,
        "checks": torch.sin(u * 0.2514) * torch.sin(v * 0.2514) / 0.25,
    }
    distances = torch.stack([waves[name] for name in values_of("background")])
    return (0.5 - distances * (size / 100)).clamp(0, 1).float()[:, None].to(device)


def background(canvas: Canvas) -> None:
    """A colour, and a pattern of a lighter one."""
    first = canvas.face.background_colour
    share = _patterns(canvas.image.shape[2], canvas.image.device)[canvas.face.background] * canvas.face.shading[:, None]
    torch.lerp(first, lighter(first, 0.45), share, out=canvas.image)


def body(canvas: Canvas) -> None:
    """Neck, shoulders and clothes."""
    face, u, v = canvas.face, canvas.u, canvas.v
    middle = 50 + (face.x - 50) * 0.6 - face.sin * 12
    skin = shade(face.skin, 0.88)
    foot = torch.full_like(middle, 95.0)
    neck = cone(u, v, face.x - face.sin * face.bottom, face.y + face.bottom, 6.5, middle, foot, 7.0)
    canvas.shape(neck, skin)
    torso = cone(
        u, v, middle - 17, torch.full_like(middle, 107.0), 19.0, middle + 17, torch.full_like(middle, 107.0), 19.0
    )
    canvas.shape(torso, face.clothes_colour)
    white, dark = plain(canvas, "fbf7ee"), plain(canvas, "35507f")

    def crew(c: Canvas, torso: Tensor, x: Tensor) -> None:
        c.shape(torch.maximum(ellipse(x, c.v - 87.5, 9.0, 6.0), torso), shade(c.face.clothes_colour, 0.75))
        c.fill(ellipse(x, c.v - 86, 7.4, 4.6), shade(c.face.skin, 0.88))

    def stripes(c: Canvas, torso: Tensor, x: Tensor) -> None:
        band = (torch.sin(c.v * 0.85 + x * x * 0.006) / 0.85) + 0.2
        c.fill(torch.maximum(band, torso), lighter(c.face.clothes_colour, 0.65))
        crew(c, torso, x)

    def v_neck(c: Canvas, torso: Tensor, x: Tensor) -> None:
        cut = (x.abs() + (c.v - 99) * 0.62) * 0.85
        c.shape(torch.maximum(cut, torso), shade(c.face.skin, 0.88))

    def tie(c: Canvas, torso: Tensor, x: Tensor) -> None:
        cut = (x.abs() + (c.v - 103) * 0.7) * 0.82
        c.shape(torch.maximum(cut, torso), white)
        down = torch.zeros_like(x)
        c.shape(cone(x, c.v, down, down + 93, 1.6, down, down + 104, 3.0), shade(c.face.clothes_colour, 0.6))
        c.shape(ellipse(x, c.v - 91.5, 2.3, 1.5), shade(c.face.clothes_colour, 0.6))

    def dungarees(c: Canvas, torso: Tensor, x: Tensor) -> None:
        crew(c, torso, x)
        bib = torch.minimum(box(x.abs() - 11.5, c.v - 90, 2.2, 12.0), box(x, c.v - 105, 13.0, 9.0))
        c.shape(torch.maximum(bib, torso), dark)
        c.shape(disc(x.abs() - 11.5, c.v - 96.5, 1.0), plain(c, "ffd23f"), 0.5)

    for name, paint in (
        ("crew", crew),
        ("stripes", stripes),
        ("v_neck", v_neck),
        ("tie", tie),
        ("dungarees", dungarees),
    ):
        chosen = face.at("clothes", name)
        canvas.where(chosen, lambda c, p=paint, k=chosen: p(c, torso[k], c.u - middle[k]))
    # The head's shadow.
    canvas.fill(torch.maximum(canvas.head - 3, neck), shade(face.skin, 0.7), face.shading)
