"""The summary of a multirun: sweep.csv after each job; sweep.md, plots and the printed table at the end."""

import sys
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from dlcourse.errors import UserError
from dlcourse.plots.dispatch import draw_jobs
from dlcourse.plots.style import plotting
from dlcourse.runs.files import write_rows, write_text
from dlcourse.runs.table import counted, text_table
from dlcourse.sweeps.jobs import check_folder, job_result, read_jobs
from dlcourse.sweeps.results import Sweep, failures, finished, read_sweep
from dlcourse.sweeps.table import configuration_rows, sweep_rows, verdicts
from dlcourse.training.threads import check_side_by_side

MARGIN = 0.1


class SweepSummary(Callback):
    """A Hydra callback that writes the summary from the folders of the jobs."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Refuse a wrong margin and a folder with another sweep; warn where jobs side by side use too many threads."""
        launcher = config.hydra.launcher
        if "joblib" in launcher._target_:
            check_side_by_side(launcher.n_jobs, config.get("threads"))
        try:
            margin = config.get("sweep_margin", MARGIN)
            if not isinstance(margin, int | float) or margin < 0:
                raise UserError(f"sweep_margin={margin} is not a number of 0 or more: use for example 0.1")
            check_folder(Path(config.hydra.sweep.dir), bool(config.get("resume")))
        except UserError as error:
            sys.exit(f"error: {error}")  # Hydra swallows other exceptions of a callback
        except OmegaConfBaseException:
            return  # the folder could not be created; the sweeper says so

    def on_job_end(self, config: DictConfig, job_return: Any, **kwargs: Any) -> None:
        """Update sweep.csv; this runs in the job's process."""
        if config.hydra.mode.name == "MULTIRUN":
            _write_csv(Path(config.hydra.sweep.dir))
            job_return.cfg = job_return.hydra_cfg = None  # Hydra keeps all returns: a quarter of a megabyte a job

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Write and print the summary; exit with code 1 if a job has not completed."""
        folder = Path(config.hydra.sweep.dir)
        try:
            self.summarise(folder, config)
        except Exception as error:  # which Hydra would swallow
            sys.exit(f"error: the summary of {folder} failed: {type(error).__name__}: {error}")
        if config.get("search") is None and (
            failed := failures(read_sweep(folder))
        ):  # a search reports its own failures
            sys.exit(f"{counted(len(failed), 'job')} failed: {', '.join(job.name for job in failed)}")

    def summarise(self, folder: Path, config: DictConfig) -> None:
        """Write and print the summary; a subclass may add to it."""
        summarise(folder, config.get("sweep_margin", MARGIN))


def summarise(folder: Path, margin: float = MARGIN) -> None:
    """Write sweep.csv, sweep.md and the plots of a sweep, and print its table; also before the sweep has ended.

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
        jobs = [folder / name for name in read_jobs(folder)]
        completed = {job: found for job in jobs if (found := job_result(job)) and found.status == "completed"}
        if len(models := {str(found.model) for found in completed.values()}) == 1:
            draw_jobs(folder, models.pop(), list(completed))
    picture = folder / "sweep.png"
    print(f"Results saved to {folder}" + (f"\nOpen first: {picture}" if picture.exists() else ""), flush=True)


def _page(sweep: Sweep, header: list[str], rows: list[list[Any]], said: list[str]) -> str:
    """sweep.md: the table, its summary, and each failed job with its error."""
    order = "largest" if sweep.higher else "smallest"
    parts = [f"# {sweep.folder.name}", text_table(header, rows, markdown=True)]
    parts += [f"Sorted by {sweep.metric}, {order} first."] if sweep.metric else []
    parts += [" ".join(said)] if said else []
    lost = [
        f"- job {job.name} ({_values(sweep, job.values)}): {' '.join(job.status_text().split())}"
        for job in failures(sweep)
    ]
    parts += ["Not completed:", "\n".join(lost)] if lost else []
    return "\n\n".join(parts) + "\n"


def _values(sweep: Sweep, values: tuple[str, ...]) -> str:
    return " ".join(f"{key}={value}" for key, value in zip(sweep.keys, values, strict=True))


def _write_csv(folder: Path) -> None:
    header, rows = sweep_rows(folder)
    write_rows(folder / "sweep.csv", [header, *rows])
