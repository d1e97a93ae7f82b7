"""Draw a digit: bring a drawing into the form of a run's data, and show the probabilities."""

from typing import Any

import numpy as np
import torch
from PIL import Image

from dlcourse.app.pictures import FAINT, bars, enlarged, headline
from dlcourse.data.task import Task, as_stored
from dlcourse.errors import UserError
from dlcourse.models.answers import predict_batches
from dlcourse.models.base import BaseModule
from dlcourse.reporting.collect import Run

# How each data set places its digits: longer side of the digit's box in image sides, and what lies in the middle.
# Measured on the training images; of MNIST also said by LeCun et al.
PLACING = {
    "digits8": (1.0, "box"),
    "digits16": (1.0, "box"),
    "digits28": (16 / 28, "box"),
    "mnist": (20 / 28, "mass"),
    "mnist_changed": (20 / 28, "mass"),
}


def fits(kind: type, run: Run) -> bool:
    """Whether a run classifies digits."""
    return getattr(kind, "kind", None) == "classes" and run.result.data in PLACING


def ink_of(image: Image.Image) -> np.ndarray:
    """How far each pixel is from the paper [H, W], 0 to 1: of dark strokes on light paper and of light on dark.

    The paper is the median of the border.

    Raises:
        UserError: nothing is drawn.
    """
    grey = np.asarray(image.convert("L")).astype(np.float32)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ink = np.abs(grey - np.median(border))
    if ink.max() <= FAINT:
        raise UserError("nothing is drawn: draw a digit with the mouse or a finger")
    ink = ink / ink.max()
    return np.where(ink < 0.1, 0, ink)  # grain of the paper


def place_digit(ink: np.ndarray, side: int, share: float = 20 / 28, middle: str = "mass") -> np.ndarray:
    """A drawing scaled and centred as its data set does it.

    Args:
        ink: [H, W], 0 to 1.
        side: S of the image.
        share: of it that the longer side of the digit's box takes.
        middle: what lies in the centre, `mass` or `box`.

    Returns:
        uint8 [S, S], light on dark.
    """
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = round(share * side) / max(cut.shape)
    size = [max(1, round(length * scale)) for length in cut.shape]
    how = Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
    small = np.asarray(Image.fromarray((cut * 255).astype(np.uint8)).resize((size[1], size[0]), how)).astype(np.float32)
    small *= 255 / max(small.max(), 1)  # thin strokes fade when they shrink
    found = np.zeros((side, side), np.float32)
    starts = []
    for axis, length in enumerate(size):
        inner = (length - 1) / 2
        if middle == "mass":
            mass = small.sum(1 - axis)
            inner = float((mass * np.arange(length)).sum() / mass.sum())
        half = side / 2 if middle == "mass" else (side - 1) / 2  # MNIST's centre is the pixel right of the middle
        starts.append(int(np.clip(round(half - inner), 0, side - length)))
    found[starts[0] : starts[0] + size[0], starts[1] : starts[1] + size[1]] = small
    return found.round().astype(np.uint8)


def stored_digit(image: Image.Image, task: Task) -> tuple[torch.Tensor, np.ndarray]:
    """A drawing as a task's stored input [1, ...], and as the image uint8 [S, S] that it was made from."""
    shape = task.picture_shape()
    if shape is None or shape[0] != 1:
        raise UserError(f"the run was trained on {task.shape_text()}, not on grey images: choose another run")
    share, middle = PLACING.get(task.data, PLACING["mnist"])
    digit = place_digit(ink_of(image), shape[1], share, middle)
    return as_stored(torch.from_numpy(digit)[None], task), digit


def read_digit(model: BaseModule, image: Image.Image | None) -> tuple[np.ndarray, str, str]:
    """What the net sees, uint8 [H, W]; its answer and the probabilities as HTML.

    Raises:
        UserError: nothing is drawn, or the run does not take grey images.
    """
    if image is None:
        raise UserError("nothing is drawn: draw a digit with the mouse or a finger")
    stored, seen = stored_digit(image, model.task)
    found: Any = predict_batches(model, [stored])[1]
    if found.probabilities is None:
        return enlarged(seen), headline(found.names[0], "this model does not compute probabilities"), ""
    shares = found.probabilities[0]
    sure = f"probability {shares.max():.1%}"
    return enlarged(seen), headline(found.names[0], sure), bars(found.class_names, shares.tolist())
