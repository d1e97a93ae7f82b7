"""Many small pictures as one: edge to edge in rows, and as an animation."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw
from torch import Tensor

from dlcourse.plots.curves import save
from dlcourse.plots.sheet import plain
from dlcourse.runs.files import replaced

WAY_NAMES = {"slerp": "along the sphere", "lerp": "straight"}  # of an interpolation
GAP = 2  # pixels between pictures
STRIP = 20  # pixels below a frame, for its name


def mosaic(pictures: Tensor, columns: int) -> np.ndarray:
    """Stored pictures uint8 [N, H, W] or [N, H, W, 3] in rows on white: [rows * H + gaps, columns * W + gaps, ...]."""
    array = pictures.numpy()
    count, high, wide, *channels = array.shape
    rows = -(-count // columns)
    canvas = np.full((rows * (high + GAP) - GAP, columns * (wide + GAP) - GAP, *channels), 255, np.uint8)
    for i, picture in enumerate(array):
        top, left = (i // columns) * (high + GAP), (i % columns) * (wide + GAP)
        canvas[top : top + high, left : left + wide] = picture
    return canvas


def save_mosaic(path: Path, pictures: Tensor, columns: int) -> None:
    """The images alone as a PNG, without scaling."""
    with replaced(path) as part:
        Image.fromarray(mosaic(pictures, columns)).save(part, "PNG")


def save_animation(path: Path, frames: Mapping[str, Tensor], columns: int, scale: int = 2) -> None:
    """A GIF of a mosaic for each frame with its name below, at most ten seconds long, resting on the last."""
    images = [_titled(Image.fromarray(mosaic(frame, columns)), name, scale) for name, frame in frames.items()]
    steady = max(100, min(400, 8000 // len(images)))
    times = [steady] * (len(images) - 1) + [2000]
    with replaced(path) as part:
        images[0].save(part, "GIF", save_all=True, append_images=images[1:], duration=times, loop=0)


def _titled(image: Image.Image, name: str, scale: int) -> Image.Image:
    large = image.resize((scale * image.width, scale * image.height), Image.Resampling.NEAREST)
    sheet = Image.new(large.mode, (large.width, large.height + STRIP), "white")
    sheet.paste(large)
    ImageDraw.Draw(sheet).text((large.width // 2, large.height + STRIP // 2), name, fill="black", anchor="mm")
    return sheet


def draw_rows(
    path: Path,
    rows: Sequence[Tensor],
    names: Sequence[str],
    title: str,
    *,
    ticks: Sequence[str] = (),
    cell: float = 0.8,
) -> None:
    """Rows of equally many pictures, each row with its name at the left.

    Args:
        path: of the PNG.
        rows: stored pictures uint8 [N, H, W] or [N, H, W, 3].
        names: one a row.
        title: over all of them.
        ticks: what stands under each column; empty: nothing.
        cell: side of a picture in inches.
    """
    columns = len(rows[0])
    margin = 0.25 + 0.075 * max((len(name) for name in names), default=0)
    head, foot = 0.42, 0.3 if ticks else 0.06
    size = (margin + cell * columns + 0.06, head + cell * len(rows) + foot)
    # a title longer than the sheet would be cut
    size = (max(size[0], 0.1 * len(title) + 0.3), size[1])
    figure = Figure(figsize=size)
    figure.suptitle(plain(title), y=1 - 0.12 / size[1], va="top")
    for r, (row, name) in enumerate(zip(rows, names, strict=True)):
        image = mosaic(row, columns)
        bottom = size[1] - head - cell * (r + 1)
        share = image.shape[0] / image.shape[1]  # of the row's height by its width
        width = cell * columns
        axes = figure.add_axes((margin / size[0], bottom / size[1], width / size[0], width * share / size[1]))
        axes.imshow(image, cmap="gray", vmin=0, vmax=255, aspect="auto")
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
        figure.text(
            (margin - 0.1) / size[0], (bottom + cell / 2) / size[1], plain(name), ha="right", va="center", fontsize=9
        )
    for column, text in enumerate(ticks):
        x = (margin + cell * (column + 0.5)) / size[0]
        figure.text(x, (foot - 0.06) / size[1], plain(text), ha="center", va="top", fontsize=8)
    save(figure, path)
