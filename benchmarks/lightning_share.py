"""What our fit takes beside the steps themselves: a bare torch loop with the same net, data and precision.

Both take the same rows from the same arrays, scale them and step the same optimiser; the loop logs nothing. A net whose
step takes over 20 ms, where the ratio counts, and a tiny one, where the milliseconds added to each step do.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.fits import PINNED, arrays, median, shuffled, timed_fit, timed_loop
from benchmarks.table import Row
from dlcourse.config import compose
from dlcourse.data.module import rows as rows_of
from dlcourse.models.build import build_data, build_model

TINY = ["model=mlp", "model.net.widths=[64,128,64]", "model/optimizer=adam", "data=mnist", "data.batch_size=64"]
LARGE = ["model=fast_cnn", "data=cifar10", "data.batch_size=128"]


def bare(words: list[str], steps: int, skip: int) -> tuple[float, float]:
    """Seconds a step of the loop."""
    cfg = compose(*words)
    data = build_data(cfg)
    data.prepare_data()
    data.setup()
    model = build_model(cfg, data.task)
    (x, y), cpu = data.arrays["train"], torch.device("cpu")
    model.adapt(x[:5000])
    smoothing = cfg.model.label_smoothing
    optimizer = model.optimizer([p for p in model.parameters() if p.requires_grad])
    batches = shuffled(len(x), cfg.data.batch_size)

    def step() -> None:
        index = next(batches)
        output = model.net(model.normalize(rows_of(x, index, cpu)))
        loss = torch.nn.functional.cross_entropy(output, rows_of(y, index, cpu), label_smoothing=smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return timed_loop(step, steps, skip)


def rows(quick: bool) -> Iterator[Row]:
    """Both nets, in turns with their loops."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for name, words, steps, skip in (("tiny", TINY, 700, 50), ("large", LARGE, 12, 3)):
            data = "mnist" if name == "tiny" else "cifar10"
            path, _ = arrays(data, 6000 if quick else None, Path(folder))
            steps, skip = (2, 1) if quick else (steps, skip)
            words = [*words, "data.validation=0", f"data.path={path}", *PINNED]
            pairs = []
            for _ in range(1 if quick else 5):
                fitted = timed_fit(steps, *words, skip=skip)
                pairs.append(((fitted.wall, fitted.cpu), bare(words, steps, skip)))
            wall, cpu = ([median([pair[i][j] for pair in pairs]) for i in (0, 1)] for j in (0, 1))
            more = {"ours_cpu_ms": 1e3 * cpu[0], "theirs_cpu_ms": 1e3 * cpu[1]}
            goal = {"value": wall[0] / wall[1], "most": 1.05}
            if name == "tiny":
                goal = {"value": 1e3 * (wall[0] - wall[1]), "kind": "ms more", "most": 0.8}
            ms = 1e3 * wall[0], 1e3 * wall[1]
            yield Row(f"a step of a {name} net", ms[0], "ms", "a bare torch loop", ms[1], more=more, **goal)
