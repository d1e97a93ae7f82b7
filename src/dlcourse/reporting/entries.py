"""Our results beside the reported figures: for each reference the runs compared with it, seeds grouped."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dlcourse.reporting.collect import Run
from dlcourse.reporting.commands import command
from dlcourse.runs import metrics
from dlcourse.runs.metrics import leading_metric
from dlcourse.runs.references import reference_rows
from dlcourse.runs.table import verdict


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
        """better, worse, the same, N times, rendered, or not run."""
        if self.ours is None:
            return "not run"
        return "rendered" if self.rendered else verdict(self.ours.mean, self.reference, rendered=False)

    @property
    def kind(self) -> str:
        """The verdict as one of a few words, for filters and colours."""
        return (
            "times" if self.verdict.endswith(" times") else self.verdict.replace("the same", "same").replace(" ", "-")
        )

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
    def within(self) -> bool:
        """Whether the difference is smaller than the spread of our own runs."""
        return bool(self.ours and self.ours.sd and self.difference and abs(self.difference) < self.ours.sd)

    @property
    def ours_text(self) -> str:
        return "–" if self.ours is None else metrics.spread_text(self.metric, self.ours)

    @property
    def theirs_text(self) -> str:
        return metrics.reported(self.metric, self.reference["value"])

    @property
    def seconds(self) -> float | None:
        """Mean wall time of a run."""
        found = [run.seconds for run in self.runs if run.seconds is not None]
        return sum(found) / len(found) if found else None

    @property
    def cpu_seconds(self) -> float | None:
        """Mean CPU time of fit and test."""
        found = [value for run in self.runs if (value := metrics.finite(run.result.cpu_seconds)) is not None]
        return sum(found) / len(found) if found else None

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
    """The preset of the reference's name, then other presets, most seeds, the latest folder: never the best on test."""
    presets = [run.result.experiment for run in entry.runs if run.result.experiment]
    named = any(name.rpartition("/")[2].replace("_", "-") == entry.id.lower() for name in presets)
    plain = min((len(run.overrides) for run in entry.runs), default=0)
    latest = max((run.name for run in entry.runs), default="")
    return entry.rendered, not named, not presets, -len(entry.runs), plain, [-ord(c) for c in latest]


def headline(run: Run) -> tuple[str, float] | None:
    """The leading metric of a run and its value."""
    name = leading_metric(run.metrics, run.result.references)
    return (name, run.metrics[name]) if name else None


def counts(found: Sequence[Entry]) -> dict[str, int]:
    """The number of references, and of each verdict, by their first entries."""
    first = [entry.kind for entry in found if entry.first]
    kinds = ("better", "same", "worse", "times", "rendered", "not-run")
    return {"references": len(first)} | {kind: first.count(kind) for kind in kinds if first.count(kind)}
