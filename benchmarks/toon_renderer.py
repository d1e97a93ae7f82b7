"""Cartoon faces a second, by size and threads."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch

from benchmarks.table import Row
from dlcourse.toons.render import render
from dlcourse.toons.scene import draw_scenes


def measure(count: int, size: int, threads: int) -> Row:
    """Renders `count` faces of `size` pixels a side and tells how long it took."""
    torch.set_num_threads(threads)
    scene = draw_scenes(count, seed=0)
    render(scene[:48], size)
    wall, cpu = time.perf_counter(), time.process_time()
    render(scene, size)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    what = f"faces of {size} pixels, {threads} threads"
    return Row(what, count / wall, "faces/s", more={"cpu_ms": 1000 * cpu / count})


def rows(quick: bool) -> Iterator[Row]:
    """Three sizes; processor time a face stands beside the wall clock in the JSON."""
    for size, count in ((32, 4000), (64, 2000), (128, 500)):
        for threads in (1, 2):
            yield measure(count // 50 if quick else count, size, threads)
