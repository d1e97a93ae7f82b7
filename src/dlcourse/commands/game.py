"""You against the net: an HTML page on which a person reads the same clocks as a run's model."""

import base64
import io
from pathlib import Path

import torch
from PIL import Image

from dlcourse.analysis.robustness import hard_clocks, read_clocks
from dlcourse.clocks.encodings import MINUTES, circular_error, minutes_of
from dlcourse.data.batches import seeded
from dlcourse.data.clock_folder import ClockFolder
from dlcourse.data.clocks import Clocks
from dlcourse.models.base import BaseModule
from dlcourse.plots.page import write_page

ROUNDS = 20
LARGEST = 400  # pixels a side of a photograph on the page


def write_game(folder: Path, model: BaseModule, data: Clocks | ClockFolder, rounds: int = ROUNDS) -> Path:
    """Write `game.html` with its images embedded; it works without a server and without a network.

    Args:
        folder: output folder.
        model: a clock reader.
        data: photographs of clocks, shuffled; or rendered clocks: the page shows their hard subset.
        rounds: number of clocks to read.

    Returns:
        The path of the page.
    """
    if isinstance(data, Clocks):
        images, minutes = hard_clocks(data, MINUTES)
        how = "Bright reflections, upside down."
    else:
        images, labels = data.arrays["test"]
        order = torch.randperm(len(images), generator=seeded(data.seed))
        images, minutes = images[order], minutes_of(labels[order])
        how = "Your own photographs."
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
            "sure": row.get("confidence") or None,
        }
        for image, truth, row, error in zip(images, minutes.tolist(), rows, errors.tolist(), strict=True)
    ]
    return write_page(folder, "game.html", "game.html", title="You against the net", how=how, rounds=found)


def _data_url(image: torch.Tensor) -> str:
    """An image [S, S] or [S, S, 3] as a data URL; photographs are made smaller."""
    into = io.BytesIO()
    shown, form = Image.fromarray(image.numpy()), "png"
    if shown.width > LARGEST:
        shown, form = shown.resize((LARGEST, LARGEST)), "jpeg"
    shown.save(into, form, optimize=True)
    return f"data:image/{form};base64,{base64.b64encode(into.getvalue()).decode()}"
