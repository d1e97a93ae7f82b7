"""Contact sheets: images in rows, each below its title."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from dlcourse.data.task import SMALLEST_SIDE
from dlcourse.plots.curves import save

LINE = 0.15  # inches that a line of a title takes


def displayable(x: Tensor) -> Tensor | None:
    """The arrays of a split as images; None if they are not images.

    Args:
        x: [N, H, W], [N, H, W, C] with 1, 3 or 4 channels, of which the fourth is left out, or [N, H * W]; uint8, or
            floats of any range, which become 0-255 over all of them.

    Returns:
        uint8 [N, H, W] or [N, H, W, 3] on the CPU.
    """
    if x.ndim == 2:
        side = math.isqrt(x.shape[1])
        if side * side != x.shape[1] or side < SMALLEST_SIDE:
            return None
        x = x.reshape(-1, side, side)
    if x.ndim == 4 and x.shape[3] == 1:
        x = x[..., 0]
    if x.ndim == 4 and x.shape[3] == 4:
        x = x[..., :3]
    if x.ndim == 4 and x.shape[3] != 3:
        return None
    if x.is_floating_point():
        low, high = x.min(), x.max()
        x = ((x - low) / (high - low).clamp_min(1e-12) * 255).round().byte()
    return x.cpu()


def plain(text: str) -> str:
    """A name without markup: matplotlib renders text between dollar signs as mathematics."""
    return text.replace("$", r"\$")


def shorten(text: str, length: int) -> str:
    """The text, or its beginning and end where it is longer than `length` characters."""
    if len(text) <= length:
        return text
    half = (length - 1) // 2
    return f"{text[: length - 1 - half]}…{text[len(text) - half :]}"


def ending(name: str, length: int) -> str:
    """The name, or its end where it is longer: the numbers that tell files apart are at the end."""
    return name if len(name) <= length else f"…{name[1 - length :]}"


def unsure_marks(model: Any, sure: Tensor | None, count: int) -> list[str]:
    """`, not sure` for each of `count` answers with a confidence below the model's calibrated threshold, else empty.

    Args:
        model: its `not_sure_below` is the threshold, 0 where none was found.
        sure: confidences [count]; None where the model has none.
        count: of answers.
    """
    if sure is None:
        return [""] * count
    return [", not sure" if share < getattr(model, "not_sure_below", 0.0) else "" for share in sure.tolist()]


def shown_sample(model: Any, data: Any) -> tuple[Tensor, Tensor, str]:
    """Images and labels to show, and their title: those that the model was trained on, else those it was tested on."""
    if data.title == model.task.data and "train" in data.arrays and not data.whole:
        return *data.arrays["train"], "Training images"
    return *data.arrays[model.split], f"Images of {data.title} ({model.split} split)"


def note(path: Path, text: str) -> None:
    """A figure that says why it is empty."""
    figure = Figure(figsize=(6, 1.2))
    figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=11)
    save(figure, path)


def contact_sheet(
    path: Path,
    pictures: Sequence,
    titles: Sequence[str],
    title: str,
    *,
    columns: int = 6,
    cell: float = 1.9,
    decorate: Callable[[Axes, int], None] | None = None,
) -> None:
    """Pictures in rows of `columns` or fewer.

    Args:
        path: of the PNG.
        pictures: grey arrays [H, W] or colour ones [H, W, 3], 0-255; at least one.
        titles: one a picture, of one line or several.
        title: over the sheet.
        columns: pictures in a row.
        cell: width of a picture and the gap beside it, in inches.
        decorate: draws more on the axes of the picture of that number.
    """
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    lines = 1 + max(text.count("\n") for text in titles)
    height, row, head = 0.94 * cell, 0.98 * cell + LINE * lines, 0.42
    size = (cell * columns, row * rows + head)
    figure = Figure(figsize=size)
    figure.suptitle(title, y=1 - 0.12 / size[1], va="top")
    for i, picture in enumerate(pictures):
        # placed by hand: a layout engine takes seconds for a hundred axes
        left, bottom = (i % columns + 0.03) * cell, size[1] - head - (i // columns) * row - LINE * lines - height
        axes = figure.add_axes((left / size[0], bottom / size[1], height / size[0], height / size[1]))
        axes.imshow(picture, cmap="gray", vmin=0, vmax=255)
        axes.set_title(plain(titles[i]), fontsize=8, y=1, pad=3)  # y given: the search for a free place is slow
        axes.set_axis_off()
        if decorate is not None:
            decorate(axes, i)
        high, wide = picture.shape[:2]
        axes.set(xlim=(-0.5, wide - 0.5), ylim=(high - 0.5, -0.5))
    save(figure, path)
