"""Finds the runs and sweeps in some folders, and reads them without trusting their content."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcourse.errors import UserError
from dlcourse.runs.keys import IDENTITY, NUMERICS, SOURCE, kind
from dlcourse.runs.metrics import finite
from dlcourse.runs.result import RESULT, Result, read_file

# Folders inside a run that contain no other runs.
RUN_SUBFOLDERS = {"plots", "checkpoints", "exported", "tensorboard", "wandb", "pictures"}
COPIES = "mlartifacts"  # MLflow's copies of the files of runs
RUN_FILES = ("config.yaml", "metrics.csv", "train.log", "checkpoints")  # files of a run without a result


def affects_result(word: str) -> bool:
    """Whether an override changes what is measured; the seed does not count, since seeds are grouped."""
    return kind(word.partition("=")[0]) in (IDENTITY, SOURCE)


@dataclass(frozen=True)
class Run:
    """One run with its result."""

    name: str  # its path
    folder: Path | None  # None for a published file
    result: Result

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics that are finite numbers."""
        return {key: value for key, raw in self.result.metrics.items() if (value := finite(raw)) is not None}

    @property
    def overrides(self) -> list[str]:
        return [str(word) for word in self.result.overrides]

    @property
    def seconds(self) -> float | None:
        """Wall time of all steps."""
        found = [finite(value) for value in self.result.seconds.values()]
        return sum(value for value in found if value is not None) if found else None

    @property
    def machine(self) -> str:
        """The device that it ran on; the processor's name where the device is the CPU and the name is known."""
        device = str(self.result.device or "cpu")
        return self.result.processor or device if device == "cpu" else device

    @property
    def trial(self) -> bool:
        """Whether it was made with debug=fast, so that its metrics mean nothing."""
        return self.result.trial

    @property
    def settings(self) -> tuple[Any, ...]:
        """A key that groups runs which differ only in their seed and their precision."""
        words = sorted(word for word in self.overrides if affects_result(word) and word.split("=")[0] not in NUMERICS)
        return (self.result.experiment, self.result.model, self.result.data, self.result.verb, *words)

    @property
    def command(self) -> str:
        """The command line."""
        return self.result.command


@dataclass(frozen=True)
class Skipped:
    """A folder or file that was skipped, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Found:
    """The runs, sweeps and skipped folders that were found."""

    runs: list[Run]
    sweeps: list[Path]
    skipped: list[Skipped]


def by_machine(runs: Sequence[Run], name: Callable[[Run], str] = lambda run: run.machine) -> dict[str, list[Run]]:
    """Runs whose times can be averaged, by the name of their machine, followed by the precision if it differs."""
    several = len({run.result.precision for run in runs}) > 1
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(f"{name(run)} {run.result.precision}" if several else name(run), []).append(run)
    return found


def read_run(path: Path) -> Run:
    """Read a run from its result.json, or from a published copy of it.

    Raises:
        UserError: dlcourse did not write the file, or it cannot be read.
    """
    try:
        result = read_file(path)
    except FileNotFoundError:
        raise UserError(f"{path} not found") from None
    return Run(str(path.parent), path.parent, result) if path.name == RESULT else Run(str(path), None, result)


def collect(folders: Sequence[Path], exclude: Path | None = None, published: bool = True) -> Found:
    """Search folders and all folders below them.

    Args:
        folders: to look through.
        exclude: a folder that is passed over, the report's own.
        published: whether to read the folders named `published` below them.

    Raises:
        UserError: a folder does not exist.
    """
    runs: dict[Path, Run] = {}
    sweeps: list[Path] = []
    skipped: list[Skipped] = []
    for root in folders:
        if not root.is_dir():
            raise UserError(f"{root} is not a folder: pass folders that contain runs, for example folders=[outputs]")
        for place, names, files in os.walk(root):
            here = Path(place)
            if exclude is not None and here != root and here.absolute() == exclude.absolute():
                names.clear()
                continue
            names[:] = sorted(n for n in names if n[0] != "." and n != COPIES and not (files and n in RUN_SUBFOLDERS))
            at = here.absolute()
            if at in runs or any(at == sweep.absolute() for sweep in sweeps):
                continue  # passed twice
            if "sweep.csv" in files:
                sweeps.append(here)
            elif here.name == "published":
                if not published and here != root:
                    continue
                _read_all([here / f for f in sorted(files) if f.endswith(".json")], runs, skipped)
            elif RESULT in files:
                _read_all([here / RESULT], runs, skipped)
            elif any((here / name).exists() for name in RUN_FILES):
                skipped.append(
                    Skipped(here, f"{RESULT} not found: the run is not finished, or stopped before it wrote one")
                )
            elif not names and here != root and "predictions.csv" not in files:
                skipped.append(Skipped(here, f"not a run folder: {_listing(files)}"))
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
