"""The tab that reads clocks."""

from typing import Any

import gradio as gr
import numpy as np

from dlcourse.app.clock import read_clock
from dlcourse.app.library import Library
from dlcourse.app.pictures import drawn, headline, opened
from dlcourse.app.tabs.shared import output_image, sketchpad, spoken
from dlcourse.errors import UserError

START = headline("--:--", "Take a photo, choose a file, or draw a dial with two hands.")


def build(page: gr.Blocks, library: Library) -> None:
    """Photo or drawing on the left, the reading on the right."""
    gr.Markdown(
        "The built-in reader finds a dial, looks closer and reads its hands. "
        "*Solid: its reading; dotted: the runner-up.*"
    )
    with gr.Row():
        with gr.Column():
            with gr.Tab("Photo"):
                photo = gr.Image(
                    label="Photo", type="filepath", image_mode=None, sources=["upload", "webcam", "clipboard"],
                    height=440, buttons=[], elem_id="clock-photo",
                )  # fmt: skip
            with gr.Tab("Drawing"):
                sketch = sketchpad("Draw a dial and two hands", 400, 8, "clock-sketch")
                read = gr.Button("Read the drawing", variant="primary", elem_id="clock-read")
        with gr.Column():
            text = gr.HTML(START, elem_id="clock-text")
            shown = output_image("What the reader found", height=440, elem_id="clock-found")

    def of_photo(path: str | None) -> tuple[np.ndarray, str] | tuple[None, str]:
        return (None, START) if path is None else read_clock(opened(path, ""))

    def of_sketch(value: dict[str, Any] | None) -> tuple[np.ndarray, str]:
        image = drawn(value)
        if image is None:
            raise UserError("nothing is drawn: draw a dial and two hands first")
        return read_clock(image)

    photo.change(spoken(of_photo), photo, [shown, text], api_visibility="private")
    read.click(spoken(of_sketch), sketch, [shown, text], api_visibility="private")
