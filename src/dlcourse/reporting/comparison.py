"""Two runs side by side: their curves, the settings that differ, the metrics, and the error of each class."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup
from omegaconf import OmegaConf

from dlcourse.errors import UserError
from dlcourse.plots.chart import Line, chart
from dlcourse.plots.page import write_page
from dlcourse.reporting.collect import Run, read_run
from dlcourse.runs import metrics
from dlcourse.runs.files import by_epoch, read_rows, write_text
from dlcourse.runs.keys import APPEARANCE, PLACE, RECORD, kind
from dlcourse.runs.metrics import lower_is_better
from dlcourse.runs.result import CONFIG, RESULT
from dlcourse.runs.stored_config import read_stored
from dlcourse.runs.table import text_table

MOST_CHARTS = 8


class Change(NamedTuple):
    """A metric of both runs; None where a run has no value."""

    name: str
    a: float | None
    b: float | None
    verdict: str  # of B against A: better, worse, same, or empty where the metric has no direction

    @property
    def difference(self) -> float | None:
        return None if self.a is None or self.b is None else self.b - self.a


class ClassChange(NamedTuple):
    """The error rate of a class in both runs."""

    name: str
    count: int
    a: float
    b: float
    mostly: str  # the class that B predicts most often in its place

    @property
    def gain(self) -> float:
        """By how many percentage points B has a lower error."""
        return 100 * (self.a - self.b)


def compare(paths: Sequence[Path], output: Path) -> Iterator[str]:
    """Write compare.html and compare.md, and yield the lines to print.

    Args:
        paths: two run folders.
        output: where the page and the table go.

    Raises:
        UserError: there are not exactly two, or one is not a run.
    """
    if len(paths) != 2:
        count = "one was" if len(paths) == 1 else f"{len(paths)} were"
        raise UserError(f"compare needs two runs, but {count} given: compare=[RUN,RUN]")
    a, b = (_run(path) for path in paths)
    if a.folder and b.folder and a.folder.resolve() == b.folder.resolve():
        raise UserError(f"compare needs two different runs, but {a.name} was given twice")
    changes, settings = metric_changes(a, b), config_changes(a, b)
    classes, why_not = class_changes(a, b)
    charts = _charts(a, b)
    page = write_page(
        output, "compare.html", "compare.html", title="Two runs side by side", runs=[("a", "A", a), ("b", "B", b)],
        changes=changes, settings=settings, classes=classes, why_not=why_not, charts=charts,
        widest=max((abs(row.gain) for row in classes), default=0) or 1,
    )  # fmt: skip
    text = _markdown(a, b, changes, settings, classes)
    write_text(output / "compare.md", text)
    tested = [row for row in changes if row.name.startswith("test/")] or changes
    yield text_table(["metric", "A", "B", ""], [_cells(row) for row in tested])
    if classes:
        better, worse = (sum(sign * row.gain > 0 for row in classes) for sign in (1, -1))
        yield f"{better} classes are better in B, {worse} worse, {len(classes) - better - worse} the same"
    yield f"Comparison saved to {page}"


def _run(path: Path) -> Run:
    file = path if path.is_file() and path.suffix == ".json" else path / RESULT
    if not file.is_file():
        if not path.exists():
            raise UserError(f"compare: {path} does not exist: pass two run folders, compare=[RUN,RUN]")
        unfinished = (path / CONFIG).is_file()
        kind = "the run is not finished" if unfinished else "not a run folder"
        raise UserError(f"compare: {path}: {kind}, {RESULT} not found")
    return read_run(file)


def metric_changes(a: Run, b: Run) -> list[Change]:
    """All metrics of either run, those of the test split first."""
    names = dict.fromkeys([*a.metrics, *b.metrics])
    order = {"test": 0, "val": 1, "train": 2}
    found = []
    for name in sorted(names, key=lambda n: order.get(n.partition("/")[0], 3)):
        x, y, lower = a.metrics.get(name), b.metrics.get(name), lower_is_better(name)
        verdict = ""
        if x is not None and y is not None:
            verdict = "same" if math.isclose(x, y, rel_tol=1e-6, abs_tol=1e-12) else ""
            if not verdict and lower is not None:
                verdict = "better" if (y < x) == lower else "worse"
        found.append(Change(name, x, y, verdict))
    for name, of in (("seconds", lambda run: run.seconds), ("CPU-seconds", lambda run: run.result.cpu_seconds),
                     ("parameters", lambda run: run.result.parameters)):  # fmt: skip
        found.append(Change(name, metrics.finite(of(a)), metrics.finite(of(b)), ""))
    return [row for row in found if row.a is not None or row.b is not None]


def config_changes(a: Run, b: Run) -> list[tuple[str, str, str]]:
    """Keys of config.yaml that differ: name, value in A, value in B; a dash where a run lacks the key."""
    x, y = _config(a), _config(b)
    return [(key, x.get(key, "–"), y.get(key, "–")) for key in dict.fromkeys([*x, *y]) if x.get(key) != y.get(key)]


def _config(run: Run) -> dict[str, str]:
    if run.folder is None:
        return {}
    try:
        stored = OmegaConf.to_container(read_stored(run.folder / CONFIG, builds=False))
    except UserError:
        return {}
    return {key: value for key, value in _flat(stored).items() if kind(key) not in (RECORD, PLACE, APPEARANCE)}


def _flat(node: Any, prefix: str = "") -> dict[str, str]:
    if isinstance(node, dict) and node:
        return {key: value for name, item in node.items() for key, value in _flat(item, f"{prefix}{name}.").items()}
    text = "null" if node is None else str(node).lower() if isinstance(node, bool) else str(node)
    return {prefix.rstrip("."): text}


def class_changes(a: Run, b: Run) -> tuple[list[ClassChange], str]:
    """Classes by how much B improves on A, the largest gain first; or the reason why they cannot be compared."""
    x, y = _class_errors(a), _class_errors(b)
    missing = " and ".join(name for name, rows in (("A", x), ("B", y)) if not rows)
    if missing:
        return [], f"{missing}: plots/per_class.csv not found; classifiers write it with plots=true."
    shared = [name for name in x if name in y]
    if not shared:
        return [], "The runs share no class."
    rows = [ClassChange(n, int(y[n][0]), x[n][1], y[n][1], y[n][2]) for n in shared]
    return sorted(rows, key=lambda row: (-row.gain, row.name)), ""


def _class_errors(run: Run) -> dict[str, tuple[float, float, str]]:
    """Number of images, error and most frequent wrong prediction of each class."""
    found = {}
    for row in _table(run, "plots/per_class.csv"):
        try:
            found[row["name"]] = (float(row["count"]), float(row["error"]), row.get("mostly") or "")
        except (KeyError, TypeError, ValueError):
            continue
    return found


def _table(run: Run, name: str) -> list[dict[str, str]]:
    return read_rows(run.folder / name) if run.folder is not None else []


def _charts(a: Run, b: Run) -> list[tuple[str, Markup]]:
    """One chart for each metric that either run logged by epoch, with both splits of both runs."""
    curves = {"a": _curves(a), "b": _curves(b)}
    names = dict.fromkeys(name.rpartition("/")[2] for found in curves.values() for name in found)
    charts = []
    for short in sorted(names, key=lambda name: (name != "loss", name == "lr", name)):
        lines = []
        for which, found in curves.items():
            for split, style in (("train", "train"), ("val", ""), ("", "")):
                points = found.get(f"{split}/{short}" if split else short)
                if points:
                    label = " ".join([which.upper(), *([split] if split else [])])
                    lines.append(Line(points, f"line-{which} {style}".strip(), label))
        if any(len(line.points) > 1 for line in lines):
            charts.append((short, chart(lines, short, is_share=metrics.is_share(short))))
    return charts[:MOST_CHARTS]


def _curves(run: Run) -> dict[str, list[tuple[int, float]]]:
    rows = _table(run, "metrics.csv")
    names = [name for name in (rows[0] if rows else ()) if name not in ("epoch", "step")]
    return {name: points for name in names if (points := by_epoch(rows, name))}


def _cells(row: Change) -> list[str]:
    return [row.name, metrics.figure(row.name, row.a), metrics.figure(row.name, row.b), row.verdict]


def _markdown(
    a: Run, b: Run, changes: Sequence[Change], settings: Sequence[tuple[str, str, str]], classes: Sequence[ClassChange]
) -> str:
    table = partial(text_table, markdown=True)
    parts: Mapping[str, str] = {
        "Metrics": table(["metric", "A", "B", "B is"], [_cells(row) for row in changes]),
        "Different settings": table(["key", "A", "B"], settings) if settings else "Nothing.",
        "Classes": table(
            ["class", "wrong in A", "wrong in B", "points better"],
            [[c.name, f"{100 * c.a:.1f} %", f"{100 * c.b:.1f} %", f"{c.gain:+.1f}"] for c in classes],
        )
        if classes
        else "Not compared.",
    }
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in parts.items())
    return f"# Two runs\n\nA: `{a.name}`\n\nB: `{b.name}`\n\n{body}\n"
