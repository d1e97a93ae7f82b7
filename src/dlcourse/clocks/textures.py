"""Pre-drawn dials and planks, packed side by side into one grey texture (an atlas), drawn once per size and device.

With one atlas, one `grid_sample` per image reads both dial and planks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.clocks.numerals import numeral_segments

DIAL_VARIANTS = 16
WOOD_VARIANTS = 12
# Dial radii in image sides for which dials are drawn: an image uses the next larger one, so thin lines do not alias.
DIAL_ZOOMS = (0.34, 0.4, 0.47, 0.55)
DIAL_EXTENT = 1.06  # dial radii from a dial tile's middle to its edge
WOOD_EXTENT = 4.0  # dial radii from a wood tile's middle to its edge
_TEXELS_PER_PIXEL = 1.15
_WOOD_TEXELS = 64  # texels a dial radius at 150 pixels a side
_REFERENCE_SIZE = 150
_DASH_LENGTH = 0.072  # dial radii
# Ranges of a dial's proportions, in dial radii but for the two factors.
_STYLE = {
    "height": (0.13, 0.182),  # of the numerals
    "radius": (0.675, 0.745),  # of the numerals' middles
    "stroke": (0.012, 0.026),  # width of the numerals' lines
    "stretch": (0.88, 1.12),  # factor on the numerals' widths
    "spacing": (0.85, 1.15),  # factor on the gaps between digits
    "dash": (0.028, 0.042),  # width of the hours' dashes
    "dash_end": (0.955, 0.97),  # outer end of the dashes
    "dot": (0.012, 0.02),  # width of the minutes' dots
    "dot_length": (0.018, 0.034),
}


@dataclass(frozen=True)
class Atlas:
    """`texture` [1, 1, H, W]: dial tiles hold the ink's coverage (0..1), wood tiles a field of mean 0 and deviation 1.

    A tile's `*_x`, `*_y` give its middle and `*_unit` the length of one dial radius along x and y, all in
    `grid_sample`'s coordinates (-1..1 over the texture).
    """

    texture: Tensor
    dial_x: Tensor  # [len(DIAL_ZOOMS) * DIAL_VARIANTS], zoom-major
    dial_y: Tensor
    dial_unit: Tensor  # [len(DIAL_ZOOMS) * DIAL_VARIANTS, 2]
    wood_x: Tensor  # [WOOD_VARIANTS]
    wood_y: Tensor
    wood_unit: Tensor  # [WOOD_VARIANTS, 2]


def _segment_coverage(texels: Tensor, segments: Tensor, width: float, scale: float) -> Tensor:
    """Anti-aliased coverage [h, w] of strokes; texels [h, w, 2], segments [k, 2, 2], width in dial radii."""
    start, along = segments[:, 0], segments[:, 1] - segments[:, 0]
    offset = texels[..., None, :] - start
    share = ((offset * along).sum(-1) / (along * along).sum(-1).clamp_min(1e-9)).clamp(0, 1)
    distance = (offset - share[..., None] * along).square().sum(-1).amin(-1).sqrt()
    # A stroke thinner than a texel is drawn one texel wide and paler, which keeps the amount of ink.
    drawn = max(width * scale, 1.0)
    return (drawn / 2 - distance * scale + 0.5).clamp(0, 1) * min(1.0, width * scale)


def _draw_strokes(tile: Tensor, segments: Tensor, width: float, scale: float, ink: float) -> None:
    """Draw segments [k, 2, 2] (dial radii, x right, y up) into a square dial tile, touching only their box."""
    side = tile.shape[0]
    margin = width + 2 / scale
    (west, south), (east, north) = (segments.amin((0, 1)) - margin).tolist(), (segments.amax((0, 1)) + margin).tolist()
    left, right = max(round(west * scale + side / 2), 0), min(round(east * scale + side / 2), side)
    top, bottom = max(round(side / 2 - north * scale), 0), min(round(side / 2 - south * scale), side)
    x = (torch.arange(left, right) + 0.5 - side / 2) / scale
    y = (side / 2 - torch.arange(top, bottom) - 0.5) / scale
    texels = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)
    part = tile[top:bottom, left:right]
    torch.maximum(part, _segment_coverage(texels, segments, width, scale) * ink, out=part)


def _draw_dash(tile: Tensor, direction: Tensor, end: float, width: float, scale: float) -> None:
    """Draw an hour's dash, a box with flat ends, into a square dial tile."""
    steps = (torch.arange(tile.shape[0]) + 0.5 - tile.shape[0] / 2) / scale
    along = direction[0] * steps - direction[1] * steps[:, None] - (end - _DASH_LENGTH / 2)
    across = direction[1] * steps + direction[0] * steps[:, None]
    inside = torch.minimum(_DASH_LENGTH / 2 - along.abs(), width / 2 - across.abs())
    torch.maximum(tile, (inside * scale + 0.5).clamp(0, 1), out=tile)


