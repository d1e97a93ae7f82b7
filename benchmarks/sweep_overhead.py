"""What a sweep in one process costs beside its fits: `python benchmarks/sweep_overhead.py [JOBS]`.

Runs JOBS (30) small nets on scikit-learn's digits without pictures, and one of them alone. The single command less its
fit is a start-up; the sweep should take at most 1.2 times the sum of its fits and one start-up.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORDS = ["model=mlp", "data=digits8", "trainer.max_epochs=4", "trainer=cpu", "trainer.precision=32-true", "threads=1"]


def seconds(folder: Path, *words: str) -> tuple[float, float, int]:
    """Wall time of a command, the sum of its jobs' fits, and how many jobs there were."""
    start = time.perf_counter()
    call = [sys.executable, "-m", "dlcourse.train", *words, *WORDS, "plots=false"]
    subprocess.run(call, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    fits = [json.loads(path.read_text())["seconds"]["fit"] for path in folder.rglob("result.json")]
    return wall, sum(fits), len(fits)


def main() -> None:
    """Print the figures."""
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as many:
        single, fit, _ = seconds(Path(one))
        startup = single - fit
        wall, fits, count = seconds(Path(many), "-m", f"seed=range({jobs})")
    print(f"{count} jobs: {wall:.1f} s; fits {fits:.1f} s, one start-up {startup:.1f} s", end="; ")
    print(
        f"{wall / (fits + startup):.2f} times their sum, {(wall - fits - startup) / count * 1000:.0f} ms a job beside"
    )


if __name__ == "__main__":
    main()
