"""RESULTS.md: docs/results.md filled in with the figures of outputs/published/*.json, so that neither can drift."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, TemplateError

from dlcourse.config import CONF, choices
from dlcourse.errors import UserError
from dlcourse.reporting.collect import Run, read_run, settles
from dlcourse.reporting.entries import headline
from dlcourse.runs import metrics
from dlcourse.runs.files import write_text
from dlcourse.runs.result import RESULT
from dlcourse.runs.table import text_table, verdict

PUBLISHED = Path("outputs/published")
NOTES, RESULTS, EXPERIMENTS = Path("docs/results.md"), Path("RESULTS.md"), Path("docs/experiments.md")


class Group(Mapping[str, str]):
    """The published runs of one result, NAME.json or NAME_seed0.json ..., as text: `{{ mnist_fast['test/accuracy'] }}`.

    A metric is its mean over the runs with its standard deviation; anything else of a run, and a step's seconds as
    `fit`, is the value of each, or one where they agree.
    """

    def __init__(self, name: str, runs: list[Run]):
        self.name = name
        self.runs = sorted(runs, key=lambda run: int(run.result.seed or 0))

    def __getitem__(self, key: str) -> str:
        """Raises KeyError with a sentence where a run lacks it."""
        return self.of(key, " %" if metrics.is_share(key) else "")

    def of(self, key: str, unit: str = "") -> str:
        """A value as text, with the unit given: `fit` as seconds, `cpu_seconds`, `parameters`, `test/accuracy`."""
        if "/" in key:
            return metrics.spread_text(key, metrics.spread([self._metric(run, key) for run in self.runs]), unit)
        values = [self._value(run, key) for run in self.runs]
        texts = [f"{v:,.0f}" if isinstance(v, (int, float)) else str(v) for v in values]
        return (texts[0] if len(set(texts)) == 1 else ", ".join(texts)) + unit

    def each(self, key: str, digits: int | None = None) -> list[str]:
        """A value of each run, in the order of their seeds; a share in %."""
        if "/" in key:
            if digits is None:
                return [metrics.number(key, self._metric(run, key)) for run in self.runs]
            factor = 100 if metrics.is_share(key) else 1
            return [f"{factor * self._metric(run, key):,.{digits}f}" for run in self.runs]
        return [f"{float(self._value(run, key)):,.{1 if digits is None else digits}f}" for run in self.runs]

    def mean(self, key: str, digits: int = 1) -> str:
        """The mean of a value over the runs."""
        return f"{metrics.spread([float(self._value(run, key)) for run in self.runs]).mean:,.{digits}f}"

    def _metric(self, run: Run, key: str) -> float:
        if key not in run.metrics:
            raise KeyError(f"{run.name} has no {key}")
        return run.metrics[key]

    def _value(self, run: Run, key: str) -> Any:
        value = run.result.to_dict().get(key, run.result.seconds.get(key))
        if value is None:
            raise KeyError(f"{run.name} has no {key}")
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self.runs[0].metrics)

    def __len__(self) -> int:
        return len(self.runs)


def groups(folder: Path = PUBLISHED) -> dict[str, Group]:
    """Published results by name, seeds together.

    Raises:
        UserError: one of them cannot be read.
    """
    found: dict[str, list[Run]] = {}
    for path in sorted(folder.glob("*.json")):
        found.setdefault(re.sub(r"_seed\d+$", "", path.stem), []).append(read_run(path))
    return {name: Group(name, runs) for name, runs in found.items()}


def table(folder: Path = PUBLISHED) -> str:
    """Every published result as a row of Markdown: what, how often, ours, reported, how long."""
    header = ["published as", "command", "n", "metric", "ours", "reported", "", "fit and test, s", "CPU-s"]
    rows = []
    for name, group in groups(folder).items():
        run = group.runs[0]
        known = headline(run)
        if known is None:
            continue
        metric = known[0]
        found = metrics.spread([other.metrics[metric] for other in group.runs if metric in other.metrics])
        held = [row for row in run.result.references if row.get("metric") == metric]
        reported = ", ".join(f"{row['id']} {metrics.reported(metric, row['value'])}" for row in held)
        said = (
            "rendered" if run.result.rendered and held else ", ".join(verdict(found.mean, row, False) for row in held)
        )
        words = " ".join(word for word in run.overrides if settles(word))
        steps = [sum(float(other.result.seconds.get(step, 0)) for step in ("fit", "test")) for other in group.runs]
        cpu = [value for other in group.runs if (value := metrics.finite(other.result.cpu_seconds)) is not None]
        rows.append([
            f"`{name}`", f"`{run.result.verb} {words}`", found.n, metric,
            metrics.spread_text(metric, found), reported, said,
            f"{metrics.spread(steps).mean:,.0f}", f"{metrics.spread(cpu).mean:,.0f}" if cpu else "",
        ])  # fmt: skip
    return text_table(header, rows, markdown=True)


def results_text(notes: Path = NOTES, folder: Path = PUBLISHED) -> str:
    """RESULTS.md as the notes and the published figures make it.

    Raises:
        UserError: the notes ask for a figure that is not published, or cannot be read.
    """
    if not notes.is_file():
        raise UserError(f"{notes} is not there: results=true is for a checkout of dlcourse, run it in its root")
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    try:
        template = environment.from_string(notes.read_text("utf8"))
        return template.render(groups(folder), published=lambda: table(folder))
    except (TemplateError, KeyError) as error:
        line = getattr(error, "lineno", None)
        place = f", line {line}" if line else ""
        raise UserError(
            f"{notes}{place} asks for what is not in {folder}: {str(error).strip(chr(39) + chr(34))}"
        ) from None


def experiments_text() -> str:
    """Which experiment shows what: a row a preset, from the headers of their YAMLs."""
    rows = []
    for name in choices("experiment"):
        lines = (CONF / "experiment" / f"{name}.yaml").read_text("utf8").splitlines()
        header = [line.removeprefix("# ") for line in lines[1:6] if line.startswith("# ")]
        said = dict(line.split(": ", 1) for line in header if line.startswith(("Reported: ", "Measured: ")))
        cells = [header[0], said.get("Reported", ""), said.get("Measured", "").partition("; train")[0]]
        rows.append([f"`experiment={name}`", *(cell.replace("|", "\\|") for cell in cells)])
    body = text_table(["preset", "shows", "reported", "measured"], rows, markdown=True)
    head = (
        "# Which experiment shows what\n\n`python -m dlcourse.train experiment=...`; made from the presets' headers by"
    )
    return f"{head} `python -m dlcourse.report results=true`.\n\n{body}\n"


def write_results() -> str:
    """Write RESULTS.md and docs/experiments.md; gives their names."""
    texts = {RESULTS: results_text(), EXPERIMENTS: experiments_text()}
    for path, text in texts.items():
        write_text(path, text)
    return " and ".join(map(str, texts))


def publish(run: Path) -> Path:
    """Copy a completed run's result.json to outputs/published, under its preset's name or its model's and data's.

    Of the paths in its command only the last part is kept: where somebody's files lie is nobody's business.

    Raises:
        UserError: it is no run, it is not completed, or a trial, or another result has that name.
    """
    if not (run / RESULT).is_file():
        raise UserError(f"publish: {run} is no run: it has no {RESULT}")
    found = read_run(run / RESULT)
    if found.result.status != "completed" or found.trial:
        state = "made with debug=fast" if found.trial else found.result.status
        raise UserError(f"publish: {run} is {state}: publish a completed run")
    name = found.result.experiment or f"{found.result.model}_{found.result.data}"
    stem = re.sub(r"[^\w]+", "_", str(name))
    path = PUBLISHED / f"{stem}_seed{found.result.seed}.json"
    text = re.sub(r"(\"\+*[\w.]+='?)(?:~|[A-Za-z]:)?[\\/][^\"']*[\\/]", r"\1", (run / RESULT).read_text("utf8"))
    if path.exists() and path.read_text("utf8") != text:
        raise UserError(f"publish: {path} is there already with other figures: delete it first to replace it")
    PUBLISHED.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return path
