"""A training step with the memory that it frees kept for the next one: the C library as it comes.

The clocks' three convolutions on 64 pictures of 75 pixels, bf16 where the CPU trains so; each in a process of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import torch

from benchmarks.fits import apart, timed_loop
from benchmarks.table import Row, spent
from dlcourse.nets.three_conv import ThreeConv
from dlcourse.training.memory import freed_memory_kept
from dlcourse.training.threads import usable_cores


def step_seconds(kept: bool, threads: int, steps: int) -> float:
    """Seconds of the wall clock a step."""
    torch.set_num_threads(threads)
    net = ThreeConv((1, 75, 75), [720]).to(memory_format=torch.channels_last)
    optimizer = torch.optim.RMSprop(net.parameters(), 1e-3)
    x, y = torch.rand(64, 1, 75, 75), torch.randint(720, (64,))

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            answers = net(x)
        loss = torch.nn.functional.cross_entropy(answers.float(), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    with freed_memory_kept() if kept else nullcontext():
        return timed_loop(step, steps, min(steps, 5))[0]


def rows(quick: bool) -> Iterator[Row]:
    """With one thread and with as many as there are cores."""
    for threads in sorted({1, usable_cores()}):
        ours, theirs = (1e3 * apart(step_seconds, kept, threads, 1 if quick else 60) for kept in (True, False))
        yield spent(f"a step with {threads} threads", ours, "freed memory given back", theirs, unit="ms", least=1)
