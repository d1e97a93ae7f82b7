"""Our results beside the reported figures: for each reference the runs compared with it, seeds grouped."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from dlcourse.reporting.collect import Run, by_machine
from dlcourse.runs import metrics
from dlcourse.runs.metrics import leading_metric
from dlcourse.runs.reference_commands import command
from dlcourse.runs.references import reference_rows
from dlcourse.runs.verdicts import NOISE, SAME, other_settings, verdict


@dataclass(frozen=True)
class Entry:
    """One reference, and the runs of one configuration compared with it, or none."""

    id: str
    reference: dict[str, Any]  # a row of references.yaml
    runs: list[Run]
    first: bool  # whether it is the first entry of its reference

    @property
    def metric(self) -> str:
        return self.reference["metric"]

    @property
    def values(self) -> list[float]:
        return [run.metrics[self.metric] for run in self.runs]

    @property
    def ours(self) -> metrics.Spread | None:
        return metrics.spread(self.values) if self.runs else None

    @property
    def rendered(self) -> bool:
        return any(run.result.rendered for run in self.runs)

    @property
    def verdict(self) -> str:
        """better, worse, the same, within noise, N times, not comparable, rendered, or not run."""
        if self.ours is None:
            return "not run"
        if self.rendered:
            return "rendered"
        return verdict(self.ours.mean, self.reference, sd=self.ours.sd, changed=self.settings)

    @property
    def settings(self) -> list[str]:
        """Overrides that the reported run did not have."""
        return other_settings(self.runs[0].overrides, self.id) if self.runs else []

    @property
    def kind(self) -> str:
        """The verdict as one of a few words, for filters and colours."""
        if self.verdict.endswith(" times"):
            return "times"
        return {SAME: "same", NOISE: "noise"}.get(self.verdict, self.verdict.replace(" ", "-"))

    @property
    def difference(self) -> float | None:
        return None if self.ours is None else self.ours.mean - self.reference["value"]

    @property
    def difference_text(self) -> str:
        if self.difference is None:
            return ""
        unit = " points" if metrics.is_share(self.metric) else metrics.unit(self.metric)
        return metrics.number(self.metric, self.difference, signed=True) + unit

    @property
    def ours_text(self) -> str:
        return "–" if self.ours is None else metrics.spread_text(self.metric, self.ours)

    @property
    def theirs_text(self) -> str:
        return metrics.reported(self.metric, self.reference["value"])

    @property
    def times(self) -> dict[str, float]:
        """Mean wall time of a run by machine: times of different machines and precisions are not averaged."""
        timed = [run for run in self.runs if run.seconds is not None]
        return {machine: fmean(run.seconds or 0 for run in runs) for machine, runs in by_machine(timed).items()}

    @property
    def seconds(self) -> float | None:
        """Mean wall time of a run on the machine of the first run."""
        return next(iter(self.times.values()), None)

    @property
    def time_text(self) -> str:
        """The time; with several machines, that of each."""
        if len(self.times) < 2:
            return metrics.duration(self.seconds)
        return ", ".join(f"{metrics.duration(seconds)} ({machine})" for machine, seconds in self.times.items())

    @property
    def cpu_seconds(self) -> float | None:
        """Mean CPU time of fit and test on the machine of the first run."""
        own = next(iter(by_machine(self.runs).values()), [])
        found = [value for run in own if (value := metrics.finite(run.result.cpu_seconds)) is not None]
        return fmean(found) if found else None

    @property
    def command(self) -> str:
        """The command that was run, several seeds as one sweep; without runs, the command to run."""
        if not self.runs:
            return command(self.id) or ""
        seeds = sorted({str(run.result.seed) for run in self.runs}, key=lambda s: (len(s), s))
        typed = self.runs[0].command
        if len(seeds) == 1:
            return typed
        words = [word for word in typed.split(" ") if not word.startswith("seed=")]
        return " ".join([*words[:3], "-m", *words[3:], f"seed={','.join(seeds)}"])


def usable(run: Run, metric: str) -> bool:
    """Whether a run can be compared with a reported figure: completed, not debug=fast, with the metric."""
    return (
        run.result.status == "completed"
        and not run.trial
        and run.result.verb in ("train", "embed")
        and metric in run.metrics
    )


def entries(runs: Iterable[Run]) -> list[Entry]:
    """The rows of references.yaml in their order, each with the configurations that were run.

    A run that is there twice, as a folder and as a published file, counts once.
    """
    held: dict[str, dict[tuple[Any, ...], list[Run]]] = {}
    seen: set[tuple[Any, ...]] = set()
    rows = reference_rows()
    for run in runs:
        same = (run.settings, str(run.result.seed), json.dumps(run.metrics, sort_keys=True))
        if same in seen:
            continue
        seen.add(same)
        for row in run.result.references:
            name = row["id"]
            if name in rows and usable(run, rows[name]["metric"]):
                held.setdefault(name, {}).setdefault(run.settings, []).append(run)
    found: list[Entry] = []
    for name, row in rows.items():
        groups = [Entry(name, row, group, True) for group in held.get(name, {}).values()] or [
            Entry(name, row, [], True)
        ]
        groups = sorted(groups, key=_order)
        found += [Entry(name, row, entry.runs, place == 0) for place, entry in enumerate(groups)]
    return found


def _order(entry: Entry) -> tuple[Any, ...]:
    """Sort key: own runs, preset named after the reference, other presets, most seeds, latest; never the result."""
    presets = [run.result.experiment for run in entry.runs if run.result.experiment]
    named = any(name.rpartition("/")[2].replace("_", "-") == entry.id.lower() for name in presets)
    plain = min((len(run.overrides) for run in entry.runs), default=0)
    latest = max((run.name for run in entry.runs), default="")
    own = any(run.folder is not None for run in entry.runs)
    return not own, entry.rendered, not named, not presets, -len(entry.runs), plain, [-ord(c) for c in latest]


def headline(run: Run) -> tuple[str, float] | None:
    """The leading metric of a run and its value."""
    name = leading_metric(run.metrics, run.result.references)
    return (name, run.metrics[name]) if name else None


def counts(found: Sequence[Entry]) -> dict[str, int]:
    """The number of references, and of each verdict, by their first entries."""
    first = [entry.kind for entry in found if entry.first]
    kinds = ("better", "same", "noise", "worse", "times", "not-comparable", "rendered", "not-run")
    return {"references": len(first)} | {kind: first.count(kind) for kind in kinds if first.count(kind)}
