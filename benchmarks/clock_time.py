"""Time to a mean error of one minute on clocks: the transfer recipe; two run folders, measured beforehand.

`python -m benchmarks clock_time --runs OURS TRANSFER` reads both folders' metrics.csv and result.json; trains nothing.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from benchmarks.table import Row, spent
from dlcourse.errors import UserError

DEFAULT = False
GOAL = 1.0  # minutes


def seconds_to(folder: Path, goal: float) -> float:
    """Seconds of fit until the validation error was so small, by the share of epochs; a linear budget a step.

    Raises:
        UserError: the folder is no run of clocks, or it never was.
    """
    table, result = folder / "metrics.csv", folder / "result.json"
    if not table.exists() or not result.exists():
        raise UserError(f"{folder} is no finished run: it lacks metrics.csv or result.json")
    fit = json.loads(result.read_text("utf8"))["seconds"]["fit"]
    with table.open(encoding="utf8", newline="") as file:
        found = [row for row in csv.DictReader(file) if row.get("val/error_minutes")]
    if not found:
        raise UserError(f"{folder} has no val/error_minutes in its metrics.csv: give a run on clocks")
    last = float(found[-1]["step"]) + 1
    for row in found:
        if float(row["val/error_minutes"]) <= goal:
            return fit * (float(row["step"]) + 1) / last
    raise UserError(f"{folder} never came to an error of {goal:g} minutes on validation: train it longer")


def rows(quick: bool, *runs: str) -> Iterator[Row]:
    """Both times; an error of the recipe that never came so far is one of ours too: there is no figure then."""
    if len(runs) != 2:
        raise UserError("clock_time wants two run folders: python -m benchmarks clock_time --runs OURS TRANSFER")
    ours, theirs = (seconds_to(Path(run), GOAL) for run in runs)
    yield spent("clocks to 1.0 minute", ours, "the transfer recipe", theirs, least=2)
