"""The playground, a local page to play with runs: `python -m dlcourse.app [port=7860] [open=true]`.

Each tab is two modules: `NAME.py` computes, without Gradio; `tabs/NAME.py` lays it out.
"""

from importlib.util import find_spec
from pathlib import Path

from omegaconf import DictConfig

from dlcourse.errors import UserError

NEEDED = ("gradio", "captum")


def task(cfg: DictConfig) -> None:
    """Serve the page until Ctrl-C."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UserError(
            f"the playground needs {' and '.join(missing)}, which the extra `app` installs: use "
            "uv run --extra app python -m dlcourse.app, or pip install 'dlcourse[app]'"
        )
    from dlcourse.app.server import serve

    folders = [Path(path) for path in cfg.folders]
    serve(folders, cfg.trust, str(cfg.host), cfg.port, opens=cfg.open)
