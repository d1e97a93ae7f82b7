"""The page: its tabs, its style, and a policy that keeps every request on this machine."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import gradio as gr
from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dlcourse.app.saved_runs import SavedRuns
from dlcourse.app.tabs import attention, clock, digit, face, points

TABS = {
    "Read a clock": clock.build,
    "Draw a digit": digit.build,
    "Slide a face": face.build,
    "Train on points": points.build,
    "What the net looks at": attention.build,
}
# Browsers refuse every address except this server's, even if an update of Gradio requests another one.
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'"
)
CSS = """
.gradio-container {width: 100% !important; max-width: 1080px !important; margin: 0 auto !important}
.runs button {align-self: center}
.factors > .form {display: grid !important; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); flex: 1;
  background: var(--block-background-fill)}
.answer {padding: 6px 2px} .answer .big {font-size: 2.4rem; font-weight: 650; line-height: 1.2}
.bars {padding: 4px 2px} .bar {display: flex; align-items: center; gap: 10px; margin: 5px 0}
.bar .name {width: 6.5em; text-align: right; overflow: hidden; text-overflow: ellipsis}
.bar .track {flex: 1; height: 15px; background: rgba(128, 128, 128, .16); border-radius: 4px; overflow: hidden}
.bar .fill {display: block; height: 100%; background: #9aa5b8} .bar.best .fill {background: #4f5bd5}
.bar .share {width: 4.2em; font-variant-numeric: tabular-nums} .bar.best {font-weight: 650}
"""


class LocalOnly:
    """Middleware that adds the policy to every answer.

    Args:
        app: that answers.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; the answer gets the header."""

        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Content-Security-Policy"] = POLICY
            await send(message)

        await self.app(scope, receive, with_policy)


def web_app(folders: Sequence[Path], trust: str | Iterable[str] | None = (), hosts: Sequence[str] = ("*",)) -> FastAPI:
    """The application that a server runs.

    Args:
        folders: to search for runs.
        trust: packages or full class names outside dlcourse that a stored run may build.
        hosts: names that a browser may use for this machine; `*`: any.
    """
    runs = SavedRuns(folders, trust)
    with gr.Blocks(title="dlcourse playground", analytics_enabled=False) as page:
        gr.Markdown("# Playground")
        for name, build in TABS.items():
            with gr.Tab(name):
                build(page, runs)
    app = FastAPI(openapi_url=None)
    app.add_middleware(LocalOnly)
    # A web site whose name is pointed to this machine could otherwise read the page.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    theme = gr.themes.Default(
        primary_hue="indigo", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    )
    return gr.mount_gradio_app(
        app, page, "/", theme=theme, css=CSS, footer_links=[], run_history=False, ssr_mode=False, show_error=True
    )
