"""The tab that trains an MLP on points."""

from collections.abc import Generator
from typing import Any

import gradio as gr

from dlcourse.app import points
from dlcourse.app.pictures import headline
from dlcourse.app.saved_runs import SavedRuns
from dlcourse.app.tabs.parts import output_image, say, spoken
from dlcourse.errors import UserError

SETS = [("XOR", "XOR"), ("two moons", "two moons"), ("circles", "circles"), ("spiral", "spiral"), ("my own", "none")]
START = headline("step 0", "Click into the plane to place points, then train.")


def build(page: gr.Blocks, runs: SavedRuns) -> None:
    """The plane on the left, the settings on the right."""
    gr.Markdown(
        "An MLP learns to tell the two classes apart. Click into the plane to place points. "
        "*The black line is the decision boundary: probability one half.*"
    )
    first = points.made_up("XOR")
    placed = gr.State(first)
    with gr.Row():
        with gr.Column(scale=3):
            plane = output_image(
                "Plane", show_label=False, value=points.picture(first), height=points.SIDE, elem_id="plane"
            )
        with gr.Column(scale=2):
            text = gr.HTML(START, elem_id="points-text")
            kind = gr.Radio(SETS, value="XOR", label="Points", elem_id="points-kind")
            label = gr.Radio(list(points.CLASSES), value=points.CLASSES[1], label="A click places", type="index")
            with gr.Row():
                depth = gr.Slider(0, 4, 2, step=1, label="Hidden layers")
                width = gr.Slider(1, 32, 8, step=1, label="Units in each")
            with gr.Row():
                activation = gr.Dropdown(["tanh", "relu", "sigmoid"], value="tanh", label="Activation")
                rate = gr.Dropdown([0.001, 0.005, 0.02, 0.1], value=0.02, label="Learning rate")
            steps = gr.Slider(100, 2000, 600, step=100, label="Steps")
            with gr.Row():
                start = gr.Button("Train", variant="primary", min_width=80, elem_id="points-train")
                stop = gr.Button("Stop", min_width=80)
                clear = gr.Button("Clear", min_width=80)

    def choose(name: str) -> tuple[Any, ...]:
        found = points.made_up(name)
        return found, points.picture(found), START

    def click(found: list[points.Point], which: int, event: gr.SelectData) -> tuple[Any, ...]:
        more = points.place(found, event.index, which)
        return more, points.picture(more), START

    def learn(found: list[points.Point], *values: Any) -> Generator[tuple[Any, str]]:
        try:
            for step in points.train(found, points.Settings(*values)):
                detail = f"loss {step.loss:.2g}, {step.accuracy:.0%} of {len(found)} points right"
                yield step.picture, headline(f"step {step.step}", detail)
        except UserError as error:
            say(error)
            yield gr.skip(), gr.skip()

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    training = start.click(
        learn, [placed, depth, width, activation, rate, steps], [plane, text], concurrency_limit=4, **quiet
    )
    stop.click(None, cancels=[training], api_visibility="private")
    kind.input(spoken(choose), kind, [placed, plane, text], cancels=[training], **quiet)
    clear.click(lambda: ("none", *choose("none")), None, [kind, placed, plane, text], cancels=[training], **quiet)
    plane.select(click, [placed, label], [placed, plane, text], **quiet)
