"""The textures of varied clocks, drawn once per process: numerals and words in several fonts, and patterns of walls.

Both are one grey texture each, cut into square tiles, so that one `grid_sample` reads a whole batch.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import matplotlib
import torch
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional

GLYPH = 40  # texels a side of a tile of the numerals; the text is as high as two thirds of it
ROMAN = ["XII", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI"]
ARABIC = ["12", *map(str, range(1, 12))]
DAY = ["24", *map(str, range(13, 24))]
MINUTES = ["60", *map(str, range(5, 60, 5))]
WORDS = ["QUARTZ", "Atelier", "PARIS", "NORTH", "Studio", "SINCE", "1887", "MODERN", "Aurora", "Lumen", "SWEEP", "CITY"]
SETS = (ARABIC, ROMAN, DAY, MINUTES, WORDS)  # the rows of a font
# Fonts of matplotlib, and of the machine where it has them; a missing one is left out.
FONTS = (
    *("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf", "DejaVuSansMono.ttf"),
    *("STIXGeneral.ttf", "STIXGeneralBol.ttf", "STIXGeneralItalic.ttf", "DejaVuSans-Oblique.ttf", "cmss10.ttf"),
    *("LiberationSans-Regular.ttf", "LiberationSans-Bold.ttf", "LiberationSansNarrow-Regular.ttf"),
    *("LiberationSerif-Regular.ttf", "LiberationSerif-Bold.ttf", "LiberationSansNarrow-Bold.ttf"),
)
WALL = 128  # texels a side of a wall's pattern, which repeats
WALLS = 24


@lru_cache(maxsize=1)
def font_files() -> tuple[str, ...]:
    """Paths of the fonts that exist here, in the order of `FONTS`; matplotlib's are always there."""
    own = Path(matplotlib.get_data_path(), "fonts", "ttf")
    of_machine = {Path(path).name: path for path in font_manager.findSystemFonts()}
    found = [str(own / name) if (own / name).exists() else of_machine.get(name) for name in FONTS]
    return tuple(path for path in found if path is not None)


def _glyph(text: str, path: str) -> Tensor:
    """A text's coverage [GLYPH, GLYPH], 0 to 1; long words are shrunk to fit."""
    large = 4 * GLYPH
    font = ImageFont.truetype(path, large // 2)
    left, top, right, bottom = font.getbbox(text)
    scale = min(1.0, 0.94 * large / (right - left), 0.94 * large / (bottom - top))
    if scale < 1:
        font = ImageFont.truetype(path, max(int(large // 2 * scale), 4))
        left, top, right, bottom = font.getbbox(text)
    tile = Image.new("L", (large, large))
    ImageDraw.Draw(tile).text(((large - left - right) / 2, (large - top - bottom) / 2), text, 255, font)
    return torch.tensor(list(tile.resize((GLYPH, GLYPH), Image.Resampling.BOX).tobytes())).view(GLYPH, GLYPH) / 255


@lru_cache(maxsize=2)
def glyphs(device: torch.device) -> Tensor:
    """Coverage [1, 1, fonts * len(SETS) * GLYPH, 12 * GLYPH]: a font's sets below each other, twelve texts in a row."""
    rows = [torch.cat([_glyph(text, path) for text in texts], 1) for path in font_files() for texts in SETS]
    return torch.cat(rows)[None, None].to(device)


def _smooth(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    """Noise [WALL, WALL] of mean 0 with about rows x columns values, which repeats at its edges."""
    around = [torch.arange(-2, count + 2) % count for count in (rows, columns)]
    coarse = torch.randn(1, 1, rows, columns, generator=generator)[:, :, around[0]][..., around[1]]
    big = functional.interpolate(
        coarse, (WALL * (rows + 4) // rows, WALL * (columns + 4) // columns), mode="bicubic", align_corners=False
    )
    top, left = 2 * WALL // rows, 2 * WALL // columns
    return big[0, 0, top : top + WALL, left : left + WALL]


def _wall(kind: int, generator: torch.Generator) -> Tensor:
    """One pattern [WALL, WALL], 0 to 1: planks, bricks, stripes, checks, spots, clutter, or noise of some size."""
    y, x = torch.meshgrid(torch.arange(WALL).float(), torch.arange(WALL).float(), indexing="ij")
    draw = torch.rand(8, generator=generator).tolist()
    count = int(2 ** (1 + 3 * draw[0]))
    step = WALL / count
    if kind == 0:  # planks with grain
        field = 0.4 * _smooth(64, 4, generator) + 0.3 * _smooth(16, 3, generator) + 0.8 * _smooth(count, 1, generator)
        field = field - 3 * ((y % step) < 1.5)
    elif kind == 1:  # bricks
        shift = (y // step % 2) * step
        joint = ((y % step) < 0.12 * step + 1) | (((x + shift) % (2 * step)) < 0.06 * step + 1)
        field = 0.4 * _smooth(48, 48, generator) + _smooth(count, count, generator) * 0.5 + 2.5 * joint
    elif kind == 2:  # stripes
        field = torch.sin(2 * torch.pi * count * x / WALL) + 0.1 * _smooth(64, 64, generator)
        field = field.sign() if draw[1] < 0.5 else field
    elif kind == 3:  # checks or tiles
        field = ((x // step + y // step) % 2 if draw[1] < 0.5 else ((x % step < 2) | (y % step < 2)).float()) * 2
        field = field + 0.15 * _smooth(48, 48, generator)
    elif kind == 4:  # spots in rows
        field = (((x % step) - step / 2).square() + ((y % step) - step / 2).square() < (0.3 * step) ** 2) * 2.0
    elif kind == 5:  # clutter: rectangles and discs of all sizes
        field = torch.zeros(WALL, WALL)
        for cx, cy, w, h, value, disc in torch.rand(40, 6, generator=generator).tolist():
            dx, dy = ((x - cx * WALL + 64) % WALL - 64).abs(), ((y - cy * WALL + 64) % WALL - 64).abs()
            w, h = 2 + 26 * w**2, 2 + 26 * h**2
            inside = (dx / w).square() + (dy / w).square() < 1 if disc < 0.4 else (dx < w) & (dy < h)
            field = torch.where(inside, 4 * value - 2, field)
    else:
        field = _smooth(2 ** (kind - 5), 2 ** (kind - 5), generator) + 0.2 * _smooth(64, 64, generator)
    low, high = field.flatten().quantile(torch.tensor([0.01, 0.99])).tolist()
    return ((field - low) / (high - low)).clamp(0, 1)


@lru_cache(maxsize=2)
def walls(device: torch.device) -> Tensor:
    """Patterns [WALLS, WALL, WALL], 0 to 1, each of which repeats at its edges (noise and spots) or nearly."""
    generator = torch.Generator().manual_seed(22)
    return torch.stack([_wall(kind % 12, generator) for kind in range(WALLS)]).to(device)
