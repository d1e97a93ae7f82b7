"""All figures of a GPU in one command: `python -m benchmarks.gpu`, within 8 minutes, given prepared data.

Renderers: images a second, from the scene to pixels on the device. Trainings: seconds from the first step to the last
on the device, the queue waited for at both ends, after a run of a few steps that takes what happens once (loading
kernels, compiling); that run is a row of its own. A training is left out, and said so, where the time is nearly over.
`--device cpu --quick` does the same at a tiny size without a GPU.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.table import Row, leave_with, machine, number, text_table
from dlcourse.errors import UserError
from dlcourse.runs.files import write_text

MINUTES = 8
# What is trained, and about how many seconds of a data-centre GPU it takes, preparing and testing included.
TRAININGS = {
    "mnist/fast": 20,
    "cifar10/best": 60,
    "clocks/fast": 120,
    "cifar100/best": 60,
}
ACCURACIES = ("test/accuracy", "test/accuracy_tta", "test/error_minutes", "test/within_one_minute")


def wait(device: Any) -> None:
    """Until the device has done what it was given."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)


def drawn(name: str, draw: Callable[[int], Any], device: Any, count: int) -> Row:
    """A renderer's speed: the median of five times the same number of pictures."""
    draw(min(count, 256))
    wait(device)
    speeds = []
    for _ in range(5):
        start = time.perf_counter()
        draw(count)
        wait(device)
        speeds.append(count / (time.perf_counter() - start))
    return Row(name, sorted(speeds)[2], "pictures/s", more={"speeds": speeds})


def renderers(device: Any, quick: bool) -> Iterator[Row]:
    """Clocks and cartoon faces; the aim for clocks is 100,000 a second."""
    import torch

    from dlcourse.clocks.render import render as render_clocks
    from dlcourse.clocks.scene import draw_scenes
    from dlcourse.toons.render import render as render_faces
    from dlcourse.toons.scene import draw_scenes as draw_faces

    count = 32 if quick else 20_000
    minutes_N = torch.arange(count) % 720

    def clocks(size: int) -> Callable[[int], Any]:
        return lambda count: render_clocks(draw_scenes(minutes_N[:count], 1), size, device)

    for size in (75, 150):
        row = drawn(f"clocks of {size} pixels", clocks(size), device, count)
        row.value, row.kind = row.ours / 1e5, "of 100,000"
        yield row
    faces = draw_faces(count // 4, seed=0)
    yield drawn(
        "cartoon faces of 64 pixels", lambda count: render_faces(faces[:count], 64, device=device), device, count // 4
    )


def training(preset: str, device: Any, quick: bool, compiled: bool, folder: Path) -> Iterator[Row]:
    """A run of a few steps, then the whole one."""
    from benchmarks.fits import arrays, fit

    words = [f"experiment={preset}", f"trainer.accelerator={device.type}", "plots=false", f"compile={compiled}"]
    data = preset.partition("/")[0]
    short = ["trainer.limit_train_batches=3", "trainer.max_epochs=1", "trainer.limit_test_batches=1"]
    if quick:
        short[0] = "trainer.limit_train_batches=1"
        words += [*short, "data.batch_size=16"]
        if data == "clocks":
            words += ["data.count=60", "data.size=32", f"data_dir={folder}", "model.net.width=8"]
        else:
            words += [f"data.path={arrays(data, 200, folder)[0]}", "model.net.widths=[4,8,8]"]
    start = time.perf_counter()
    fit(*words, *short, tested=True)
    yield Row(f"{preset}: what happens once", time.perf_counter() - start, "s")
    meter = make_meter(device)
    result = fit(*words, callbacks=(meter,), tested=True)
    found = {name: result["metrics"][name] for name in ACCURACIES if name in result["metrics"]}
    more = {"steps": meter.steps, "epochs": result["epochs"], "metrics": result["metrics"]}
    more |= {"device": result["device"], "precision": result["precision"], "seconds": result["seconds"]}
    reached = ", ".join(f"{name.removeprefix('test/')} {value:.4g}" for name, value in found.items())
    yield Row(f"{preset}: first step to last", meter.seconds, "s", reached, more=more)


def make_meter(device: Any) -> Any:
    """Seconds from the first step to the last."""
    from lightning.pytorch import Callback

    class Meter(Callback):
        seconds, steps = 0.0, 0

        def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
            if not self.steps:
                wait(device)
                self.begun = time.perf_counter()
            self.steps += 1

        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            wait(device)
            self.seconds = time.perf_counter() - self.begun

    return Meter()


def parts(device: Any, asked: argparse.Namespace, folder: Path) -> dict[str, tuple[int, Callable[[], Iterator[Row]]]]:
    """What is measured, each with about how many seconds it takes."""
    found: dict[str, tuple[int, Callable[[], Iterator[Row]]]] = {
        "renderers": (30, lambda: renderers(device, asked.quick))
    }
    for preset, seconds in TRAININGS.items():
        found[preset] = seconds, lambda p=preset: training(p, device, asked.quick, asked.compile, folder)
    return found


def main(arguments: list[str]) -> int:
    """Measure, print and write; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that it works, and measures nothing")
    parser.add_argument("--compile", action="store_true", help="let torch.compile make the nets faster")
    parser.add_argument("--only", nargs="*", default=[], metavar="PART", help="renderers or names of presets")
    parser.add_argument("--output", type=Path, default=Path("outputs/benchmarks"), help="folder of the JSON")
    asked = parser.parse_args(arguments)
    begun = time.perf_counter()
    import torch

    if asked.device == "cuda" and not torch.cuda.is_available():
        raise UserError("torch sees no CUDA device here: run it where there is one, or with --device cpu --quick")
    device = torch.device(asked.device)
    name = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    found: list[dict[str, Any]] = []
    problems = {}
    with tempfile.TemporaryDirectory() as folder:
        chosen = parts(device, asked, Path(folder))
        for wrong in set(asked.only) - set(chosen):
            raise UserError(f"unknown benchmark {wrong}: use {', '.join(chosen)}")
        for part, (seconds, measure) in chosen.items():
            if asked.only and part not in asked.only:
                continue
            if not asked.quick and time.perf_counter() - begun + seconds > 60 * MINUTES:
                problems[part] = f"left out, since {MINUTES} minutes are nearly over"
                continue
            try:
                for row in measure():
                    found.append(row.as_dict())
                    print(f"{row.what}: {number(row.ours)} {row.unit}", file=sys.stderr, flush=True)
            except Exception as error:
                if not isinstance(error, UserError):
                    traceback.print_exc()
                problems[part] = str(error)
    print(text_table(found))
    for part, problem in problems.items():
        print(f"{part}: {problem}", file=sys.stderr)
    asked.output.mkdir(parents=True, exist_ok=True)
    path = asked.output / f"{time.strftime('%Y-%m-%d_%H-%M-%S')}-gpu.json"
    record = {"schema": 1, "quick": asked.quick, "device": name, "machine": machine()}
    record |= {"rows": found, "problems": problems}
    write_text(path, json.dumps(record, indent=1, ensure_ascii=False, default=float) + "\n")
    print(f"{name}, {time.perf_counter() - begun:.0f} s; all figures in {path}")
    return 1 if problems else 0


if __name__ == "__main__":
    leave_with(main)
