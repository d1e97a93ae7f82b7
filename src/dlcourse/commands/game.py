"""You against the net: an HTML page on which a person reads the same hard clocks as a run's model."""

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
    """Write `game.html` with its images embedded; it works without a server and without a network.

    Args:
        folder: output folder.
        model: a clock reader.
        data: gives the size and the parameter ranges of the rendered images, which are of the hard subset.
        rounds: number of clocks to read.

    Returns:
        The path of the page.
    """
    images, minutes = hard_clocks(data, MINUTES)
    images, minutes = images[:rounds], minutes[:rounds]
    answers = read_clocks(model, images, minutes)
    rows = model.format_predictions(answers)
    errors = circular_error(answers["minutes"].round(), minutes)
    found = [
        {
            "picture": _data_url(image),
            "truth": truth,
            "net": row["time"],
            "error": error,
            "sure": row.get("confidence"),
        }
        for image, truth, row, error in zip(images, minutes.tolist(), rows, errors.tolist(), strict=True)
    ]
    return write_page(folder, "game.html", "game.html", title="You against the net", rounds=found)


def _data_url(image: torch.Tensor) -> str:
    """A greyscale image [S, S] as a data URL."""
    into = io.BytesIO()
    Image.fromarray(image.numpy()).save(into, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(into.getvalue()).decode()}"
