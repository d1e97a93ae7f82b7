"""XOR nets trained together against one at a time, and tries a second of the lazy search.

Run `python benchmarks/xor.py [threads]`; takes about a minute. 400 starts, three rates and two distributions make 2,400
nets, each to its solution or to 20,000 iterations, in one run with its Trainer and checkpoints. One at a time they are
trained in plain numpy, and by torch's autograd: the former on the first nets of each group, which must take the same
iterations, the latter for 1,000 iterations, both scaled to the iterations that all nets take.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import torch

from dlcourse.build import load_checkpoint
from dlcourse.data.batches import seeded
from dlcourse.models.xor import draw_start
from dlcourse.models.xor_search import BLOCK, search
from dlcourse.run import compose, run

RATES, INITS, NETS, MOST = (0.3, 0.6, 0.8), ("normal", "uniform"), 400, 20_000
SAMPLE, SHORT = 6, 1_000  # nets a job that numpy trains whole; iterations of one net with autograd
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


def main() -> None:
    """Prints what both take and their ratio, then the speed of the search."""
    logging.disable(logging.INFO)
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    words = ["model=xor", "data=xor", "trainer=cpu", "plots=false", f"model.restarts={NETS}"]
    cfg = compose(*words, f"model.optimizer.lr=[{','.join(map(str, RATES))}]", f"model.init=[{','.join(INITS)}]")
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()):
        start = time.perf_counter()
        result = run(cfg, folder=Path(folder) / "run")
        together = time.perf_counter() - start
        state = load_checkpoint(Path(folder) / "run" / "checkpoints" / "best.ckpt")["state_dict"]
    taken = torch.where(state["solved_at"] > 0, state["solved_at"], MOST).view(len(INITS), len(RATES), NETS)
    iterations, alone = int(taken.sum()), 0.0
    for row, init in zip(taken, INITS, strict=True):
        weights = draw_start(0, init, 1.0, (NETS, 13))[:SAMPLE]
        for group, rate in zip(row, RATES, strict=True):
            start = time.perf_counter()
            found = [train_one(w, rate) for w in weights]
            each = (time.perf_counter() - start) / sum(found)
            assert found == group[:SAMPLE].tolist(), "the same nets take the same iterations"
            alone += each * group.sum().item()
            print(f"{init} {rate}: {each * 1e6:.1f} us an iteration of one net in numpy", flush=True)
    autograd = train_one_by_autograd(SHORT) * iterations
    print(f"{taken.numel()} nets in one run: {together:.2f} s, {result['seconds']['fit']:.2f} s of them fit")
    print(f"one at a time in numpy {alone:.0f} s: {alone / together:.0f} times as long")
    print(f"one at a time by autograd {autograd:.0f} s: {autograd / together:.0f} times as long")
    threads = torch.get_num_threads()
    for hidden, init, scale in ((2, "normal", 1.0), (3, "normal", 1.0), (3, "uniform", 10.0)):
        numbers = range(16)

        def block(number: int, draw: tuple[int, str, float] = (hidden, init, scale)) -> None:
            with torch.inference_mode():
                search(seeded(0, 5, number), BLOCK, *draw)

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(block, numbers[:2]))
            start = time.perf_counter()
            list(pool.map(block, numbers))
            rate = len(numbers) * BLOCK / (time.perf_counter() - start)
        print(f"search 2-{hidden}-1, {init} {scale:g}: {rate / 1e6:.1f} million tries a second, {threads} threads")


if __name__ == "__main__":
    main()
