"""How cost grows: seconds and memory for 1, 2, 4 and 8 times the pictures, batch, restarts and jobs of a sweep.

Each point is a process of its own; seconds are the fit's (of a sweep: all jobs'), memory what the process needed at
most above its imports. An exponent of 1 is cost that grows as the work; above 1.1 it is a defect. Draws growth.png.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.table import Row, measured

FACTORS = (1, 2, 4, 8)
CHILD = """
import json, os, sys, time

from benchmarks.fits import fit, memory, quiet
from dlcourse import train
from dlcourse.cli.launch import launch
import dlcourse.commands.experiment


def point(words, folder):
    os.chdir(folder)
    before = memory("VmRSS")
    if words[0] == "-m":
        sys.argv[1:] = words
        begun = time.perf_counter()
        with quiet():
            launch("train", train.task)
        seconds = time.perf_counter() - begun
    else:
        seconds = fit(*words)["seconds"]["fit"]
    return [seconds, memory("VmHWM") - before]


for number, words in enumerate(json.loads(sys.argv[1])):
    folder = f"{sys.argv[2]}-{number}"
    os.mkdir(folder)
    if (child := os.fork()) == 0:  # a process of its own, without importing everything again
        try:
            print(json.dumps(point(words, folder)), flush=True)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
"""
TRAINED = ["model=mlp", "data.validation=0", "trainer=cpu", "trainer.precision=32-true", "plots=false"]
TRAINED += ["trainer.max_epochs=1", "trainer.limit_test_batches=1"]


def commands(folder: Path, quick: bool) -> dict[str, list[list[str]]]:
    """The words of a run for each factor, by what grows."""
    from benchmarks.fits import arrays

    pictures, restarts, iterations, jobs = (500, 5, 100, 1) if quick else (7500, 200, 3000, 2)
    paths = [arrays("mnist", factor * pictures, folder)[0] for factor in FACTORS]
    steps, epochs = (5, 1) if quick else (110, 4)
    xor = ["model=xor", "data=xor", "trainer=cpu", "plots=false", "model.stop=mse", f"model.chunk={iterations}"]
    sweep = ["model=mlp", "data=digits8", "trainer=cpu", "trainer.precision=32-true", "plots=false"]
    return {
        "pictures": [
            [*TRAINED, "data=mnist", "data.batch_size=128", f"data.path={path}", f"trainer.max_epochs={epochs}"]
            for path in paths
        ],
        "batch": [
            [*TRAINED, "data=mnist", f"data.path={paths[-1]}", f"trainer.limit_train_batches={steps}",
             f"data.batch_size={factor * (16 if quick else 64)}"]
            for factor in FACTORS
        ],
        "restarts": [[*xor, "trainer.max_epochs=1", f"model.restarts={factor * restarts}"] for factor in FACTORS],
        "jobs of a sweep": [
            ["-m", *sweep, f"trainer.max_epochs={1 if quick else 5}", f"seed=range({factor * jobs})"]
            for factor in FACTORS
        ],
    }  # fmt: skip


def rows(quick: bool) -> Iterator[Row]:
    """Both exponents of each, then the picture."""
    found: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as place:
        for name, words in commands(Path(place), quick).items():
            printed = measured(CHILD, json.dumps(words), name, folder=place)[2].splitlines()
            printed = [json.loads(line) for line in printed if line.startswith("[")]
            if len(printed) < len(words):
                raise RuntimeError(f"only {len(printed)} of {len(words)} sizes of {name} came to an end")
            found[name] = np.array(printed).T
            for values, unit in zip(found[name], ("s", "MB"), strict=True):
                what = f"8 times the {name}" if unit == "s" else f"8 times the {name}, memory"
                yield Row(what, values[-1], unit, "once", values[0], exponent(values), "exponent", most=1.1,
                          more={"values": values.tolist(), "factors": list(FACTORS)})  # fmt: skip
    folder = Path(os.environ.get("BENCHMARKS_OUT", "outputs/benchmarks"))
    folder.mkdir(parents=True, exist_ok=True)
    draw(found, folder / "growth.png")


def exponent(values: np.ndarray) -> float:
    """By which power of the work a cost grows: the slope of a line through its logarithms."""
    return float(np.polyfit(np.log(FACTORS), np.log(np.maximum(values, 1e-6)), 1)[0])


def draw(found: dict[str, np.ndarray], path: Path) -> None:
    """A column for each thing that grows: seconds above, memory below, beside a line for as the work."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, len(found), figsize=(3.1 * len(found), 5.6), layout="constrained", sharex=True)
    for column, (name, both) in enumerate(found.items()):
        for axis, values, unit in zip(axes[:, column], both, ("seconds", "MB above the imports"), strict=True):
            axis.plot(FACTORS, values, "o-", color="#4477AA", label="measured")
            axis.plot(FACTORS, values[0] * np.array(FACTORS), "--", color="#999999", label="as the work")
            axis.set(xscale="log", yscale="log", title=f"{name}: exponent {exponent(values):.2f}")
            axis.set_ylabel(unit if column == 0 else "")
            axis.title.set_size(10)
            axis.set_xticks(FACTORS, [f"{factor}x" for factor in FACTORS])
            axis.minorticks_off()
            low, high = axis.get_ylim()
            ticks = [tick for tick in (v * 10.0**e for e in range(-3, 5) for v in (1, 2, 5)) if low <= tick <= high]
            axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
            axis.grid(alpha=0.3)
    axes[0, 0].legend(frameon=False, fontsize=8)
    figure.suptitle("How cost grows with the work")
    figure.savefig(path, dpi=120)
    plt.close(figure)
