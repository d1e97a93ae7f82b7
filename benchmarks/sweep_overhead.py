"""What a sweep in one process costs beside its fits: the sum of the fits and one start-up.

Runs 30 small nets on scikit-learn's digits without pictures, and one of them alone. The single command less its fit is
a start-up; the sweep should take at most 1.2 times the sum of its fits and one start-up. On a machine that does other
work besides, the processor's seconds say more: those of a fit include its test.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.table import Row, measured

CODE = "from dlcourse.cli.launch import launch; from dlcourse.train import task; launch('train', task)"
WORDS = ["model=mlp", "data=digits8", "trainer.max_epochs=4", "trainer=cpu", "trainer.precision=32-true", "threads=1"]


def seconds(folder: Path, *words: str) -> tuple[list[float], list[float], int]:
    """Wall and processor time of a command, the same of its jobs' fits together, and how many jobs there were."""
    taken = list(measured(CODE, *words, *WORDS, "plots=false", folder=folder)[:2])
    found = [json.loads(path.read_text()) for path in folder.rglob("result.json")]
    return taken, [sum(job["seconds"]["fit"] for job in found), sum(job["cpu_seconds"] for job in found)], len(found)


def rows(quick: bool) -> Iterator[Row]:
    """Both clocks."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as many:
        alone, fit, _ = seconds(Path(one))
        sweep, fits, count = seconds(Path(many), "-m", f"seed=range({3 if quick else 30})")
    for name, taken, fitted, single, own in zip(("wall", "processor"), sweep, fits, alone, fit, strict=True):
        startup = single - own
        more = {"fits_s": fitted, "start_up_s": startup, "ms_a_job_beside": 1000 * (taken - fitted - startup) / count}
        whole, share = fitted + startup, taken / (fitted + startup)
        what = f"a sweep of {count} jobs, {name}"
        yield Row(what, taken, "s", "its fits and one start-up", whole, share, most=1.2, more=more)
