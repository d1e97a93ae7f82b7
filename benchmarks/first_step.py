"""The first training step of a command, with prepared data, beside `import torch, lightning` alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.table import Row, measured, spent

ENDS_AFTER_STEP = """
import os

from dlcourse import train
from dlcourse.cli.launch import launch


def task(cfg):
    from dlcourse.models.base import BaseModule

    BaseModule.on_train_batch_end = lambda *args: os._exit(0)
    return train.task(cfg)


launch("train", task)
os._exit(1)
"""
WORDS = ["model=mlp", "data=mnist", "trainer=cpu", "trainer.precision=32-true"]


def rows(quick: bool) -> Iterator[Row]:
    """The whole command until its first optimiser step has ended, in turns with the imports."""
    from benchmarks.fits import arrays

    with tempfile.TemporaryDirectory() as folder:
        path, _ = arrays("mnist", 6000 if quick else None, Path(folder))
        pairs = []
        for _ in range(1 if quick else 5):
            ours = measured(ENDS_AFTER_STEP, *WORDS, f"data.path={path}", folder=folder)
            pairs.append((ours, measured("import torch, lightning", folder=folder)))
        wall, cpu = ([sorted(pair[side][i] for pair in pairs)[len(pairs) // 2] for side in (0, 1)] for i in (0, 1))
        more = {"ours_cpu_s": cpu[0], "theirs_cpu_s": cpu[1]}
        yield spent("first training step", wall[0], "import torch, lightning", wall[1], least=1 / 0.9, more=more)
