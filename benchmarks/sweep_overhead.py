"""What a sweep in one process costs beside its fits: `python benchmarks/sweep_overhead.py [JOBS]`.

Runs JOBS (30) small nets on scikit-learn's digits without pictures, and one of them alone. The single command less its
fit is a start-up; the sweep should take at most 1.2 times the sum of its fits and one start-up. On a machine that does
other work besides, the processor's seconds say more: those of a fit include its test.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORDS = ["model=mlp", "data=digits8", "trainer.max_epochs=4", "trainer=cpu", "trainer.precision=32-true", "threads=1"]


def seconds(folder: Path, *words: str) -> tuple[list[float], list[float], int]:
    """Wall and processor time of a command, the same of its jobs' fits together, and how many jobs there were."""
    start, spent = time.perf_counter(), cpu()
    call = [sys.executable, "-m", "dlcourse.train", *words, *WORDS, "plots=false"]
    subprocess.run(call, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    taken = [time.perf_counter() - start, cpu() - spent]
    found = [json.loads(path.read_text()) for path in folder.rglob("result.json")]
    return taken, [sum(job["seconds"]["fit"] for job in found), sum(job["cpu_seconds"] for job in found)], len(found)


def cpu() -> float:
    """Processor seconds of all commands so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print the figures."""
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as many:
        alone, fit, _ = seconds(Path(one))
        sweep, fits, count = seconds(Path(many), "-m", f"seed=range({jobs})")
    for name, taken, fitted, single, own in zip(("wall", "processor"), sweep, fits, alone, fit, strict=True):
        startup = single - own
        beside = (taken - fitted - startup) / count * 1000
        print(f"{name}: {count} jobs {taken:.1f} s; fits {fitted:.1f} s, one start-up {startup:.1f} s; ", end="")
        print(f"{taken / (fitted + startup):.2f} times their sum, {beside:.0f} ms a job beside")


if __name__ == "__main__":
    main()
