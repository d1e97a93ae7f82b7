"""Training a dense net on MNIST: the usual Lightning template over torchvision, bare torch loops over arrays.

784-64-128-64-10, Adam, float32, one thread; ours is a fit of `model=mlp` with its loss and accuracy logged. The
template is torchvision's data set with ToTensor and Normalize behind a DataLoader, and torchmetrics logged at each
step. The bare loops have pictures that were scaled beforehand, and log nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from benchmarks.fits import PINNED, Meter, arrays, median, quiet, shuffled, timed_fit, timed_loop
from benchmarks.table import Row, rate

GOALS = {64: 6, 128: 8, 256: 11}
WORDS = ["model=mlp", "model.net.widths=[64,128,64]", "model/optimizer=adam", "data=mnist", *PINNED]


class InMemory(datasets.MNIST):
    """torchvision's MNIST over arrays that are there, so that nothing is downloaded."""

    def __init__(self, x: np.ndarray, y: np.ndarray, transform: Callable[[Any], Tensor]):
        self.data, self.targets = torch.from_numpy(x), torch.from_numpy(y)
        self.transform, self.target_transform = transform, None


class Template(LightningModule):
    """As such templates have it."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.criterion = dense(), nn.CrossEntropyLoss()
        self.train_acc = torchmetrics.Accuracy(task="multiclass", num_classes=10)
        self.train_loss = torchmetrics.MeanMetric()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        logits = self.net(x)
        loss = self.criterion(logits, y)
        self.train_loss(loss)
        self.train_acc(logits.argmax(1), y)
        self.log("train/loss", self.train_loss, on_step=False, on_epoch=True, prog_bar=True)
        self.log("train/acc", self.train_acc, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dense() -> nn.Sequential:
    """The net."""
    sizes = (784, 64, 128, 64, 10)
    layers = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(nn.Flatten(), *layers[:-1])


def template(data: InMemory, size: int, workers: int, steps: int) -> Meter:
    """Seconds a step of the template."""
    meter = Meter(skip=20)
    loader = DataLoader(data, size, shuffle=True, num_workers=workers, drop_last=True)
    with quiet(), tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            accelerator="cpu", max_epochs=1, limit_train_batches=steps + 20, callbacks=[meter],
            logger=CSVLogger(folder), enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(Template(), loader)
    return meter


def bare(x: Tensor, y: Tensor, size: int, steps: int, fused: bool) -> tuple[float, float]:
    """Seconds a step of a plain loop over scaled arrays."""
    net = dense()
    optimizer, batches = torch.optim.Adam(net.parameters(), 1e-3, fused=fused), shuffled(len(x), size)

    def step() -> None:
        index = next(batches)
        loss = F.cross_entropy(net(x[index]), y[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return timed_loop(step, steps)


def rows(quick: bool) -> Iterator[Row]:
    """For each size of a batch: the template without workers and with two, the bare loops."""
    torch.set_num_threads(1)
    rounds = 1 if quick else 3
    with tempfile.TemporaryDirectory() as folder:
        path, found = arrays("mnist", 12_000 if quick else None, Path(folder))
        scale = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
        data = InMemory(found["train_x"], found["train_y"], scale)
        x = (torch.from_numpy(found["train_x"]).float() / 255 - 0.1307) / 0.3081
        y = torch.from_numpy(found["train_y"])
        for size, goal in GOALS.items():
            few, many = (10, 20) if quick else (100 * 128 // size, min(1000, 50_000 // size))
            taken: dict[str, list[tuple[float, float]]] = {}
            for _ in range(rounds):
                ours = timed_fit(many, *WORDS, f"data.path={path}", f"data.batch_size={size}", "data.validation=0")
                plain, two = (template(data, size, workers, few) for workers in (0, 2))
                for name, seconds in {
                    "ours": (ours.wall, ours.cpu),
                    "the usual template, 0 workers": (plain.wall, plain.cpu),
                    "the usual template, 2 workers": (two.wall, two.cpu),
                    "a bare torch loop": bare(x, y, size, many, fused=False),
                    "a bare torch loop, fused Adam": bare(x, y, size, many, fused=True),
                }.items():
                    taken.setdefault(name, []).append(seconds)
            wall, cpu = ({name: median([pair[i] for pair in pairs]) for name, pairs in taken.items()} for i in (0, 1))
            for name in list(taken)[1:]:
                more = {"ours_cpu_ms_a_step": 1e3 * cpu["ours"], "theirs_cpu_ms_a_step": 1e3 * cpu[name]}
                least = goal if name.startswith("the usual") else None
                ours_speed, speed = size / wall["ours"], size / wall[name]
                what = f"dense net, batches of {size}"
                yield rate(what, ours_speed, name, speed, "pictures/s", least=least, more=more)
