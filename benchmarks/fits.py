"""Training as the benchmarks time it: our own runs, bare loops of torch over arrays, real or random data."""

from __future__ import annotations

import logging
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback

from dlcourse.commands.train import run
from dlcourse.config import compose

SHAPES = {"mnist": (28, 28), "cifar10": (32, 32, 3), "cifar100": (32, 32, 3)}
CPU = ["trainer=cpu", "plots=false", "trainer.limit_test_batches=1"]
PINNED = [*CPU, "trainer.precision=32-true"]


class Meter(Callback):
    """Seconds a step, of the wall clock and of the processor, from the `skip`-th step to the last.

    Args:
        skip: steps at the beginning that are not timed: they warm up, and workers fill their queues.
    """

    def __init__(self, skip: int = 20):
        self.skip, self.seen = skip, 0
        self.wall = self.cpu = 0.0
        self.result: dict[str, Any] = {}

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if self.seen == self.skip:
            self._begun = time.perf_counter(), time.process_time()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.seen += 1
        if self.seen > self.skip:
            steps = self.seen - self.skip
            self.wall, self.cpu = (
                (now - then) / steps
                for now, then in zip((time.perf_counter(), time.process_time()), self._begun, strict=True)
            )


@contextmanager
def quiet() -> Iterator[None]:
    """Without what runs print and log."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def fit(*words: str, callbacks: tuple[Callback, ...] = (), tested: bool = False) -> dict[str, Any]:
    """One of our runs in a folder that is thrown away; gives its result."""
    with quiet(), tempfile.TemporaryDirectory() as folder:
        return run(compose(*words), folder=Path(folder) / "run", callbacks=callbacks, tested=tested)


def timed_fit(steps: int, *words: str, skip: int = 20) -> Meter:
    """One epoch of `steps` steps after `skip` others; seconds a step."""
    meter = Meter(skip)
    limits = [f"trainer.limit_train_batches={steps + skip}", "trainer.max_epochs=1"]
    meter.result = fit(*words, *limits, callbacks=(meter,))
    return meter


def apart(function: Callable[..., Any], *args: Any) -> Any:
    """What a function returns in a process of its own: a fit changes how this one's memory is kept, for the better."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def timed_loop(step: Callable[[], Any], steps: int, skip: int = 20) -> tuple[float, float]:
    """Wall and processor seconds a call."""
    for _ in range(skip):
        step()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(steps):
        step()
    return (time.perf_counter() - wall) / steps, (time.process_time() - cpu) / steps


def arrays(name: str, count: int | None, folder: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """A data set's file and its arrays: the real one from the data folder, or random pixels in its shape.

    Args:
        name: mnist or cifar10.
        count: number of random training images; None: the real ones if available, else as many random ones.
        folder: where made-up ones are written.
    """
    path = Path(os.environ.get("DLCOURSE_DATA", "data")) / f"{name}.npz"
    if count is None and path.exists():
        with np.load(path) as file:
            return path.absolute(), {key: file[key] for key in file.files}
    count = count or (60_000 if name == "mnist" else 50_000)
    draws = np.random.default_rng(0)
    found = {}
    for split, size in (("train", count), ("test", max(100, min(10_000, count // 5)))):
        found[f"{split}_x"] = draws.integers(0, 256, (size, *SHAPES[name]), np.uint8)
        found[f"{split}_y"] = draws.integers(0, 10, size)
        if name == "cifar100":
            from dlcourse.data.cifar import CIFAR100

            fine = draws.integers(0, 100, size)
            found[f"{split}_y"] = np.stack([fine, np.array(CIFAR100.GROUP_OF)[fine]], 1)
    path = folder / f"{name}-{count}.npz"
    np.savez(path, allow_pickle=False, **found)
    return path, found


def shuffled(count: int, size: int) -> Iterator[torch.Tensor]:
    """Indices of batches, epoch after epoch, for ever."""
    while True:
        yield from (part for part in torch.randperm(count).split(size) if len(part) == size)


def memory(what: str) -> float:
    """Resident memory of this process in MB: now (`VmRSS`), or the most that it ever was (`VmHWM`). Linux only.

    The usual ru_maxrss of a process begins with the size of the one that started it.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


def median(values: list[float]) -> float:
    """The middle one."""
    return float(np.median(values))
