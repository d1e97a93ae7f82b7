"""Pictures a second of the clock renderer, by size, threads and number of pictures, and its peak memory.

Run `python benchmarks/clock_renderer.py`; takes well under a minute. CPU time a picture is given beside the wall
clock, since other work on the machine slows the one more than the other.
"""

from __future__ import annotations

import resource
import time

import torch

from dlcourse.clocks.render import render_clocks


def measure(count: int, size: int, threads: int) -> str:
    """Renders `count` pictures of `size` pixels a side and tells how long it took."""
    torch.set_num_threads(threads)
    minutes_N = torch.arange(count) * 7 % 720
    render_clocks(minutes_N[:64], seed=0, size=size)  # draws the textures, which are kept
    wall, cpu = time.perf_counter(), time.process_time()
    render_clocks(minutes_N, seed=1, size=size)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    # ru_maxrss counts KiB on Linux.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"{size:4d} px  {threads} threads  {count:5d} pictures  {count / wall:7.0f} pictures/s  "
        f"{1000 * cpu / count:5.2f} ms CPU/picture  peak {peak:5.0f} MiB"
    )


def main() -> None:
    """Prints one line per case: the linearity in N first, so that the peak memory shows what N adds."""
    for count in (500, 1000, 2000):
        print(measure(count, 150, 2), flush=True)
    for size in (75, 150):
        for threads in (1, 2):
            print(measure(1000, size, threads), flush=True)


if __name__ == "__main__":
    main()
