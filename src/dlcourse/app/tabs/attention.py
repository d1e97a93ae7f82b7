"""The tab that shows what a net looks at."""

from typing import Any

import gradio as gr

from dlcourse.app import attention
from dlcourse.app.pictures import opened
from dlcourse.app.saved_runs import IMAGES, SavedRuns
from dlcourse.app.tabs.parts import input_image, output_image, run_list, spoken
from dlcourse.data.given_images import stored_inputs

COMMAND = "python -m dlcourse.train experiment=quick/mnist_cnn"


def build(page: gr.Blocks, runs: SavedRuns) -> None:
    """Run, image and method above; the image and its heat map below."""
    gr.Markdown(
        "*Grad-CAM* weighs the maps of the last convolution by their gradients; *occlusion* covers one patch after the "
        "other and measures how far the answer's probability falls."
    )
    chosen = run_list(page, runs, attention.fits, COMMAND)
    with gr.Row(equal_height=True):
        method = gr.Radio(list(attention.METHODS), value=attention.METHODS[0], label="Method", elem_id="look-method")
        number = gr.Slider(0, IMAGES - 1, 0, step=1, label="Test image", elem_id="look-number")
        given = input_image("Or your own image", sources=["upload", "clipboard"], height=150, elem_id="look-given")
    start = gr.Button("Show", variant="primary", interactive=False, elem_id="look-start")
    text = gr.HTML(elem_id="look-text")
    with gr.Row():
        image = output_image("Image", height=420)
        heat = output_image("What the net looks at", height=420, elem_id="look-heat")

    def show(folder: str | None, how: str, index: int, path: str | None) -> tuple[Any, ...]:
        with runs.use(folder) as loaded:
            if path is not None:
                stored = stored_inputs(opened(path, ""), loaded.model.photo_task)
            else:
                images = runs.images(loaded)
                stored = images[[index % len(images)]]
            return attention.look(loaded.model, stored, how)

    # The list of runs arrives after the page: until then there is nothing to show.
    chosen.change(
        lambda folder: gr.update(interactive=bool(folder)), chosen, start, show_progress="hidden",
        api_visibility="private",
    )  # fmt: skip
    inputs = [chosen, method, number, given]
    start.click(spoken(show), inputs, [image, heat, text], api_visibility="private")
    number.release(spoken(show), inputs, [image, heat, text], api_visibility="private")
    method.input(spoken(show), inputs, [image, heat, text], api_visibility="private")
