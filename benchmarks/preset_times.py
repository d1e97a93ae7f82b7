"""The training time of every preset with two threads in float32, estimated from its first steps.

A training that stops before its largest number of epochs (xor/b4) takes less, and one whose images are rendered ahead
of the first steps (clocks/any) takes more.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.table import Row, measured

DEFAULT = False  # half an hour, and it needs the data of every preset
ENDS_EARLY = """
import json, os, sys, time

from dlcourse import train
from dlcourse.cli.launch import launch

LEAST = float(sys.argv.pop(1))  # seconds of steps to measure


def task(cfg):
    from dlcourse.models.base import BaseModule

    ends = []

    def ended(self, *args):
        ends.append(time.perf_counter())
        if len(ends) > 3 and ends[-1] - ends[1] > LEAST:
            trainer = self.trainer
            steps = trainer.max_epochs * trainer.num_training_batches
            step = (ends[-1] - ends[1]) / (len(ends) - 2)
            print(json.dumps({"step": step, "steps": steps, "epochs": trainer.max_epochs}), flush=True)
            os._exit(0)

    BaseModule.on_train_batch_end = ended
    return train.task(cfg)


launch("train", task)
"""
WORDS = ["trainer=cpu", "trainer.precision=32-true", "threads=2", "plots=false", "logger=null"]


def rows(quick: bool) -> Iterator[Row]:
    """A preset a row; the time of the whole command where it ends within the measured seconds."""
    from dlcourse.config import choices

    data = Path(os.environ.get("DLCOURSE_DATA", "data")).resolve()
    with tempfile.TemporaryDirectory() as folder:
        for name in ["quick/xor", "quick/clocks"] if quick else choices("experiment", shipped=True):
            words = [*WORDS, f"experiment={name}", f"data_dir={data}"]
            try:
                wall, _, printed = measured(ENDS_EARLY, "1" if quick else "6", *words, folder=folder)
            except RuntimeError as error:  # data or weights that are missing
                print(f"{name} is left out: {str(error).splitlines()[-1]}", file=sys.stderr, flush=True)
                continue
            last = printed.strip().rpartition("\n")[2]
            if last.startswith('{"step"'):
                found = json.loads(last)
                yield Row(name, found["step"] * found["steps"] / 60, "minutes of steps", more=found)
            else:
                yield Row(name, wall / 60, "minutes, whole command")
