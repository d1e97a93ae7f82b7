"""Time and size of a report over 50 runs with six pictures each: `python benchmarks/report.py [RUNS]`.

Measured: see RESULTS.md, "The report".
"""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image


def make(folder: Path, number: int) -> None:
    """A run as `train` leaves it: two pictures of charts and four of dense detail, 1,200 pixels wide."""
    (folder / "plots").mkdir(parents=True)
    result = {
        "schema": 1, "status": "completed", "experiment": None, "model": "cnn", "data": "mnist", "rendered": False,
        "metrics": {"train/accuracy": 0.99, "test/accuracy": 0.98 + number / 10_000},
        "references": [{"id": "D1", "metric": "test/accuracy", "value": 0.9972, "better": "higher"}],
        "parameters": 1000, "seed": number % 5, "epochs": 3, "seconds": {"fit": 10.0, "test": 1.0}, "cpu_seconds": 11.0,
        "device": "cpu", "precision": "32-true", "versions": {}, "git": None, "error": None,
        "overrides": ["model=cnn", "data=mnist", f"model.width={number // 5}", f"seed={number % 5}"],
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(result))
    draws = np.random.default_rng(number)
    for name in ("curves", "confusion", "per_class", "worst", "samples", "calibration"):
        canvas = np.full((600, 1200, 3), 255, np.uint8)
        if name in ("curves", "calibration"):
            canvas[(300 + 200 * np.sin(np.arange(1200) / 90 + number)).astype(int), np.arange(1200)] = (68, 119, 170)
        else:
            small = draws.integers(0, 256, (40, 80, 3), np.uint8)
            canvas[60:540, 120:1080] = small.repeat(12, 0).repeat(12, 1)
        Image.fromarray(canvas).save(folder / "plots" / f"{name}.png")


def main() -> None:
    """Make the runs, report on them in a process of its own, and say what it took."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with TemporaryDirectory() as place:
        for number in range(count):
            make(Path(place) / "outputs" / "day" / f"{number:02d}-cnn-mnist", number)
        start = time.perf_counter()
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "src")}
        call = [sys.executable, "-m", "dlcourse.report"]
        subprocess.run(call, cwd=place, check=True, capture_output=True, env=environment)
        spent = time.perf_counter() - start
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = usage.ru_utime + usage.ru_stime
        folder = Path(place) / "outputs" / "report"
        beside = list((folder / "pictures").glob("*")) if (folder / "pictures").exists() else []
        size = (folder / "report.html").stat().st_size / 2**20
        print(f"{count} runs: {spent:.1f} s, {cpu:.1f} CPU-s; page {size:.2f} MB, {len(beside)} pictures beside it")


if __name__ == "__main__":
    main()
