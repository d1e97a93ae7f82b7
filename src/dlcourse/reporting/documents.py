"""RESULTS.md and docs/experiments.md, made from the published results and the headers of the presets."""

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from textwrap import shorten
from typing import Any

from dlcourse.config import CONF, choices, config_dir_flags
from dlcourse.errors import UserError
from dlcourse.reporting.collect import Run, affects_result, by_machine
from dlcourse.reporting.entries import Entry, entries, headline
from dlcourse.reporting.published import PUBLISHED, groups, hardware
from dlcourse.runs import metrics
from dlcourse.runs.files import write_text
from dlcourse.runs.table import text_table
from dlcourse.runs.verdicts import other_settings, verdict

RESULTS, EXPERIMENTS = Path("RESULTS.md"), Path("docs/experiments.md")
AREAS = {  # heading: ids of references.yaml, presets; the first that fits
    "Quick": (r"(?!)", r"quick/"),
    "Clocks": (r"G", r"clocks/"),
    "Digits and maps": (r"A[^45]", r"digits/a[^45]"),
    "Small nets": (r"A[45]|B", r"digits/|xor/"),
    "Image classification": (r"[C-F]", r"mnist/|fashion_mnist/|cifar"),
    "Faces": (r"H", r"faces/|toons/"),
    "More": (r"", r""),
}
TIME = re.compile(r", ([^,]+ minutes?) on 2 cores")
HEAD = """# Results

Each row compares a reported figure (`conf/references.yaml` names its source) with ours, and lists the command that
measures ours. `python -m dlcourse.report results=true` makes this page from `outputs/published/*.json`; do not edit it.

- **ours**: mean ± standard deviation (number of seeds). The tested checkpoint is chosen by validation, or is
  that of the last epoch if there is no validation split. The test split is used once; the notes name the exceptions.
- **verdict**: better, worse, or the same at the reported precision; within noise: the difference is less than one
  standard deviation of ours; not comparable: our settings differ from those of the reported run; a ratio, ours divided
  by theirs, where neither direction is better. **rendered**: ours is measured on rendered images, theirs on other
  files, so they are not comparable. **not run**: no result of the whole recipe; the
  [notes](docs/notes/recipes.md#figures-of-the-present-recipes) have shorter runs of F2b and F3 to F5.
- Some rows compare the task, not the net: C-record, E-gpu, F4 and G5-12+60 are compared with our best preset,
  F1 with a linear layer on frozen features.
- **command**: put `python -m dlcourse.` in front of it. Options for place, precision and speed are left out (most runs
  use bfloat16, the choice of `trainer.precision=auto` on this hardware). For several seeds add `-m` and `seed=0,1,2`.
- **time**: time of one run without start-up and without preparing the data: wall time, or CPU time if the machine was
  shared; with several machines or precisions, one time for each, in the order of the column hardware.
- **hardware**: 2 cores of an Intel Xeon or AMD EPYC, no GPU. `clock_multihead` (seed 0) and D1 use both, the
  other rows one.

How we obtained the figures, and what did not help: [clocks](docs/notes/clocks.md), [digits](docs/notes/digits.md),
[small nets](docs/notes/small-nets.md), [images](docs/notes/images.md), [faces](docs/notes/faces.md).
All presets: [docs/experiments.md](docs/experiments.md).
"""

PRESETS = """# Presets

`python -m dlcourse.train experiment=NAME` runs a preset. Names such as G4 are ids in `conf/references.yaml`, which does
not contain A3, E4, H1 and H2. "The source" is the project that reports a row. The times are measured on 2 cores of a
server without a GPU, mostly with `threads=1` and bfloat16; the quick presets use two threads and float32.
Processors differ, so compare times only roughly; [Times of the presets](experiments/times.md) has those on one
processor. "Rendered" figures are measured on images of our own renderer. This page is generated from the headers of the
presets by `python -m dlcourse.report results=true`.
"""


def results_text(folder: Path = PUBLISHED) -> str:
    """RESULTS.md: one row for each reference by area, then the other published results.

    Raises:
        UserError: a published result cannot be read.
    """
    published = groups(folder)
    rows = [entry for entry in entries(run for runs in published.values() for run in runs) if entry.first]
    header = ["id", "what", "metric", "ours", "theirs", "verdict", "command", "time", "hardware"]
    text = HEAD
    for title, held in _by_area(rows, lambda entry: entry.id, 0):
        cells = [
            [row.id, row.reference["what"], _metric(row.metric), _ours(row.metric, row.runs), row.theirs_text,
             row.verdict, f"`{_command(row)}`", *_times(row.runs, folder)]
            for row in held
        ]  # fmt: skip
        text += f"\n## {title}\n\n{text_table(header, cells, markdown=True)}\n"
    shown = {run.name for row in rows for run in row.runs}
    others = [_other(runs, folder) for runs in published.values() if not shown & {run.name for run in runs}]
    if others:
        header = ["command", "metric", "ours", "compared with", "verdict", "time", "hardware"]
        text += f"\n## Other published results\n\n{text_table(header, others, markdown=True)}\n"
    return text


