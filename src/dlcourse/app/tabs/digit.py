"""The tab that reads drawn digits."""

from typing import Any

import gradio as gr

from dlcourse.app.digit import fits, read_digit
from dlcourse.app.pictures import drawn, headline
from dlcourse.app.saved_runs import SavedRuns
from dlcourse.app.tabs.parts import output_image, run_list, spoken
from dlcourse.app.tabs.sketchpad import sketchpad

COMMAND = "python -m dlcourse.train experiment=quick/mnist_cnn"


START = headline("?", "Draw a digit on the left.")


def build(page: gr.Blocks, runs: SavedRuns) -> None:
    """The sketchpad on the left; on the right the answer, what the net sees, and the probabilities."""
    gr.Markdown(
        "Draw a digit, dark on light or light on dark. After each stroke it is cropped, scaled and centred like the "
        "training images of the run, and the net answers."
    )
    chosen = run_list(page, runs, fits, COMMAND)
    with gr.Row():
        with gr.Column():
            sketch = sketchpad(360, 26, "digit-sketch")
        with gr.Column():
            with gr.Row(equal_height=True):
                text = gr.HTML(START, elem_id="digit-text")
                seen = output_image("What the net sees", height=190, elem_id="digit-seen")
            shares = gr.HTML(elem_id="digit-bars")

    def answer(folder: str | None, value: str | None) -> tuple[Any, str, str]:
        if not folder or not value:
            return None, START, ""
        with runs.use(folder) as loaded:
            return read_digit(loaded.model, drawn(value))

    for changed in (sketch, chosen):
        changed.change(
            spoken(answer), [chosen, sketch], [seen, text, shares], show_progress="hidden", api_visibility="private"
        )
