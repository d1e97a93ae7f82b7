"""A sweep as a table, from the results of its jobs: one row per job, or per configuration with its seeds grouped."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dlcourse.runs.keys import REPETITION, keys_of_kind
from dlcourse.runs.metrics import leading_metric, lower_is_better
from dlcourse.runs.result import Result
from dlcourse.sweeps.jobs import folder_order, job_result, names_job, read_jobs, split_overrides, status

REPEATED = frozenset(keys_of_kind(REPETITION))  # keys whose values are averaged: seeds and folds
WIDEST = 70  # characters of an error in a table


@dataclass(frozen=True)
class Job:
    """One job: the name of its folder, its values of the swept keys, and its result."""

    name: str
    values: tuple[str, ...]
    metrics: dict[str, float | None]
    seconds: float | None
    status: str
    error: str | None

    def said(self) -> str:
        """The error, or the status where there is none."""
        return self.error or self.status


@dataclass(frozen=True)
class Configuration:
    """Jobs that differ in their seed only, and their values of the other swept keys."""

    values: tuple[str, ...]
    jobs: list[Job]

    def figures(self, metric: str) -> list[float]:
        """The values of a metric in the completed jobs."""
        found = (job.metrics.get(metric) for job in self.jobs if job.status == "completed")
        return [value for value in found if value is not None]

    def mean(self, metric: str) -> float:
        """The mean; NaN where no job has the metric."""
        return statistics.fmean(self.figures(metric) or [math.nan])

    def deviation(self, metric: str) -> float:
        """The sample standard deviation over seeds; NaN for fewer than two."""
        figures = self.figures(metric)
        return statistics.stdev(figures) if len(figures) > 1 else math.nan

    def said(self) -> str:
        """How many jobs are completed; for one job, its error."""
        done = sum(job.status == "completed" for job in self.jobs)
        if len(self.jobs) == 1 and not done:
            return _short(self.jobs[0].said())
        return "completed" if done == len(self.jobs) else f"{done} of {len(self.jobs)} completed"


@dataclass(frozen=True)
class Sweep:
    """A whole sweep.

    Attributes:
        folder: where it lies.
        keys: the swept ones; where nothing varies, the last one of the command.
        metric: that the jobs are ranked by, as `val/error_minutes`: on the validation split where every completed job
            has one; empty where no job has any.
        higher: whether more of it is better.
        shown: the metrics of the table: that one on every split, the ranking one first, then the other test metrics.
        jobs: best first; those without the metric come last, in numeric order.
        subject: model and data where all jobs share them, as `mlp on mnist`; else empty.
        spaces: names of the feature spaces that distances of pictures are in; usually none.
    """

    folder: Path
    keys: list[str]
    metric: str
    higher: bool
    shown: list[str]
    jobs: list[Job]
    subject: str = ""
    spaces: tuple[str, ...] = ()

    def config_keys(self) -> list[str]:
        """The swept keys without seeds and folds."""
        return [key for key in self.keys if key not in REPEATED]

    def seeds(self) -> bool:
        """Whether seeds or folds are swept."""
        return not REPEATED.isdisjoint(self.keys)

    def configurations(self) -> list[Configuration]:
        """The configurations, best mean first."""
        places = [number for number, key in enumerate(self.keys) if key not in REPEATED]
        found: dict[tuple[str, ...], list[Job]] = {}
        for job in sorted(self.jobs, key=lambda job: folder_order(job.name)):
            found.setdefault(tuple(job.values[place] for place in places), []).append(job)
        rows = [Configuration(values, jobs) for values, jobs in found.items()]
        return sorted(rows, key=lambda row: self.rank(row.mean(self.metric)))

    def rank(self, figure: float | None) -> float:
        """A sort key: lower for better values, infinite without a value."""
        if figure is None or math.isnan(figure):
            return math.inf
        return -figure if self.higher else figure

    def is_share(self, figure: float) -> bool:
        """Whether a figure of the metric is a share of right answers, such as an accuracy."""
        return self.higher and 0 <= figure <= 1

    def bound(self, margin: float) -> tuple[float, int, int]:
        """The value that is still within the margin of the best, how many configurations reach it, and their total.

        The margin is a share of the best figure, or of its distance to 1 where it is a share of right answers:
        0.1 lets an error of 2 minutes grow to 2.2, and an accuracy of 90 % fall to 89 %.
        """
        means = [mean for row in self.configurations() if not math.isnan(mean := row.mean(self.metric))]
        best = means[0]
        limit = best + (-1 if self.higher else 1) * margin * (1 - best if self.is_share(best) else abs(best))
        good = [mean for mean in means if (mean >= limit if self.higher else mean <= limit) or mean == best]
        return limit, len(good), len(means)


def read_sweep(folder: Path) -> Sweep:
    """Read the sweep of a folder; its jobs may be in any state."""
    listed = read_jobs(folder)
    results = {name: job_result(folder / name) or Result("train", "not run") for name in listed}
    words = {name: split_overrides(overrides) for name, overrides in listed.items()}
    names = [key for key in dict.fromkeys(key for job in words.values() for key in job) if names_job(key)]
    keys = [key for key in names if len({job.get(key) for job in words.values()}) > 1] or names[-1:]
    metrics = list(dict.fromkeys(name for result in results.values() for name in result.metrics))
    rows = [row for result in results.values() for row in result.references]
    leading = leading_metric(metrics, rows) or ""
    split, _, short = leading.partition("/")
    held_out = f"val/{short}"
    judged = [result.metrics for result in results.values() if result.metrics.get(leading) is not None]
    by_validation = bool(judged) and all(found.get(held_out) is not None for found in judged)
    metric = held_out if by_validation else leading
    measured = [name for name in metrics if not name.endswith("/loss")] or metrics
    tested = [name for name in measured if name.startswith(f"{split}/")]
    direction = next((row["better"] for row in rows if row["metric"] == leading), "same")
    higher = not lower_is_better(metric) if direction == "same" else direction == "higher"
    shown = sorted((name for name in measured if name.partition("/")[2] == short), key=lambda name: name != metric)
    shown += [name for name in tested if name not in shown]
    jobs = []
    for name, result in results.items():
        seconds = round(sum(result.seconds.values()), 1) if result.seconds else None
        values = tuple(words[name].get(key, "") for key in keys)
        said = status(folder / name)
        jobs.append(Job(name, values, result.metrics, seconds, said, result.error))
    spaces = tuple(dict.fromkeys(result.features for result in results.values() if result.features))
    models, sets = ({name for r in results.values() if (name := getattr(r, of))} for of in ("model", "data"))
    subject = f"{models.pop()} on {sets.pop()}" if len(models) == len(sets) == 1 else ""
    sweep = Sweep(folder, keys, metric, higher, shown, jobs, subject, spaces)
    return replace(sweep, jobs=sorted(jobs, key=lambda job: sweep.rank(job.metrics.get(metric))))


def sweep_rows(folder: Path) -> tuple[list[str], list[list[Any]], list[str], str]:
    """The content of sweep.csv.

    Returns:
        The header; one row per job, best first; the swept keys; the metric that ranks the jobs.
    """
    sweep = read_sweep(folder)
    rows = [
        [job.name, *job.values, *(job.metrics.get(name) for name in sweep.shown), job.seconds, job.said()]
        for job in sweep.jobs
    ]
    return ["job", *sweep.keys, *sweep.shown, "seconds", "status"], rows, sweep.keys, sweep.metric


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
        rows.append([_names(row.jobs), *row.values, *count, *figures, seconds, row.said()])
    return [*header, "seconds", "status"], rows


def failures(sweep: Sweep) -> list[Job]:
    """Jobs that are neither completed nor pruned, in numeric order."""
    found = [job for job in sweep.jobs if job.status not in ("completed", "pruned")]
    return sorted(found, key=lambda job: folder_order(job.name))


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


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WIDEST else f"{line[: WIDEST - 1]}…"


def finished(rows: Iterable[Configuration], metric: str) -> list[Configuration]:
    """The configurations that have the metric."""
    return [row for row in rows if row.figures(metric)]
