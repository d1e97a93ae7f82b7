"""Images as the page sends and shows them."""

import base64
import html
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from dlcourse.data.image_files import UNREADABLE, why_unreadable
from dlcourse.errors import UserError

FAINT = 12  # grey levels: smaller differences from the paper are not ink


def opened(path: str | None, missing: str) -> Image.Image:
    """An uploaded image.

    Args:
        path: of the file; None: nothing was uploaded.
        missing: the sentence that says so.

    Raises:
        UserError: there is none, or it cannot be decoded.
    """
    if path is None:
        raise UserError(missing)
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except UNREADABLE as error:
        raise UserError(f"{why_unreadable(error)}: give a PNG, JPEG or similar file") from None


def drawn(sketch: str | None) -> Image.Image | None:
    """What the sketchpad holds; None where nothing is drawn.

    Args:
        sketch: value of the sketchpad, the address `data:image/png;base64,...` or empty.

    Raises:
        UserError: it is something else.
    """
    if not sketch:
        return None
    try:
        with Image.open(io.BytesIO(base64.b64decode(sketch.partition(",")[2]))) as image:
            return image.convert("RGB")
    except UNREADABLE as error:
        raise UserError(f"{why_unreadable(error)}: draw again") from None


def enlarged(image: np.ndarray, side: int = 320) -> np.ndarray:
    """An image [H, W] or [H, W, 3] with its pixels as squares, about `side` high."""
    factor = max(1, side // image.shape[0])
    return image.repeat(factor, 0).repeat(factor, 1)


def frame(side: int) -> tuple[Figure, Any]:
    """A figure of `side` pixels a side, and axes without frame that fill it."""
    figure = Figure(figsize=(side / 100, side / 100), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    return figure, axes


def rendered(figure: Figure) -> np.ndarray:
    """A figure as uint8 [H, W, 3]."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def bars(names: Sequence[str], shares: Sequence[float]) -> str:
    """Probabilities as HTML: a bar for each name, the longest in colour."""
    best = int(np.argmax(shares))
    rows = [
        f'<div class="bar{" best" if i == best else ""}"><span class="name">{html.escape(name)}</span>'
        f'<span class="track"><span class="fill" style="width:{100 * share:.1f}%"></span></span>'
        f'<span class="share">{share:.1%}</span></div>'
        for i, (name, share) in enumerate(zip(names, shares, strict=True))
    ]
    return f'<div class="bars">{"".join(rows)}</div>'


def headline(big: str, small: str = "") -> str:
    """An answer as HTML: large, with a line below."""
    return f'<div class="answer"><div class="big">{html.escape(big)}</div><div>{html.escape(small)}</div></div>'
