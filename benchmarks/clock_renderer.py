"""The clock renderer: matplotlib and PIL drawing the same scenes, images a second by size, threads and number.

The rivals (rivals.py) are given outlines in pixels that were worked out beforehand, and draw no wood, no shadow and no
reflection; ours is the whole renderer, compiled as in training. All are compared on one thread. Clocks of any kind
(`data/scene=any`) are compared with torch operations, and with the plain scenes by torch operations.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import torch

from benchmarks.rivals import by_matplotlib, by_pil, outlines
from benchmarks.table import Row, rate
from dlcourse.clocks.render import render
from dlcourse.clocks.scene import draw_scenes
from dlcourse.clocks.varied.render import render_varied
from dlcourse.clocks.varied.scene import VariedRanges

SIZE = 150


def speed(count: int, size: int, threads: int, compiled: bool = True, any_kind: bool = False) -> tuple[float, float]:
    """Pictures a second, and processor milliseconds a picture: other work on the machine slows the one more."""
    torch.set_num_threads(threads)
    draw, ranges = (render_varied, VariedRanges()) if any_kind else (render, None)
    minutes = torch.arange(count) * 7 % 720
    # The first call draws the textures, which are kept, and compiles.
    draw(draw_scenes(minutes[:64], 1, ranges), size, compiled=compiled)
    wall, cpu = time.perf_counter(), time.process_time()
    draw(draw_scenes(minutes, 2, ranges), size, compiled=compiled)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return count / wall, 1000 * cpu / count


def rival_speed(draw: Callable[..., np.ndarray], count: int) -> tuple[float, float]:
    """The same of a rival, without the time for the outlines."""
    minutes_N, draws = torch.arange(count) * 7 % 720, np.random.default_rng(0)
    shapes = outlines(draw_scenes(minutes_N, 1), SIZE)
    draw(shapes[0], SIZE, draws)
    wall, cpu = time.perf_counter(), time.process_time()
    for shape in shapes:
        draw(shape, SIZE, draws)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return count / wall, 1000 * cpu / count


def rows(quick: bool) -> Iterator[Row]:
    """The rivals, then the linearity in the number of pictures, sizes and threads."""
    few, many = (3, 60) if quick else (60, 2000)
    ours, cpu = speed(many, SIZE, 1)
    by_torch, torch_cpu = speed(many, SIZE, 1, compiled=False)
    more = {"ours_cpu_ms": cpu, "theirs_cpu_ms": torch_cpu}
    yield rate(f"clocks of {SIZE} pixels", ours, "our torch operations", by_torch, "pictures/s", more=more)
    for name, draw, least in (("matplotlib", by_matplotlib, 50), ("PIL", by_pil, 3)):
        theirs, their_cpu = rival_speed(draw, few if draw is by_matplotlib else 10 * few)
        more = {"ours_cpu_ms": cpu, "theirs_cpu_ms": their_cpu}
        what, against = f"clocks of {SIZE} pixels", f"{name}, the same scenes"
        yield rate(what, ours, against, theirs, "pictures/s", least=least, more=more)
    varied, varied_cpu = speed(many // 4, SIZE, 1, any_kind=True)
    varied_by_torch, varied_torch_cpu = speed(many // 4, SIZE, 1, compiled=False, any_kind=True)
    what = f"clocks of any kind, {SIZE} pixels"
    more = {"ours_cpu_ms": varied_cpu, "theirs_cpu_ms": varied_torch_cpu}
    yield rate(what, varied, "our torch operations", varied_by_torch, "pictures/s", more=more)
    more = {"ours_cpu_ms": varied_cpu, "theirs_cpu_ms": torch_cpu}
    yield rate(what, varied, "plain scenes by torch operations", by_torch, "pictures/s", least=0.5, more=more)
    for count in (many // 4, many // 2, many):
        found, cpu = speed(count, SIZE, 2)
        yield Row(f"{count:,} clocks of {SIZE} pixels, 2 threads", found, "pictures/s", more={"cpu_ms": cpu})
    for size, threads in ((75, 1), (75, 2)):
        found, cpu = speed(many // 2, size, threads)
        yield Row(f"clocks of {size} pixels, {threads} threads", found, "pictures/s", more={"cpu_ms": cpu})


def sheet(path: str) -> None:
    """Ours, PIL's and matplotlib's drawings of four scenes, for looking at."""
    from PIL import Image

    scene, draws = draw_scenes(torch.tensor([70, 200, 333, 610]), 1), np.random.default_rng(0)
    rows_of = [render(scene, SIZE).numpy()]
    rows_of += [np.stack([draw(s, SIZE, draws) for s in outlines(scene, SIZE)]) for draw in (by_pil, by_matplotlib)]
    Image.fromarray(np.concatenate([np.concatenate(list(row), 1) for row in rows_of])).save(path)
