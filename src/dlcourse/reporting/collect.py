"""Every run, sweep and stranger in some folders, read without trusting what lies there."""

import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcourse.errors import UserError
from dlcourse.reporting.figures import finite
from dlcourse.results import RESULT, SCHEMA

INSIDE = {"plots", "checkpoints", "tensorboard", "wandb", "pictures"}  # of a run: nothing to look for there
TRACES = ("config.yaml", "metrics.csv", "train.log", "checkpoints")  # of a run that has no result yet
DRAWN = ("clocks", "toons")  # by our renderers, in results from before that was recorded
# Words of a command that change nothing of what is measured, or are told apart by themselves.
ASIDE = ("seed", "name", "plots", "resume", "run", "data_dir", "threads", "logger", "trainer", "trainer.accelerator")


@dataclass(frozen=True)
class Run:
    """One result.json that can be used."""

    name: str  # where it lies, as a person would type it
    folder: Path | None  # None of a published file
    result: dict[str, Any]

    @property
    def metrics(self) -> dict[str, float]:
        """Figures that can be compared; what is not finite is left out."""
        return {key: value for key, raw in self.result["metrics"].items() if (value := finite(raw)) is not None}

    @property
    def overrides(self) -> list[str]:
        return [str(word) for word in self.result.get("overrides") or []]

    @property
    def seconds(self) -> float | None:
        """Wall time of all steps."""
        steps = self.result.get("seconds")
        found = [finite(value) for value in steps.values()] if isinstance(steps, dict) else []
        return sum(value for value in found if value is not None) if found else None

    @property
    def rendered(self) -> bool:
        """Measured on rendered pictures."""
        return bool(self.result.get("rendered", self.result.get("data") in DRAWN))

    @property
    def verb(self) -> str:
        """The command that wrote it."""
        return "evaluate" if self.result.get("run") and "samples" not in self.result else (
            "embed" if "samples" in self.result else "train"
        )  # fmt: skip

    @property
    def trial(self) -> bool:
        """Made with debug=fast: its figures say nothing."""
        return any(word.startswith("debug=") and word != "debug=null" for word in self.overrides)

    @property
    def settings(self) -> tuple[Any, ...]:
        """What runs have in common that differ by their seed alone."""
        words = sorted(w for w in self.overrides if w.partition("=")[0].lstrip("+~") not in ASIDE and "hydra." not in w)
        return (self.result.get("experiment"), self.result.get("model"), self.result.get("data"), self.verb, *words)

    @property
    def command(self) -> str:
        """What was typed."""
        return f"python -m dlcourse.{self.verb} {shlex.join(self.overrides)}".strip()


@dataclass(frozen=True)
class Skipped:
    """A folder or file that is no run, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Found:
    """What some folders hold."""

    runs: list[Run]
    sweeps: list[Path]
    skipped: list[Skipped]


def read_run(path: Path) -> Run:
    """A run from its result.json, or from a published copy of one.

    Raises:
        UserError: it is not one that dlcourse wrote, or cannot be read.
    """
    try:
        result = json.loads(path.read_text("utf8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read ({type(error).__name__}: {error})") from None
    if not isinstance(result, dict) or not isinstance(result.get("schema"), int):
        raise UserError(f"{path} is not a result of dlcourse")
    if result["schema"] > SCHEMA:
        raise UserError(f"{path} was written by a later dlcourse: install that one to read it")
    rows = result.get("references")
    rows = [] if rows is None else rows
    sound = isinstance(result.get("status"), str) and isinstance(result.get("metrics"), dict) and isinstance(rows, list)
    if not sound or not all(isinstance(row, dict) and "id" in row for row in rows):
        raise UserError(f"{path} is not a result of dlcourse: it lacks status, metrics or references")
    if not isinstance(result.get("overrides") or [], list):
        raise UserError(f"{path} is not a result of dlcourse: its overrides are no list")
    if path.name == RESULT:
        return Run(str(path.parent), path.parent, result | {"references": rows})
    return Run(str(path), None, result | {"references": rows})


def collect(folders: Sequence[Path], besides: Path | None = None) -> Found:
    """Look through folders, deep.

    Args:
        folders: to look through.
        besides: a folder that is passed over, the report's own.

    Raises:
        UserError: one of them is not there.
    """
    runs: dict[Path, Run] = {}
    sweeps: list[Path] = []
    skipped: list[Skipped] = []
    for root in folders:
        if not root.is_dir():
            raise UserError(f"{root} is no folder: name folders that hold runs, as in folders=[outputs]")
        for place, names, files in os.walk(root):
            here = Path(place)
            if besides is not None and here.absolute() == besides.absolute():
                names.clear()
                continue
            names[:] = sorted(n for n in names if n not in INSIDE and not n.startswith(".")) if files else sorted(names)
            if here.absolute() in runs or any(here == sweep for sweep in sweeps):
                continue  # given twice
            if "sweep.csv" in files:
                sweeps.append(here)
            elif here.name == "published":
                _read_all([here / f for f in sorted(files) if f.endswith(".json")], runs, skipped)
            elif RESULT in files:
                _read_all([here / RESULT], runs, skipped)
            elif any((here / trace).exists() for trace in TRACES):
                skipped.append(Skipped(here, f"no {RESULT}: still running, or ended before it was written"))
            elif not names and here != root:
                skipped.append(Skipped(here, f"holds no run: {_listing(files)}"))
    return Found(list(runs.values()), sweeps, skipped)


def _read_all(paths: Sequence[Path], runs: dict[Path, Run], skipped: list[Skipped]) -> None:
    for path in paths:
        key = (path.parent if path.name == RESULT else path).absolute()
        try:
            runs[key] = read_run(path)
        except UserError as error:
            skipped.append(Skipped(path, str(error).removeprefix(f"{path} ")))


def _listing(files: Sequence[str]) -> str:
    shown = ", ".join(sorted(files)[:3])
    return f"{shown}{' …' if len(files) > 3 else ''}" if files else "it is empty"
