"""The end of a command: a summary of its result, and its page."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from dlcourse.plots.style import plotting
from dlcourse.runs.conclusions import conclude
from dlcourse.runs.result import Result
from dlcourse.runs.table import show

log = logging.getLogger(__name__)


def finish(folder: Path, result: Result, cfg: DictConfig) -> None:
    """Print a summary of the result, write index.html and open it if `open=true`; an error here only prints a warning.

    Args:
        folder: where result.json and the plots are.
        result: its content.
        cfg: of the command: `plots` (true by default) and `open`.
    """
    try:
        conclusion = conclude(result, folder)
    except Exception as error:
        log.warning("the conclusion failed (%s: %s); all results are complete", type(error).__name__, error)
        log.debug("conclusion failed", exc_info=True)
        return
    show(f"\n{conclusion.text()}")
    if cfg.get("plots", True):
        with plotting("the page of the run"):
            from dlcourse.plots.live import end_live_page
            from dlcourse.plots.run_page import open_page, write_run_page

            page = write_run_page(folder, result, conclusion)
            end_live_page(folder)
            show(f"Page of the run: {page}")
            if cfg.get("open"):
                open_page(page)
    elif cfg.get("open"):
        log.warning("open=true: there is no page to open, because plots=false")
