"""The tab that reads drawn digits."""

from typing import Any

import gradio as gr
import numpy as np

from dlcourse.app.digit import fits, read_digit
from dlcourse.app.library import Library
from dlcourse.app.pictures import drawn
from dlcourse.app.tabs.shared import output_image, run_list, sketchpad, spoken

COMMAND = "python -m dlcourse.train experiment=quick/mnist_cnn"


def build(page: gr.Blocks, library: Library) -> None:
    """The sketchpad on the left; on the right the answer, what the net sees, and the probabilities."""
    gr.Markdown(
        "Draw a digit, dark on light or light on dark. It is cropped, scaled and centred like the training images of "
        "the run before the net sees it."
    )
    chosen = run_list(page, library, fits, COMMAND)
    with gr.Row():
        with gr.Column():
            sketch = sketchpad("Draw one digit", 360, 26, "digit-sketch")
            read = gr.Button("Read the digit", variant="primary", elem_id="digit-read")
        with gr.Column():
            with gr.Row(equal_height=True):
                text = gr.HTML(elem_id="digit-text")
                seen = output_image("What the net sees", height=190, elem_id="digit-seen")
            shares = gr.HTML(elem_id="digit-bars")

    def answer(folder: str | None, value: dict[str, Any] | None) -> tuple[np.ndarray, str, str]:
        with library.use(folder) as loaded:
            return read_digit(loaded.model, drawn(value))

    read.click(spoken(answer), [chosen, sketch], [seen, text, shares], api_visibility="private")
