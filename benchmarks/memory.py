"""Peak memory of training on CIFAR-10, over the imports: the size of the arrays."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.table import Row, measured

CHILD = """
import sys

from benchmarks.fits import fit, memory

before = memory("VmRSS")
fit(*sys.argv[1:])
print(before, memory("VmHWM"))
"""
MODELS = ("fast_cnn", "mlp")
WORDS = ["data=cifar10", "trainer=cpu", "plots=false", "trainer.precision=32-true", "trainer.max_epochs=1"]


def rows(quick: bool) -> Iterator[Row]:
    """A fit of some steps and a look at 10,000 pictures of each split, in a process of its own."""
    from benchmarks.fits import arrays

    with tempfile.TemporaryDirectory() as folder:
        path, found = arrays("cifar10", 2000 if quick else None, Path(folder))
        size = sum(array.nbytes for array in found.values()) / 2**20
        for model in MODELS:
            limit = 2 if quick else 40
            words = [f"model={model}", *WORDS, f"data.path={path}", "data.validation=0.1", "data.augment.crop=4"]
            words += [f"trainer.limit_{part}_batches={limit}" for part in ("train", "val", "test")]
            before, peak = map(float, measured(CHILD, *words, folder=folder)[2].split())
            more = {"import_mb": before, "peak_mb": peak}
            above = peak - before - size
            what = f"peak of {model} over the imports"
            yield Row(what, peak - before, "MB", "the arrays", size, above, "MB more", most=600, more=more)
