"""Cartoon faces a second, by size and threads.

Run `python benchmarks/toon_renderer.py`; takes well under a minute. CPU time a picture is given beside the wall clock,
since other work on the machine slows the one more than the other.
"""

import time

import torch

from dlcourse.toons.render import render
from dlcourse.toons.scene import draw_scenes


def measure(count: int, size: int, threads: int) -> str:
    """Renders `count` faces of `size` pixels a side and tells how long it took."""
    torch.set_num_threads(threads)
    scene = draw_scenes(count, seed=0)
    render(scene[:48], size)
    wall, cpu = time.perf_counter(), time.process_time()
    render(scene, size)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return (
        f"{size:4d} px  {threads} threads  {count:5d} faces  {count / wall:6.0f} faces/s  "
        f"{1000 * cpu / count:5.2f} ms CPU/face"
    )


if __name__ == "__main__":
    for size, count in ((32, 4000), (64, 2000), (128, 500)):
        for threads in (1, 2):
            print(measure(count, size, threads), flush=True)
