"""Read a clock: the built-in reader of any clock, with the dial and the hands that it found."""

import threading
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from dlcourse.app.pictures import frame, headline, rendered
from dlcourse.clocks.encodings import confidence
from dlcourse.data.given_images import stored_inputs
from dlcourse.models.answers import predict_batches
from dlcourse.models.build import any_clock_reader
from dlcourse.plots.any_clock import draw_reading

SIDE = 560  # pixels of the drawn reading
CLOSE = 1 / 3  # a runner-up with more than this part of the answer's probability makes the answer unsure
_lock = threading.Lock()


@cache
def reader() -> Any:
    """The built-in reader, loaded once."""
    return any_clock_reader()


def read_clock(image: Image.Image) -> tuple[np.ndarray, str]:
    """The image with the reading drawn into it, uint8 [S, S, 3], and the time as HTML."""
    with _lock:
        model = reader()
        _, high, wide = model.photo_task.in_shape
        scale = min(1.0, 4 * max(high, wide) / max(image.size))  # the rest needs no more pixels
        image = image.resize((max(2, round(image.width * scale)), max(2, round(image.height * scale))))
        inputs = stored_inputs(image, model.photo_task)
        predictions, _ = predict_batches(model, [inputs])
        (row,) = model.format_predictions(predictions)
    stored = inputs[0].numpy()
    figure, axes = frame(SIDE)
    axes.imshow(stored)
    axes.set(xlim=(-0.5, stored.shape[1] - 0.5), ylim=(stored.shape[0] - 0.5, -0.5))
    if not row["runner_up"]:
        return rendered(figure), headline("no clock found", "Come closer, or turn the dial to the camera.")
    draw_reading(axes, predictions, max(stored.shape[:2]))
    second = confidence(predictions["probabilities"], predictions["runner_up"])[0].item()
    detail = how_sure(row["confidence"], row["runner_up"], second, model.not_sure_below)
    return rendered(figure), headline(str(row["time"]), detail)


def how_sure(share: float, runner_up: str, second: float, threshold: float) -> str:
    """The line below a reading.

    Args:
        share: confidence in the time.
        runner_up: the next likely time.
        second: confidence in it.
        threshold: calibrated confidence below which an answer counts as not sure.
    """
    unsure = share < threshold or second > CLOSE * share
    return f"{'not sure, ' if unsure else ''}confidence {share:.0%}; runner-up {runner_up}, {second:.0%}"
