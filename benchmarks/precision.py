"""`trainer.precision=auto` for every shipped image net: what it chooses, how long that takes, which is faster.

"ours" is a training step in what auto took, "theirs" one in the other precision, both on a whole batch; the value is
how many times as long the other takes. Auto is right where that is at least 1, within the 5 % that two measurements
differ by. Its decision may take 2 s, or as long as three steps.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.fits import CPU, arrays, quiet
from benchmarks.table import Row
from dlcourse.config import compose
from dlcourse.models.base import BaseModule
from dlcourse.models.build import build_data, build_model
from dlcourse.training.precision import choose_precision

SIZE, CLOCK_SIZE = 64, 150
HEAVY = ("resnet50", "clock_transfer", "vgg16", "vgg_block", "school_cnn")  # steps of seconds: half the batch
NETS = {  # the data of each
    "mnist": ("mlp", "cnn", "mnist_cnn"),
    "cifar10": ("fast_cnn", "wide_resnet", "simple_cnn", "school_cnn", "vgg_block", "vgg16", "resnet50"),
    "digits8": ("digits_cnn",),
    "toons": ("autoencoder", "vae", "gan"),
    "clocks": ("clock_multihead", "clock_transfer"),
}


def step_time(model: BaseModule, batch: tuple[torch.Tensor, torch.Tensor], half: bool, budget: float) -> float:
    """Seconds of the fastest training step, forward and backward, after one that warms up."""
    taken, begun = [], time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        while len(taken) < 2 or time.perf_counter() - begun < budget:
            start = time.perf_counter()
            model.training_loss(*batch).backward()
            taken.append(time.perf_counter() - start)
            model.zero_grad()
    return min(taken[1:])


def rows(quick: bool) -> Iterator[Row]:
    """One row a net for the choice, one for the time that it took."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for data, nets in {"mnist": ("mlp",), "digits8": ("digits_cnn",)}.items() if quick else NETS.items():
            words = [f"data={data}", *CPU]
            if data in ("mnist", "cifar10"):
                words += [f"data.path={arrays(data, 1000, Path(folder))[0]}", "data.validation=0"]
            if data == "clocks":
                words += ["data.count=90", f"data.size={CLOCK_SIZE}", "data.fresh=false", f"data_dir={folder}"]
            if data == "toons":
                words += ["data.count=100", "data.validation=20", "data.test=20", f"data_dir={folder}"]
            for net in nets:
                size = 8 if quick else SIZE // 2 if net in HEAVY else SIZE
                yield from judged(net, [*words, f"data.batch_size={size}"], 0.05 if quick else 1.0)


def judged(net: str, words: list[str], budget: float) -> Iterator[Row]:
    """Both rows of a net."""
    with quiet():
        cfg = compose(f"model={net}", *words)
        data = build_data(cfg)
        data.prepare_data()
        data.setup()
        model = build_model(cfg, data.task).train()
        batch = next(iter(data.train_dataloader()))
        start = time.perf_counter()
        choice = choose_precision(model, batch, torch.device("cpu"))
        decision = time.perf_counter() - start
        plain, half = (step_time(model, batch, half, budget) for half in (False, True))
    chosen, other = (plain, half) if choice == "32-true" else (half, plain)
    more = {"float32_ms": 1e3 * plain, "bf16_ms": 1e3 * half, "decision_s": decision, "choice": choice}
    against = "bf16" if choice == "32-true" else "float32"
    yield Row(f"{net}: {choice}", 1e3 * chosen, "ms", against, 1e3 * other, other / chosen, least=0.95, more=more)
    most = max(2.0, 3 * max(plain, half))
    yield Row(f"{net}: decision", decision, "s", value=decision, kind="s", most=round(most, 2))
