"""The tab that slides faces."""

from typing import Any

import gradio as gr
import torch

from dlcourse.app import face
from dlcourse.app.pictures import opened
from dlcourse.app.saved_runs import SavedRuns, generative
from dlcourse.app.tabs.parts import output_image, run_list, spoken

COMMAND = "python -m dlcourse.train experiment=quick/vae"
NO_DIRECTIONS = (
    "This model has no main directions: the latent of a flow has as many numbers as the image has pixels, and that of "
    "a conditional VAE is empty if the factors determine the image."
)


def build(page: gr.Blocks, runs: SavedRuns) -> None:
    """The face on the left, its sliders on the right, and below the way from face A to face B."""
    gr.Markdown(
        "Each slider moves the latent along one direction, in standard deviations: of an autoencoder or a VAE its "
        "principal directions, of a GAN the directions that its first layer stretches most. A conditional "
        "model (`model.conditional=true`) also has a slider for each factor that it is conditioned on."
    )
    chosen = run_list(page, runs, generative, COMMAND)
    code, ends, number = gr.State(None), gr.State({}), gr.State(0)
    with gr.Row():
        with gr.Column(scale=2):
            shown = output_image("Face", height=384, show_label=False, elem_id="face")
            with gr.Row():
                fresh = gr.Button("New face", variant="primary", min_width=80, elem_id="face-new")
                keep_a = gr.Button("Keep A", min_width=80, elem_id="face-a")
                keep_b = gr.Button("Keep B", min_width=80, elem_id="face-b")
            given = gr.UploadButton("Start from an image", file_types=["image"])
        with gr.Column(scale=3):
            note = gr.Markdown(visible=False)
            sliders = [
                gr.Slider(
                    -face.SD, face.SD, 0, step=0.1, label=f"direction {i + 1}", visible=False, elem_id=f"face-{i}"
                )
                for i in range(face.SLIDERS)
            ]
    with gr.Row(elem_classes="factors"):
        factors = [
            gr.Slider(0, 1, 0, step=0.01, label=f"factor {i + 1}", visible=False, elem_id=f"face-factor-{i}")
            for i in range(face.FACTORS)
        ]
    between = output_image("From A to B", elem_id="face-between")

    def started(loaded: Any, z: torch.Tensor) -> list[Any]:
        found = face.space(runs, loaded)
        shapes = [
            gr.update(value=0, visible=i < len(found.names), label=found.names[i] if i < len(found.names) else "")
            for i in range(face.SLIDERS)
        ]
        note = gr.update(value=NO_DIRECTIONS, visible=not found.names)
        known = [
            gr.update(
                value=one.value, maximum=one.largest, step=one.step, label=one.name.replace("_", " "), visible=True
            )
            for one in face.factors(loaded.model, z)[: face.FACTORS]
        ]
        hidden = [gr.update(visible=False)] * (face.FACTORS - len(known))
        return [z.tolist(), face.draw_face(loaded.model, z), note, *shapes, *known, *hidden]

    def begin(folder: str | None, count: int) -> list[Any]:
        if not folder:
            return [gr.skip()] * (2 + len(outputs))
        with runs.use(folder) as loaded:
            return [count + 1, {}, *started(loaded, face.new_face(runs, loaded, count))]

    def renew(folder: str | None, count: int) -> list[Any]:
        with runs.use(folder) as loaded:
            return [count + 1, *started(loaded, face.new_face(runs, loaded, count))]

    def from_image(folder: str | None, path: str | None) -> list[Any]:
        with runs.use(folder) as loaded:
            return started(loaded, face.code_of(loaded, opened(path, "no image was chosen: choose a file")))

    def moved(loaded: Any, z: list[float], values: tuple[float, ...]) -> torch.Tensor:
        slid = face.slid(torch.tensor(z), face.space(runs, loaded), values[: face.SLIDERS])
        return face.set_factors(loaded.model, slid, values[face.SLIDERS :])

    def slide(folder: str | None, z: list[float] | None, *values: float) -> Any:
        if z is None:
            return gr.skip()
        with runs.use(folder) as loaded:
            return face.draw_face(loaded.model, moved(loaded, z, values))

    def keeping(name: str) -> Any:
        def keep(folder: str | None, z: list[float] | None, kept: dict[str, Any], *values: float) -> tuple[Any, Any]:
            if z is None:
                return gr.skip(), gr.skip()
            with runs.use(folder) as loaded:
                kept = {**kept, name: moved(loaded, z, values).tolist()}
                first, last = (torch.tensor(kept.get(end, kept[name])) for end in "AB")
                return kept, face.steps_between(loaded.model, first, last)

        return keep

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    every = [*sliders, *factors]
    outputs = [code, shown, note, *every]
    chosen.change(spoken(begin), [chosen, number], [number, ends, *outputs], **quiet)
    fresh.click(spoken(renew), [chosen, number], [number, *outputs], **quiet)
    given.upload(spoken(from_image), [chosen, given], outputs, **quiet)
    for slider in every:
        slider.input(spoken(slide), [chosen, code, *every], shown, trigger_mode="always_last", **quiet)
    for name, button in (("A", keep_a), ("B", keep_b)):
        button.click(spoken(keeping(name)), [chosen, code, ends, *every], [ends, between], **quiet)
