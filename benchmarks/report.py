"""Time and size of a report over 50 runs with six pictures each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from benchmarks.table import Row, measured


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


def rows(quick: bool) -> Iterator[Row]:
    """Make the runs, report on them in a process of its own, and say what it took."""
    count = 4 if quick else 50
    with TemporaryDirectory() as place:
        for number in range(count):
            make(Path(place) / "outputs" / "day" / f"{number:02d}-cnn-mnist", number)
        code = "import runpy; runpy.run_module('dlcourse.report', run_name='__main__', alter_sys=True)"
        wall, cpu, _ = measured(code, folder=place)
        folder = Path(place) / "outputs" / "report"
        beside = list((folder / "pictures").glob("*")) if (folder / "pictures").exists() else []
        size = (folder / "report.html").stat().st_size / 2**20
        yield Row(f"a report over {count} runs", wall, "s", more={"cpu_s": cpu})
        yield Row(f"its page, {len(beside)} pictures beside it", size, "MB")
