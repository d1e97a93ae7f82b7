"""The tab that reads clocks."""

import gradio as gr
import numpy as np

from dlcourse.app.clock import read_clock
from dlcourse.app.pictures import drawn, headline, opened
from dlcourse.app.saved_runs import SavedRuns
from dlcourse.app.tabs.parts import input_image, output_image, spoken
from dlcourse.app.tabs.sketchpad import sketchpad
from dlcourse.errors import UserError

START = headline("--:--", "Take a photo, choose a file, or draw a dial with two hands.")


def build(page: gr.Blocks, runs: SavedRuns) -> None:
    """Photo or drawing on the left, the reading on the right."""
    gr.Markdown(
        "The built-in reader finds a dial, looks closer and reads its hands. "
        "*Solid: its reading; dotted: the runner-up.*"
    )
    with gr.Row():
        with gr.Column():
            with gr.Tab("Photo"):
                sources = ["upload", "webcam", "clipboard"]
                photo = input_image("Photo", sources=sources, height=440, elem_id="clock-photo")
            with gr.Tab("Drawing"):
                sketch = sketchpad(400, 8, "clock-sketch")
                read = gr.Button("Read the drawing", variant="primary", elem_id="clock-read")
        with gr.Column():
            text = gr.HTML(START, elem_id="clock-text")
            shown = output_image("What the reader found", height=440, elem_id="clock-found")

    def of_photo(path: str | None) -> tuple[np.ndarray, str] | tuple[None, str]:
        return (None, START) if path is None else read_clock(opened(path, ""))

    def of_sketch(value: str | None) -> tuple[np.ndarray, str]:
        image = drawn(value)
        if image is None:
            raise UserError("nothing is drawn: draw a dial and two hands first")
        return read_clock(image)

    photo.change(spoken(of_photo), photo, [shown, text], api_visibility="private")
    read.click(spoken(of_sketch), sketch, [shown, text], api_visibility="private")