def _draw_dial(side: int, scale: float, style: Tensor) -> Tensor:
    """One dial [side, side] at `scale` texels a dial radius; `style` [len(_STYLE)] in 0..1 picks its proportions."""
    shares = style.tolist()
    look = {name: low + (high - low) * share for (name, (low, high)), share in zip(_STYLE.items(), shares, strict=True)}
    tile = torch.zeros(side, side)
    angles = torch.arange(60) * (torch.pi / 30)
    directions = torch.stack([angles.sin(), angles.cos()], -1)
    reach = torch.tensor([[-0.5], [0.5]])
    for minute, direction in enumerate(directions):
        if minute % 5:
            ends = direction * (look["dash_end"] - 0.03 + reach * look["dot_length"])
            _draw_strokes(tile, ends[None], look["dot"], scale, 0.85)
            continue
        _draw_dash(tile, direction, look["dash_end"], look["dash"], scale)
        segments = torch.tensor(numeral_segments(minute // 5 or 12, look["spacing"])) * look["height"]
        segments[..., 0] *= look["stretch"]
        _draw_strokes(tile, segments + direction * look["radius"], look["stroke"], scale, 0.9)
    return tile


def _noise(rows: int, columns: int, side: int, generator: torch.Generator) -> Tensor:
    """Smooth noise [side, side] with about rows x columns independent values."""
    coarse = torch.randn(1, 1, rows, columns, generator=generator)
    return functional.interpolate(coarse, (side, side), mode="bicubic", align_corners=False)[0, 0]


def _draw_wood(generator: torch.Generator) -> Tensor:
    """Planks along x, [512, 512] for twice WOOD_EXTENT dial radii: grain, ridges, fine grooves and dark gaps."""
    side = int(2 * WOOD_EXTENT * _WOOD_TEXELS)
    x, y = torch.arange(side).float()[None, :], torch.arange(side).float()[:, None]
    bend = _noise(12, 3, side, generator) * 2.5 + _noise(40, 9, side, generator) * 0.8
    rows = (y + bend).clamp(0, side - 1)
    index = rows.long().clamp(0, side - 2)
    share = rows - index
    streaks = _noise(side, 30, side, generator) * 1.3 + _noise(side // 2, 10, side, generator) * 1.1
    streaks += _noise(side // 5, 7, side, generator) * 0.8
    # Reading the streaks along bent rows gives grain that flows around knots instead of ruled lines.
    field = torch.gather(streaks, 0, index) * (1 - share) + torch.gather(streaks, 0, index + 1) * share
    field += _noise(side, side // 3, side, generator) * 1.5 + _noise(16, 10, side, generator) * 0.3
    edge = -60.0 * float(torch.rand((), generator=generator))
    while edge < side:
        width, grooves, shade, gap = torch.rand(4, generator=generator).tolist()
        stop = edge + 45 + 50 * width
        inside = (y >= edge) & (y < stop)
        field = torch.where(inside, field + (shade - 0.5) * 0.9, field)
        if grooves > 0.5:
            rope = torch.sin(y * 2.2 + x * 0.25) * torch.sin(x * 1.5 + bend) * (1.1 * (grooves - 0.3))
            field = torch.where(inside, field + rope, field)
        distance = (y - stop + _noise(1, 6, side, generator)[:1] * 0.8).abs()
        half = 0.7 + 1.7 * gap
        depth = (half + 0.7 - distance).clamp(0, 1)
        field = field * (1 - 0.8 * depth) - depth * (7.0 if gap > 0.2 else 4.0)
        # A plank's worn edge catches light beside its gap.
        field = field + 1.2 * (1 - (distance - half - 3).abs() / 3).clamp(0, 1) * (y > stop)
        edge = stop
    return ((field - field.mean()) / field.std()).clamp(-3.2, 3.0)


@lru_cache(maxsize=1)
def _woods() -> Tensor:
    """All planks [WOOD_VARIANTS, 1, side, side] as for images of _REFERENCE_SIZE."""
    generator = torch.Generator().manual_seed(20)
    return torch.stack([_draw_wood(generator) for _ in range(WOOD_VARIANTS)])[:, None]


@lru_cache(maxsize=8)
def clock_atlas(size: int, device: torch.device) -> Atlas:
    """The atlas for images of `size` x `size` on a device; the same for every call."""
    styles = torch.rand(DIAL_VARIANTS, len(_STYLE), generator=torch.Generator().manual_seed(19))
    woods = _woods()
    wood_side = max(round(2 * WOOD_EXTENT * _WOOD_TEXELS * size / _REFERENCE_SIZE), 16)
    if wood_side != woods.shape[-1]:
        woods = functional.interpolate(woods, (wood_side, wood_side), mode="bilinear", antialias=True)
    scales = [zoom * size * _TEXELS_PER_PIXEL for zoom in DIAL_ZOOMS]
    sides = [int(2 * DIAL_EXTENT * scale) + 2 for scale in scales]
    width = max(DIAL_VARIANTS * sides[-1], 4 * wood_side)
    per_row = width // wood_side
    texture = torch.zeros(sum(sides) + -(-WOOD_VARIANTS // per_row) * wood_side, width)
    middles: list[tuple[float, float]] = []
    units: list[float] = []
    top = 0
    for scale, side in zip(scales, sides, strict=True):
        for variant, style in enumerate(styles):
            left = variant * side
            texture[top : top + side, left : left + side] = _draw_dial(side, scale, style)
            middles.append((left + side / 2, top + side / 2))
            units.append(scale)
        top += side
    for variant, wood in enumerate(woods[:, 0]):
        left, above = variant % per_row * wood_side, top + variant // per_row * wood_side
        texture[above : above + wood_side, left : left + wood_side] = wood
        middles.append((left + wood_side / 2, above + wood_side / 2))
        units.append(wood_side / (2 * WOOD_EXTENT))
    per_texel = 2 / torch.tensor([width, texture.shape[0]])
    x, y = (torch.tensor(middles) * per_texel - 1).to(device).unbind(-1)
    unit = (torch.tensor(units)[:, None] * per_texel).to(device)
    dials = len(DIAL_ZOOMS) * DIAL_VARIANTS
    return Atlas(texture[None, None].to(device), x[:dials], y[:dials], unit[:dials], x[dials:], y[dials:], unit[dials:])
