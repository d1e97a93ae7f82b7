"""XOR nets trained together: one at a time by autograd and in numpy; tries a second of the lazy search.

400 starts, three rates and two distributions make 2,400 nets, each to its solution or to 20,000 iterations, in one run
with its Trainer and checkpoints. One at a time they are trained in plain numpy, and by torch's autograd: the former on
the first nets of each group, which must take the same iterations, the latter for 1,000 iterations, both scaled to the
iterations that all nets take.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from benchmarks.fits import quiet
from benchmarks.table import Row, spent
from dlcourse.commands.train import run
from dlcourse.config import compose
from dlcourse.data.batches import seeded
from dlcourse.models.build import load_checkpoint
from dlcourse.models.xor import draw_start
from dlcourse.models.xor_search import BLOCK, search

RATES, INITS, MOST = (0.3, 0.6, 0.8), ("normal", "uniform"), 20_000
X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
D = np.array([0.0, 1.0, 1.0, 0.0])


def train_one(weights: np.ndarray, rate: float, hidden: int = 3) -> int:
    """One net in numpy, a sample's four outputs at once; gives the iterations that it took."""
    into, out = weights[: 3 * hidden].reshape(hidden, 3).T.copy(), weights[3 * hidden :].copy()
    x, units = np.hstack([np.ones((4, 1)), X]), np.ones((4, hidden + 1))
    for iteration in range(1, MOST + 1):
        units[:, 1:] = 1 / (1 + np.exp(-(x @ into)))
        output = 1 / (1 + np.exp(-(units @ out)))
        if ((output > 0.5) == (D > 0.5)).all():
            return iteration
        error = (D - output) * output * (1 - output)
        back = error[:, None] * out[1:] * units[:, 1:] * (1 - units[:, 1:])
        out += rate / 4 * error @ units
        into += rate / 4 * x.T @ back
    return MOST


def train_one_by_autograd(steps: int) -> float:
    """Seconds an iteration of an nn.Sequential, its test for a solution included."""
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Sigmoid(), torch.nn.Linear(3, 1), torch.nn.Sigmoid())
    net, x, d = net.double(), torch.from_numpy(X), torch.from_numpy(D)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.3)
    start = time.perf_counter()
    for _ in range(steps):
        output = net(x)[:, 0]
        ((output > 0.5) == (d > 0.5)).all().item()
        loss = (output - d).square().mean() / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return (time.perf_counter() - start) / steps


def rows(quick: bool) -> Iterator[Row]:
    """Both ways of training them one at a time, then the speed of the search."""
    torch.set_num_threads(1)
    # nets of a group; of them those that numpy trains whole; iterations of one net with autograd
    nets, sample, short = (8, 1, 50) if quick else (400, 6, 1_000)
    words = ["model=xor", "data=xor", "trainer=cpu", "plots=false", f"model.restarts={nets}"]
    cfg = compose(*words, f"model.optimizer.lr=[{','.join(map(str, RATES))}]", f"model.init=[{','.join(INITS)}]")
    with tempfile.TemporaryDirectory() as folder, quiet():
        start = time.perf_counter()
        result = run(cfg, folder=Path(folder) / "run")
        together = time.perf_counter() - start
        state = load_checkpoint(Path(folder) / "run" / "checkpoints" / "best.ckpt")["state_dict"]
    taken = torch.where(state["solved_at"] > 0, state["solved_at"], MOST).view(len(INITS), len(RATES), nets)
    iterations, alone = int(taken.sum()), 0.0
    for row, init in zip(taken, INITS, strict=True):
        weights = draw_start(0, init, 1.0, (nets, 13))[:sample]
        for group, rate in zip(row, RATES, strict=True):
            start = time.perf_counter()
            found = [train_one(w, rate) for w in weights]
            each = (time.perf_counter() - start) / sum(found)
            assert found == group[:sample].tolist(), "the same nets take the same iterations"
            alone += each * group.sum().item()
    autograd = train_one_by_autograd(short) * iterations
    what, more = f"{taken.numel():,} XOR nets in one run", {"fit_s": result["seconds"]["fit"], "iterations": iterations}
    yield spent(what, together, "one at a time, torch's autograd", autograd, least=100, more=more)
    yield spent(what, together, "one at a time, a tuned numpy loop", alone, least=100, more=more)
    for hidden, init, scale in ((2, "normal", 1.0), (3, "normal", 1.0), (3, "uniform", 10.0)):
        for threads in (1, 2):
            yield search_speed(hidden, init, scale, threads, 2 if quick else 16)


def search_speed(hidden: int, init: str, scale: float, threads: int, blocks: int) -> Row:
    """Tries a second of the lazy search."""

    def block(number: int) -> None:
        with torch.inference_mode():
            search(seeded(0, 5, number), BLOCK, hidden, init, scale)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(block, range(2)))
        start = time.perf_counter()
        list(pool.map(block, range(blocks)))
        rate = blocks * BLOCK / (time.perf_counter() - start)
    return Row(f"search 2-{hidden}-1, {init} {scale:g}, {threads} threads", rate / 1e6, "million tries/s")
