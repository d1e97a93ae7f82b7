"""What a multirun leaves behind: sweep.csv after each job; sweep.md, its pictures and the table at its end."""

import csv
import io
import sys
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from dlcourse.errors import UserError
from dlcourse.plots.dispatch import draw_jobs
from dlcourse.plots.style import plotting
from dlcourse.runs.files import write_text
from dlcourse.runs.table import text_table
from dlcourse.sweeps.jobs import check_folder
from dlcourse.sweeps.table import Sweep, configuration_rows, failures, finished, read_sweep, sweep_rows, verdicts
from dlcourse.training.threads import check_side_by_side

__all__ = ["SweepSummary", "read_sweep", "summarise", "sweep_rows"]

MARGIN = 0.1


class SweepSummary(Callback):
    """A Hydra callback that reads the jobs' result.json, so that it knows no more than the run folders do."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Refuse a folder that holds a sweep, unless it is resumed; say where its jobs take too many threads."""
        launcher = config.hydra.launcher
        if "joblib" in launcher._target_:
            check_side_by_side(launcher.n_jobs, config.get("threads"))
        try:
            check_folder(Path(config.hydra.sweep.dir), bool(config.get("resume")))
        except UserError as error:
            sys.exit(f"error: {error}")  # Hydra swallows a callback's exceptions, this one it does not

    def on_job_end(self, config: DictConfig, job_return: Any, **kwargs: Any) -> None:
        """Bring sweep.csv up to date; in the job's process, whatever launcher runs it."""
        if config.hydra.mode.name == "MULTIRUN":
            _write_csv(Path(config.hydra.sweep.dir))
            job_return.cfg = job_return.hydra_cfg = None  # Hydra keeps all returns: a quarter of a megabyte a job

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Write and say the summary; exit code 1 where a job has not completed."""
        folder = Path(config.hydra.sweep.dir)
        try:
            self.summarise(folder, config)
        except Exception as error:  # Hydra would swallow it
            sys.exit(f"error: the summary of {folder} failed: {type(error).__name__}: {error}")
        if config.get("search") is None and (failed := failures(read_sweep(folder))):  # a search counts its own
            sys.exit(f"{len(failed)} jobs failed: {', '.join(job.name for job in failed)}")

    def summarise(self, folder: Path, config: DictConfig) -> None:
        """What stands at the end of a sweep; another command's callback may add to it."""
        summarise(folder, config.get("sweep_margin", MARGIN))


def summarise(folder: Path, margin: float = MARGIN) -> None:
    """sweep.csv, sweep.md, the pictures of a sweep's folder, and the table on the terminal; also before its end.

    Args:
        folder: of the sweep.
        margin: how far from the best a configuration may be to be counted as near it, see `Sweep.bound`.
    """
    sweep = read_sweep(folder)
    if not sweep.jobs:
        return
    _write_csv(folder)
    header, rows = configuration_rows(sweep)
    said = verdicts(sweep, margin)
    write_text(folder / "sweep.md", _page(sweep, header, rows, said))
    print("\n".join(["", text_table(header, rows), "", *said]))
    with plotting("plots of the sweep"):
        if done := finished(sweep.configurations(), sweep.metric):
            from dlcourse.sweeps.plots.curves import draw_sweep_curves
            from dlcourse.sweeps.plots.sweep import draw_sweep

            draw_sweep(folder / "sweep.png", sweep, done)
            draw_sweep_curves(folder / "sweep_curves.png", sweep, done)
        draw_jobs(folder)
    print(f"everything is in {folder}", flush=True)


def _page(sweep: Sweep, header: list[str], rows: list[list[Any]], said: list[str]) -> str:
    """sweep.md: the table, what it says, and each failed job with its error."""
    order = "largest" if sweep.higher else "smallest"
    parts = [f"# {sweep.folder.name}", text_table(header, rows, markdown=True)]
    parts += [f"By {sweep.metric}, the {order} first."] if sweep.metric else []
    parts += [" ".join(said)] if said else []
    lost = [
        f"- job {job.name} ({_values(sweep, job.values)}): {' '.join(job.said().split())}" for job in failures(sweep)
    ]
    parts += ["Not completed:", "\n".join(lost)] if lost else []
    return "\n\n".join(parts) + "\n"


def _values(sweep: Sweep, values: tuple[str, ...]) -> str:
    return " ".join(f"{key}={value}" for key, value in zip(sweep.keys, values, strict=True))


def _write_csv(folder: Path) -> None:
    header, rows, *_ = sweep_rows(folder)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    write_text(folder / "sweep.csv", text.getvalue())
