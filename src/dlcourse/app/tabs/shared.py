"""What the tabs share: sentences instead of tracebacks, the list of runs, plain images."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import gradio as gr

from dlcourse.app.library import Fits, Library
from dlcourse.errors import UserError


def spoken(function: Callable[..., Any]) -> Callable[..., Any]:
    """A handler whose UserErrors appear as sentences on the page."""

    @wraps(function)
    def safe(*values: Any) -> Any:
        try:
            return function(*values)
        except UserError as error:
            raise gr.Error(_sentence(error), title="", duration=8, print_exception=False) from None

    return safe


def _sentence(error: UserError) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def run_list(page: gr.Blocks, library: Library, fits: Fits, command: str) -> gr.Dropdown:
    """The list of the runs that fit, newest first; without one, the command that makes one.

    It is read anew when the page is opened and when the button beside it is pressed.

    Args:
        page: that the tab is part of.
        library: the runs.
        fits: see `Library.choices`.
        command: that makes a run for this tab.
    """
    with gr.Row(equal_height=True, elem_classes="runs"):
        chosen = gr.Dropdown([], label="Run", scale=8, interactive=True)
        again = gr.Button("Search again", scale=1, min_width=120)
    hint = gr.Markdown(visible=False, elem_classes="hint")

    def find(current: str | None) -> tuple[Any, Any]:
        rows = library.choices(fits)
        folders = [folder for _, folder in rows]
        value = current if current in folders else next(iter(folders), None)
        where = ", ".join(f"`{folder}`" for folder in library.folders)
        text = f"No run in {where} fits this tab. This command makes one:\n\n```\n{command}\n```\n\n"
        text += "Then press *Search again*."
        return gr.update(choices=rows, value=value, visible=bool(rows)), gr.update(value=text, visible=not rows)

    page.load(find, chosen, [chosen, hint], show_progress="hidden", api_visibility="private")
    again.click(find, chosen, [chosen, hint], show_progress="hidden", api_visibility="private")
    return chosen


def output_image(label: str, **more: Any) -> gr.Image:
    """An image that the page only shows, without loss."""
    return gr.Image(label=label, interactive=False, format="png", buttons=[], **more)


def sketchpad(label: str, side: int, brush: int, name: str) -> gr.Sketchpad:
    """A square to draw on: black or white strokes, eraser, clear and undo."""
    return gr.Sketchpad(
        label=label,
        canvas_size=(side, side),
        fixed_canvas=True,
        height=side + 90,
        brush=gr.Brush(default_size=brush, colors=["#000000", "#ffffff"], default_color="#000000", color_mode="fixed"),
        eraser=gr.Eraser(default_size=2 * brush),
        layers=False,
        elem_id=name,
        transforms=(),
        buttons=[],
    )
