"""What a multirun leaves behind: sweep.csv after each job, sweep.md and sweep.png at its end."""

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from dlcourse.job_plots import draw_together
from dlcourse.results import RESULT, read_result, write_text
from dlcourse.table import text_table


class SweepSummary(Callback):
    """A Hydra callback that reads the jobs' result.json, so that it knows no more than the run folders do."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Refuse a folder that holds a sweep already, unless it is resumed."""
        folder = Path(config.hydra.sweep.dir)
        if not config.get("resume") and any(folder.glob(f"*/{RESULT}")):
            # Hydra swallows a callback's exceptions, this one it does not
            sys.exit(
                f"error: {folder} holds a sweep already: go on with it by resume=true, or choose another name=NAME"
            )

    def on_job_end(self, config: DictConfig, job_return: Any, **kwargs: Any) -> None:
        """Bring sweep.csv up to date."""
        if config.hydra.mode.name == "MULTIRUN":
            folder = Path(config.hydra.sweep.dir)
            _write_csv(folder, *sweep_rows(folder)[:2])

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Write and say the summary."""
        summarise(Path(config.hydra.sweep.dir))


def summarise(folder: Path) -> None:
    """sweep.csv, sweep.md and sweep.png of a sweep's folder, and the table on the terminal."""
    header, rows, keys, metric = sweep_rows(folder)
    if not rows:
        return
    _write_csv(folder, header, rows)
    write_text(folder / "sweep.md", f"# {folder.name}\n\n{text_table(header, rows, markdown=True)}\n")
    print(f"\n{text_table(header, rows)}\n")
    finished = [row for row in rows if row[header.index(metric)] is not None] if metric else []
    if finished:
        from dlcourse.plots.sweep import draw_sweep

        draw_sweep(folder / "sweep.png", keys, header, finished, metric)
    draw_together(folder)
    print(f"everything is in {folder}")


def sweep_rows(folder: Path) -> tuple[list[str], list[list[Any]], list[str], str]:
    """The sweep as a table, read from its jobs' results.

    Returns:
        The header; a row a job, in the jobs' order; the swept keys; the metric that the jobs are held against.
    """
    jobs = sorted((path.parent for path in folder.glob(f"*/{RESULT}")), key=lambda p: (len(p.name), p.name))
    results = [(job.name, result) for job in jobs if (result := read_result(job))]
    overrides = [dict(o.split("=", 1) for o in result["overrides"] if "=" in o) for _, result in results]
    names = list(dict.fromkeys(key for job in overrides for key in job if key not in ("name", "resume", "plots")))
    keys = [key for key in names if len({job.get(key) for job in overrides}) > 1] or names[-1:]
    metrics = list(dict.fromkeys(name for _, r in results for name in r["metrics"] if not name.endswith("/loss")))
    held = [row["metric"] for _, result in results for row in result["references"] if row["metric"] in metrics]
    tested = [name for name in metrics if name.startswith("test/")] or metrics  # a map has no test
    metric = (held or tested or metrics or [""])[0]
    # the figure itself for every split first, then what else was measured on the test split
    short = metric.partition("/")[2]
    shown = [name for name in metrics if name.partition("/")[2] == short]
    shown += [name for name in tested if name not in shown]
    space = ["features"] * any("features" in result for _, result in results)  # that distances of pictures are in
    header = ["job", *keys, *shown, *space, "seconds", "status"]
    rows = []
    for (name, result), job in zip(results, overrides, strict=True):
        seconds = round(sum(result["seconds"].values()), 1)
        values = [result["metrics"].get(metric_name) for metric_name in shown]
        rows.append([name, *(job.get(key, "") for key in keys), *values])
        rows[-1] += [*(result.get(key) for key in space), seconds, result["error"] or result["status"]]
    return header, rows, keys, metric


def _write_csv(folder: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    write_text(folder / "sweep.csv", text.getvalue())
