"""You against the net: a page on which a person reads the hard clocks that a run's model has read."""

import base64
import io
from pathlib import Path

import torch
from PIL import Image

from dlcourse.analysis.robustness import hard_clocks, read_clocks
from dlcourse.clocks.encodings import MINUTES, circular_error
from dlcourse.data.clocks import Clocks
from dlcourse.models.base import BaseModule
from dlcourse.plots.page import write_page

ROUNDS = 20


def write_game(folder: Path, model: BaseModule, data: Clocks, rounds: int = ROUNDS) -> Path:
    """`game.html` in `folder`, with its pictures inside; it needs no server and no network.

    Args:
        folder: where the page goes.
        model: a clock reader.
        data: whose size and ranges the pictures have, on the hard subset.
        rounds: clocks to read.

    Returns:
        The page.
    """
    pictures, minutes = hard_clocks(data, MINUTES)
    pictures, minutes = pictures[:rounds], minutes[:rounds]
    answers = read_clocks(model, pictures, minutes)
    rows = model.format_predictions(answers)
    errors = circular_error(answers["minutes"].round(), minutes)
    found = [
        {
            "picture": _embedded(picture),
            "truth": truth,
            "net": row["time"],
            "error": error,
            "sure": row.get("confidence"),
        }
        for picture, truth, row, error in zip(pictures, minutes.tolist(), rows, errors.tolist(), strict=True)
    ]
    return write_page(folder, "game.html", "game.html", title="You against the net", rounds=found)


def _embedded(picture: torch.Tensor) -> str:
    """A grey picture [S, S] as the address of itself."""
    into = io.BytesIO()
    Image.fromarray(picture.numpy()).save(into, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(into.getvalue()).decode()}"
