"""Perceptrons of ten seeds trained together: one after the other in a plain numpy loop.

Both follow row A4 to their stop, on the same starting weights; ours is the whole fit, Trainer and checkpoints included.
On digits16 if available, else on scikit-learn's digits.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks.fits import fit
from benchmarks.table import Row, spent
from dlcourse.config import compose
from dlcourse.models.build import build_data

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


def rows(quick: bool) -> Iterator[Row]:
    """Seconds a seed of both updates."""
    np.seterr(over="ignore")
    torch.set_num_threads(1)
    seeds = 2 if quick else SEEDS
    real = (Path(os.environ.get("DLCOURSE_DATA", "data")) / "digits16.npz").exists() and not quick
    words = ["model=perceptron", f"data={'digits16' if real else 'digits8'}", "trainer=cpu", "plots=false"]
    for update in ("batch", "online"):
        chosen = [*words, f"model.update={update}", f"model.seeds={seeds}"]
        data = build_data(compose(*chosen))
        data.setup()
        x, labels = (part.numpy() for part in data.arrays["train"])
        result = fit(*chosen)
        start = time.perf_counter()
        plain = [train_one(x.astype(np.float64), labels, update, seed) for seed in range(seeds)]
        loop = (time.perf_counter() - start) / seeds
        ours = result["seconds"]["fit"] / seeds
        passes = sum(p for _, p in plain) / seeds
        more = {
            "passes": result["metrics"]["train/passes"],
            "accuracy": result["metrics"]["train/accuracy"],
            "their_passes": passes,
            "their_accuracy": float(np.mean([a for a, _ in plain])),
        }
        yield spent(f"a perceptron, {update} update", ours, "numpy, one after the other", loop, more=more)
