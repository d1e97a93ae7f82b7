"""What the tabs share: sentences instead of tracebacks, the list of runs, images."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import gradio as gr

from dlcourse.app.saved_runs import Fits, SavedRuns
from dlcourse.errors import UserError


def spoken(function: Callable[..., Any]) -> Callable[..., Any]:
    """A handler whose UserErrors appear as sentences on the page, which stays as it is otherwise."""

    @wraps(function)
    def safe(*values: Any) -> Any:
        try:
            return function(*values)
        except UserError as error:
            say(error)
            return gr.skip()

    return safe


def say(error: UserError) -> None:
    """Show an error's sentence in a corner of the page."""
    text = str(error)
    gr.Warning(f"{text[:1].upper()}{text[1:]}.", title="", duration=10)


def run_list(page: gr.Blocks, runs: SavedRuns, fits: Fits, command: str) -> gr.Dropdown:
    """The list of the runs that fit, newest first; without one, the command that makes one.

    It is updated when the page is opened and when the button beside it is pressed.

    Args:
        page: that the tab is part of.
        runs: to choose from.
        fits: see `SavedRuns.choices`.
        command: that makes a run for this tab.
    """
    with gr.Row(equal_height=True, elem_classes="runs"):
        chosen = gr.Dropdown([], label="Run", scale=8, interactive=True)
        again = gr.Button("Search again", scale=0, min_width=140, size="md")
    hint = gr.Markdown(visible=False, elem_classes="hint")

    def find(current: str | None) -> tuple[Any, Any]:
        rows = runs.choices(fits)
        folders = [folder for _, folder in rows]
        value = current if current in folders else next(iter(folders), None)
        where = ", ".join(f"`{folder}`" for folder in runs.folders)
        text = f"No run in {where} fits this tab. This command makes one:\n\n```\n{command}\n```\n\n"
        text += "Then press *Search again*."
        return gr.update(choices=rows, value=value, visible=bool(rows)), gr.update(value=text, visible=not rows)

    page.load(find, chosen, [chosen, hint], show_progress="hidden", api_visibility="private")
    again.click(find, chosen, [chosen, hint], show_progress="hidden", api_visibility="private")
    return chosen


def output_image(label: str, **more: Any) -> gr.Image:
    """An image that the page only shows, without loss."""
    return gr.Image(label=label, interactive=False, format="png", buttons=[], **more)


def input_image(label: str, **more: Any) -> gr.Image:
    """An image that a visitor uploads; its value is the path of the file, which is not decoded yet."""
    image = gr.Image(label=label, type="filepath", image_mode=None, buttons=[], **more)
    # Gradio would decode it, and answer a broken file with the error of a library.
    setattr(image, "preprocess", lambda given: given.path if given is not None else None)  # noqa: B010
    return image
