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


def seconds_to(folder: Path, goal: float) -> tuple[float, bool]:
    """Seconds of fit until the validation error was so small, by the share of steps; else all of them, and False.

    Raises:
        UserError: the folder is not a run on clocks.
    """
    table, result = folder / "metrics.csv", folder / "result.json"
    if not table.exists() or not result.exists():
        raise UserError(f"{folder} is not a finished run: metrics.csv or result.json not found")
    fit = json.loads(result.read_text("utf8"))["seconds"]["fit"]
    with table.open(encoding="utf8", newline="") as file:
        found = [row for row in csv.DictReader(file) if row.get("val/error_minutes")]
    if not found:
        raise UserError(f"val/error_minutes not found in {folder / 'metrics.csv'}: give a run on clocks")
    last = float(found[-1]["step"]) + 1
    for row in found:
        if float(row["val/error_minutes"]) <= goal:
            return fit * (float(row["step"]) + 1) / last, True
    return fit, False


def rows(quick: bool, *runs: str) -> Iterator[Row]:
    """Both times; where the recipe never came so far, its whole fit is what it takes at the least."""
    if len(runs) != 2:
        raise UserError("clock_time wants two run folders: python -m benchmarks clock_time --runs OURS TRANSFER")
    (ours, reached), (theirs, there) = (seconds_to(Path(run), GOAL) for run in runs)
    if not reached:
        raise UserError(f"{runs[0]} did not reach an error of {GOAL:g} minutes on validation: train it longer")
    against = "the transfer recipe" if there else f"the transfer recipe, not there after {theirs:.0f} s"
    yield spent(f"clocks to {GOAL:g} minute", ours, against, theirs, least=2)
