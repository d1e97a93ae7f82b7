"""The table of a sweep: one row per job, or per configuration with its seeds grouped; and its summary in sentences."""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlcourse.sweeps.results import Configuration, Job, Sweep, read_sweep


def sweep_rows(folder: Path) -> tuple[list[str], list[list[Any]]]:
    """The content of sweep.csv: the header, and one row per job, best first."""
    sweep = read_sweep(folder)
    rows = [
        [job.name, *job.values, *(job.metrics.get(name) for name in sweep.shown), job.seconds, job.status_text()]
        for job in sweep.jobs
    ]
    return ["job", *sweep.keys, *sweep.shown, "seconds", "status"], rows


def configuration_rows(sweep: Sweep) -> tuple[list[str], list[list[Any]]]:
    """Header and rows of the printed table: one row per configuration, seeds as mean ± standard deviation."""
    seeds = sweep.seeds()
    header = ["jobs" if seeds else "job", *sweep.config_keys(), *(["n"] if seeds else []), *sweep.shown]
    rows = []
    for row in sweep.configurations():
        count = [sum(job.status == "completed" for job in row.jobs)] if seeds else []
        figures = [_figure(row, name) for name in sweep.shown]
        spent = [job.seconds for job in row.jobs if job.seconds is not None]
        seconds = round(statistics.fmean(spent), 1) if spent else None
        rows.append([_names(row.jobs), *row.values, *count, *figures, seconds, row.status_text()])
    return [*header, "seconds", "status"], rows


def verdicts(sweep: Sweep, margin: float) -> list[str]:
    """The summary in sentences: the configuration that validation chooses, and how many come near the best."""
    rows = [row for row in sweep.configurations() if row.figures(sweep.metric)]
    if len(rows) < 2:
        return []
    limit, good, total = sweep.bound(margin)
    percent, one = f"{100 * margin:g} %", good == 1
    if sweep.is_share(rows[0].mean(sweep.metric)):
        near = f"{'has' if one else 'have'} at most {percent} more errors than the best: {sweep.metric} of"
    else:
        near = f"{'comes' if one else 'come'} within {percent} of the best by {sweep.metric}:"
    said = [f"{good} of {total} configurations {near} {limit:.4g} or {'more' if sweep.higher else 'less'}."]
    split, _, short = sweep.metric.partition("/")
    if split == "val" and sweep.config_keys() and (tested := f"test/{short}") in sweep.shown:
        best = rows[0]
        values = " ".join(f"{key}={value}" for key, value in zip(sweep.config_keys(), best.values, strict=True))
        said.append(f"Validation chooses {values}: {tested} {_words(_figure(best, tested))}.")
    elif split == "test" and sweep.config_keys():
        said.append("Sorted by the test figures, without validation data: the best figure is optimistic.")
    said += [f"Distances between images use the features of {', '.join(sweep.spaces)}."] if sweep.spaces else []
    return said


def _figure(row: Configuration, metric: str) -> float | str | None:
    mean, deviation = row.mean(metric), row.deviation(metric)
    if math.isnan(mean):
        return None
    return mean if math.isnan(deviation) else f"{mean:.4g} ± {_two_digits(deviation)}"


def _two_digits(deviation: float) -> str:
    return f"{deviation:.0f}" if deviation >= 10 else f"{deviation:.2g}"


def _words(figure: float | str | None) -> str:
    return f"{figure:.4g}" if isinstance(figure, float) else str(figure)


def _names(jobs: Sequence[Job]) -> str:
    names = [job.name for job in jobs]
    return ", ".join(names) if len(names) <= 5 else f"{names[0]}, {names[1]} … {names[-1]}"
