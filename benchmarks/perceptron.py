"""Perceptrons of ten seeds trained together against one after the other in a plain numpy loop.

Run `python benchmarks/perceptron.py [threads]`; takes about half a minute. It wants data=digits16 (DLCOURSE_DATA). Both
follow row A4 to their stop, on the same starting weights; ours is the whole fit, Trainer and checkpoints included.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import torch

from dlcourse.build import build_data
from dlcourse.run import compose, run

SEEDS = 10


def train_one(x: np.ndarray, labels: np.ndarray, update: str, seed: int) -> tuple[float, int]:
    """Best training accuracy and passes of one perceptron, as a plain loop."""
    x, wanted = np.hstack([x, np.ones((len(x), 1))]), np.eye(10)[labels]
    w = np.random.RandomState(seed).normal(0, 5, (x.shape[1], 10))
    best, since, passes = ((x @ w).argmax(1) == labels).mean(), 0, 0
    while since < 15 and best < 1:
        if update == "batch":
            w += 0.2 * x.T @ (wanted - 1 / (1 + np.exp(-x @ w)))
        else:
            for sample, target in zip(x, wanted, strict=True):
                w += 0.2 * np.outer(sample, target - 1 / (1 + np.exp(-sample @ w)))
        accuracy = ((x @ w).argmax(1) == labels).mean()
        passes, since = passes + 1, since + 1
        if accuracy > best:
            best, since = accuracy, 0
    return float(best), passes


def main() -> None:
    """Prints seconds a seed and a pass of both updates, and their ratio."""
    logging.disable(logging.INFO)
    np.seterr(over="ignore")
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    for update in ("batch", "online"):
        words = ["model=perceptron", "data=digits16", "trainer=cpu", "plots=false"]
        cfg = compose(*words, f"model.update={update}", f"model.seeds={SEEDS}")
        data = build_data(cfg.copy())
        data.setup()
        x, labels = (part.numpy() for part in data.arrays["train"])
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()):
            result = run(cfg, folder=Path(folder) / "run")
        start = time.perf_counter()
        plain = [train_one(x.astype(np.float64), labels, update, seed) for seed in range(SEEDS)]
        loop = (time.perf_counter() - start) / SEEDS
        ours = result["seconds"]["fit"] / SEEDS
        passes = sum(p for _, p in plain) / SEEDS
        print(
            f"{update:6s}  numpy {loop:.3f} s a seed ({passes:.0f} passes, {1e3 * loop / passes:.2f} ms each), "
            f"together {ours:.3f} s a seed ({result['metrics']['train/passes']:.0f} passes): {loop / ours:.1f} times "
            f"faster a seed; training accuracy {np.mean([a for a, _ in plain]):.4f} and "
            f"{result['metrics']['train/accuracy']:.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
