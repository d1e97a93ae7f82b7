"""CIFAR-10 with crop, flip and rotation, fast_cnn: torchvision's transforms a sample, in two worker processes.

End to end both train the same net with the same optimiser and precision, and may compute with as many threads as there
are cores, theirs beside two workers; a second row has theirs as templates usually are, in float32. The data alone:
batches made and thrown away, ours in one thread.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision import datasets
from torchvision.transforms import v2

from benchmarks.fits import CPU, Meter, apart, arrays, median, quiet, timed_fit
from benchmarks.table import Row, rate
from dlcourse.config import compose
from dlcourse.models.build import build_data, build_model
from dlcourse.training.optimizers import Muon
from dlcourse.training.threads import usable_cores

SIZE = 256
AUGMENT = ["data.augment.crop=4", "data.augment.flip=random", "data.augment.rotation=15"]
WORDS = ["model=fast_cnn", "data=cifar10", "data.validation=0", f"data.batch_size={SIZE}", *AUGMENT, *CPU]
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


class InMemory(datasets.CIFAR10):
    """torchvision's CIFAR-10 over arrays that are there, with the usual changes of each sample."""

    def __init__(self, x: np.ndarray, y: np.ndarray):
        self.data, self.targets, self.target_transform = x, y.tolist(), None
        self.transform = v2.Compose([
            v2.ToImage(),
            v2.RandomCrop(32, padding=4, padding_mode="reflect"),
            v2.RandomHorizontalFlip(),
            v2.RandomRotation(15, interpolation=v2.InterpolationMode.BILINEAR),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ])  # fmt: skip


class Template(LightningModule):
    """The same net behind batches that arrive scaled."""

    def __init__(self, net: torch.nn.Module):
        super().__init__()
        self.net = net
        self.accuracy = torchmetrics.Accuracy(task="multiclass", num_classes=10)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        logits = self.net(x.contiguous(memory_format=torch.channels_last))
        loss = F.cross_entropy(logits, y, label_smoothing=0.1)
        self.accuracy(logits, y)
        self.log("train/loss", loss)
        self.log("train/accuracy", self.accuracy, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return Muon([p for p in self.parameters() if p.requires_grad])


def template(words: list[str], precision: str, threads: int, steps: int, skip: int) -> float:
    """Seconds a step of the same training over a DataLoader."""
    torch.set_num_threads(threads)
    module = build_data(cfg := compose(*words))
    module.prepare_data()
    module.setup()
    model = build_model(cfg, module.task)
    x, y = module.arrays["train"][:2]
    model.adapt(x[:5000])
    meter = Meter(skip)
    with quiet(), tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            accelerator="cpu", max_epochs=1, limit_train_batches=steps + skip, callbacks=[meter], precision=precision,
            logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            default_root_dir=folder,
        )  # fmt: skip
        trainer.fit(Template(model.net), loader(InMemory(x.numpy(), y.numpy())))
    return meter.wall


def loader(data: InMemory) -> DataLoader:
    """As a template has it."""
    return DataLoader(data, SIZE, shuffle=True, num_workers=2, drop_last=True)


def made(batches: Any, count: int, skip: int) -> float:
    """Images a second of batches that are not trained on, from the `skip`-th on."""
    start = 0.0
    for number, _ in enumerate(batches):
        if number + 1 == skip:
            start = time.perf_counter()
        if number + 1 == skip + count:
            break
    return count * SIZE / (time.perf_counter() - start)


def rows(quick: bool) -> Iterator[Row]:
    """The data alone, then both trainings."""
    torch.set_num_threads(1)
    steps, skip, rounds = (1, 1, 1) if quick else (10, 5, 2)
    with tempfile.TemporaryDirectory() as folder:
        path, found = arrays("cifar10", 4000 if quick else None, Path(folder))
        data = InMemory(found["train_x"], found["train_y"])
        words = [*WORDS, f"data.path={path}"]
        module = build_data(compose(*words))
        module.prepare_data()
        module.setup()
        pairs = []
        for _ in range(rounds):
            theirs = made(loader(data), 8 if quick else 60, 4)
            pairs.append((made(module.train_dataloader(), 8 if quick else 150, 4), theirs))
        ours, theirs = (median([pair[i] for pair in pairs]) for i in (0, 1))
        yield rate("batches alone", ours, "transforms a sample, 2 workers", theirs, "pictures/s", least=20)
        torch.set_num_threads(threads := usable_cores())
        taken: dict[str, list[float]] = {}
        precision = "32-true"
        for number in range(rounds):
            chosen = "auto" if number == 0 else precision
            fitted = timed_fit(steps, *words, f"trainer.precision={chosen}", skip=skip)
            precision = fitted.result["precision"]
            taken.setdefault("ours", []).append(fitted.wall)
            for name in dict.fromkeys((precision, "32-true")):
                taken.setdefault(name, []).append(apart(template, words, name, threads, steps, skip))
        ours = median(taken.pop("ours"))
        for name, seconds in taken.items():
            goal = {"least": 3} if name == precision else {}
            what = f"training fast_cnn ({precision})"
            against = f"transforms a sample, 2 workers ({name})"
            yield rate(what, SIZE / ours, against, SIZE / median(seconds), "pictures/s", **goal)
