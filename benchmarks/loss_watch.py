"""What watching for losses that are no numbers costs: `python benchmarks/loss_watch.py [ROUNDS]`.

Times the steps of a small dense net on scikit-learn's digits, a step of which is as short as any, with the watch and
without it, in turns, in processor seconds, which other work on the machine does not touch; and the watch's call alone.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from dlcourse.models.family import Family
from dlcourse.models.finite import LossWatch, Place
from dlcourse.run import compose, run

WORDS = ["model=mlp", "data=digits8", "trainer.max_epochs=20", "trainer=cpu", "trainer.precision=32-true", "threads=1"]


def seconds(watched: bool) -> tuple[float, int]:
    """Processor time of a fit and a test, and the fit's steps."""
    check = Family._check_finite
    if not watched:
        Family._check_finite = lambda self, loss, batch_idx: None
    try:
        with tempfile.TemporaryDirectory() as folder:
            result = run(compose(*WORDS, "plots=false"), folder=Path(folder) / "run")
    finally:
        Family._check_finite = check
    return result["cpu_seconds"], 22 * 20


def call_alone(count: int = 100_000) -> float:
    """Microseconds of one look at a loss on the CPU."""
    watch, loss = LossWatch(), torch.tensor(0.5)
    start = time.process_time()
    for step in range(count):
        watch.keep(loss, Place(step, 1, step))
    return 1e6 * (time.process_time() - start) / count


def main() -> None:
    """Print the figures."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    seconds(True)  # warms up
    found = [(seconds(True), seconds(False)) for _ in range(rounds)]
    steps = found[0][0][1]
    with_it, without = (statistics.median(pair[i][0] for pair in found) / steps * 1e6 for i in (0, 1))
    print(f"a step {with_it:.0f} us with the watch, {without:.0f} without; the look alone {call_alone():.2f} us")


if __name__ == "__main__":
    main()
