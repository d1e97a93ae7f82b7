"""What watching for losses that are not finite costs: the same steps without.

Times the steps of a small dense net on scikit-learn's digits, a step of which is as short as any, with the watch and
without it, in turns, in processor seconds, which other work on the machine does not touch; and the watch's call alone.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import torch

from benchmarks.fits import fit
from benchmarks.table import Row, spent
from dlcourse.training.loss_guard import LossGuard, LossWatch, StepPosition

WORDS = ["model=mlp", "data=digits8", "trainer=cpu", "trainer.precision=32-true", "threads=1"]


def seconds(watched: bool, epochs: int) -> float:
    """Processor seconds a step of a fit and its measuring."""
    check = LossGuard.keep
    if not watched:
        LossGuard.keep = lambda self, module, loss, batch_idx: None
    try:
        result = fit(*WORDS, f"trainer.max_epochs={epochs}", "plots=false")
    finally:
        LossGuard.keep = check
    return result["cpu_seconds"] / (22 * epochs)


def call_alone(count: int = 100_000) -> float:
    """Microseconds of one look at a loss on the CPU."""
    watch, loss = LossWatch(), torch.tensor(0.5)
    start = time.process_time()
    for step in range(count):
        watch.keep(loss, StepPosition(step, 1, step))
    return 1e6 * (time.process_time() - start) / count


def rows(quick: bool) -> Iterator[Row]:
    """A step with and without, and the look alone."""
    epochs, rounds = (2, 1) if quick else (40, 7)
    seconds(True, epochs)  # warms up
    found = [(seconds(True, epochs), seconds(False, epochs)) for _ in range(rounds)]
    with_it, without = (1e6 * statistics.median(pair[i] for pair in found) for i in (0, 1))
    yield spent("a step with the watch, processor", with_it, "without", without, "us")
    yield Row("one look at a loss", call_alone(1000 if quick else 100_000), "us")
