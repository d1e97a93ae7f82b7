"""What a long sweep leaves behind in its process; takes over three minutes.

Runs 200 tiny nets on scikit-learn's digits in one sweep and looks at the memory and the open files of its process after
each. The memory after the first tenth and that of the last tenth should be within 5 %.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.table import Row

DEFAULT = False

WORDS = ["model=mlp", "data=digits8", "trainer.max_epochs=1", "trainer=cpu", "trainer.precision=32-true", "threads=1"]


def look(process: int) -> tuple[float, int]:
    """Resident memory in MB and open files."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * 4096 / 1e6, len(list(Path(f"/proc/{process}/fd").iterdir()))


def rows(quick: bool) -> Iterator[Row]:
    """Memory and files, early and late."""
    jobs = 20 if quick else 200
    with tempfile.TemporaryDirectory() as folder:
        sweep = ["-m", f"seed=range({jobs})", "name=long", "plots=false"]
        call = [sys.executable, "-m", "dlcourse.train", *sweep, *WORDS]
        start, seen = time.perf_counter(), []
        process = subprocess.Popen(call, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            done = sum(1 for _ in Path(folder).glob("outputs/sweeps/long/*/result.json"))
            if done > len(seen) and done < jobs:
                seen += [look(process.pid)] * (done - len(seen))
            time.sleep(0.02)
    if process.returncode:
        raise RuntimeError("the sweep failed")
    tenth = max(1, len(seen) // 10)
    first, last = (
        [statistics.median(values) for values in zip(*part, strict=True)]
        for part in (seen[tenth : 2 * tenth], seen[-tenth:])
    )
    yield Row(f"a sweep of {jobs} jobs", time.perf_counter() - start, "s")
    for number, (unit, most) in enumerate((("MB", 1.05), ("open files", 1.0))):
        share = last[number] / first[number]
        yield Row("in the last tenth", last[number], unit, "after the first tenth", first[number], share, most=most)