def _other(runs: Sequence[Run], folder: Path) -> list[str]:
    """The cells of a published result that is not in a row of a reference."""
    run = runs[0]
    metric = (headline(run) or ("", 0.0))[0]
    held = [row for row in run.result.references if row.get("metric") == metric]
    ours = metrics.spread([other.metrics[metric] for other in runs]) if metric else metrics.Spread(0.0, None, 0)
    outcomes = (verdict(ours.mean, row, sd=ours.sd, changed=other_settings(run.overrides, row["id"])) for row in held)
    said = "rendered" if run.result.rendered else ", ".join(outcomes)
    theirs = ", ".join(f"{row['id']} {metrics.reported(metric, row['value'])}" for row in held)
    return [f"`{_typed(run)}`", _metric(metric), _ours(metric, runs), theirs, said, *_times(runs, folder)]


def _by_area(things: Iterable[Any], name: Callable[[Any], str], part: int) -> Iterator[tuple[str, list[Any]]]:
    """Items by area, in the order of the areas; empty areas are left out."""
    found: dict[str, list[Any]] = {title: [] for title in AREAS}
    for thing in things:
        found[next(title for title, patterns in AREAS.items() if re.match(patterns[part], name(thing)))].append(thing)
    yield from ((title, held) for title, held in found.items() if held)


def _metric(metric: str) -> str:
    return metric.replace("_", " ").replace("/", " ")


def _ours(metric: str, runs: Sequence[Run]) -> str:
    values = [run.metrics[metric] for run in runs if metric in run.metrics]
    return f"{metrics.spread_text(metric, metrics.spread(values))} ({len(values)})" if values else "–"


def _times(runs: Sequence[Run], folder: Path) -> tuple[str, str]:
    """The cells of time and hardware: the mean time of a run on each machine, and the machines in the same order."""
    machines = by_machine(runs, lambda run: hardware(run, folder))
    times = [metrics.duration(fmean(map(_spent, some))) for some in machines.values()]
    return ", ".join(times), ", ".join(machines)


def _spent(run: Run) -> float:
    """The seconds of a run: CPU time where it is less than wall time, as on a shared machine."""
    return min(filter(None, [run.seconds, metrics.finite(run.result.cpu_seconds)]), default=0)


def _command(entry: Entry) -> str:
    return _typed(entry.runs[0]) if entry.runs else entry.command.removeprefix("python -m dlcourse.")


def _typed(run: Run) -> str:
    """The command without options for place and speed."""
    words = [w.replace("'", "") for w in run.overrides if affects_result(w) and not w.startswith("trainer.precision=")]
    return shlex.join([run.result.verb, *config_dir_flags(run.result.config_dir), *words])


def experiments_text() -> str:
    """The table of presets by area, from the headers of their YAML files."""
    text = PRESETS
    header = ["preset", "shows", "reported", "measured", "time on 2 cores"]
    for title, names in _by_area(choices("experiment", shipped=True), str, 1):
        text += f"\n## {title}\n\n{text_table(header, [_preset(name) for name in names], markdown=True)}\n"
    return text


def _preset(name: str) -> list[str]:
    lines = (CONF / "experiment" / f"{name}.yaml").read_text("utf8").splitlines()[1:]
    comments = [line.removeprefix("# ") for line in lines[: next(i for i, x in enumerate(lines) if x[:1] != "#")]]
    said = dict(line.split(": ", 1) for line in comments if line.startswith(("Reported: ", "Measured: ")))
    measured = said.get("Measured", "").partition("; train")[0]
    time = TIME.search(measured)
    texts = (comments[0], said.get("Reported", ""), TIME.sub("", measured))
    return [f"`{name}`", *map(_short, texts), time[1] if time else ""]


def _short(text: str, most: int = 120) -> str:
    """The text as a table cell; a long one is cut at the first semicolon, or after the first words."""
    return text if len(text) <= most else shorten(text.partition("; ")[0], most, placeholder=" …")


def write_results() -> str:
    """Write RESULTS.md and docs/experiments.md, and return their names.

    Raises:
        UserError: this is not the root of a checkout, or a published result cannot be read.
    """
    if not EXPERIMENTS.parent.is_dir() or not PUBLISHED.is_dir():
        raise UserError(
            f"results=true: {PUBLISHED} or {EXPERIMENTS.parent} not found: run it in the root of a checkout"
        )
    texts = {RESULTS: results_text(), EXPERIMENTS: experiments_text()}
    for path, text in texts.items():
        write_text(path, text)
    return " and ".join(map(str, texts))
