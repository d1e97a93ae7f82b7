"""The results of a sweep: its jobs, and configurations with their seeds grouped."""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import shorten

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

    def status_text(self) -> str:
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

    def status_text(self) -> str:
        """How many jobs are completed; for one job, its error."""
        done = sum(job.status == "completed" for job in self.jobs)
        if len(self.jobs) == 1 and not done:
            return shorten(self.jobs[0].status_text(), WIDEST, placeholder=" …")
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


def failures(sweep: Sweep) -> list[Job]:
    """Jobs that are neither completed nor pruned, in numeric order."""
    found = [job for job in sweep.jobs if job.status not in ("completed", "pruned")]
    return sorted(found, key=lambda job: folder_order(job.name))


def finished(rows: Iterable[Configuration], metric: str) -> list[Configuration]:
    """The configurations that have the metric."""
    return [row for row in rows if row.figures(metric)]
