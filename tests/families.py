"""A tiny run of each family, and what must be the same to the bit in two of them."""

from pathlib import Path
from typing import Any

import torch

from dlcourse.models.build import load_checkpoint
from dlcourse.runs.result import read_result
from tests.conftest import NET, TINY

TINY_CLOCKS = TINY[:4]
TINY_TOONS = ["data=toons", "data.count=64", "data.validation=8", "data.test=8", "data.size=32", "data.batch_size=16"]
TINY_NETS = [f"model.{net}.{key}" for net in ("net", "discriminator") for key in ("width=4", "layers=3")]
FAMILIES = {
    "classifier": [
        *("model=digits_cnn", "data=digits8", "data.view=picture", "data.batch_size=300", "data.validation=200"),
        *("data/augment=digits", "callbacks=ema", "callbacks.ema.decay=0.9", "model/optimizer=adamw"),
    ],
    "clock": ["model=clock_multihead", *TINY_CLOCKS, *NET],
    "flow": [
        *("model=flow", *TINY_TOONS, "data.style=simple", "model.conditional=true", "model.features=random"),
        *("model.net.widths=[4,8]", "model.net.patch=4", "model.steps=2", "model.ema=0.9"),
    ],
    "gan": [
        *("model=gan", *TINY_TOONS, *TINY_NETS, "model.latent=6", "model.features=random", "model.ema=0.9"),
        *("model/schedule=cosine", "model.r1=1", "model.penalty_every=2", "model.augment=[translation]"),
        "model.conditional=true",
    ],
    "perceptron": ["model=perceptron", "data=xor", "model.seeds=3", "model.chunk=4", "model.update=online"],
    "vae": [
        *("model=vae", *TINY_TOONS, "data.style=simple", "model.conditional=true", "model.prior=mixture"),
        *("model.latent=5", "model.net.width=4", "model.net.layers=3", "model.features=random"),
    ],
    "xor": ["model=xor", "data=xor", "model.restarts=8", "model.chunk=250"],
}
DENSE = ["model=mlp", "data=digits8", "data.validation=200", "data.batch_size=400", "model.optimizer.lr=0.01"]
# What ends before its last epoch, and what has a schedule that goes by epochs.
BY_EPOCHS = {
    "exponential": [
        *(*DENSE, "model/schedule=exponential", "model.schedule.factor=0.1"),
        *("callbacks=early_stopping", "callbacks.early_stopping.patience=1"),
    ],
    "plateau": [*DENSE, "model/schedule=plateau", "model.schedule.patience=1", "model.schedule.monitor=train/loss"],
    "xor that is solved": ["model=xor", "data=xor", "model.restarts=2", "model.chunk=2000"],
}
COMMON = ["trainer=cpu", "trainer.precision=32-true", "trainer.max_epochs=2", "plots=false", "threads=1"]
# How long something took and where it lies is another matter; and a score that Lightning keeps, but neither reads nor
# takes back from a checkpoint.
OTHER = {
    *("seconds", "dirpath", "best_model_path", "last_model_path", "kth_best_model_path", "best_k_models"),
    "current_score",
}


def unequal(first: Any, second: Any, name: str = "") -> list[str]:
    """Where two states do not hold the same numbers, to the bit."""
    if isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor):
        return [] if torch.equal(first, second) else [name]
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        return [n for k in first if k not in OTHER for n in unequal(first[k], second[k], f"{name}.{k}")]
    if isinstance(first, list | tuple) and isinstance(second, list | tuple) and len(first) == len(second):
        return [n for i, pair in enumerate(zip(first, second, strict=True)) for n in unequal(*pair, f"{name}.{i}")]
    return [] if type(first) is type(second) and not isinstance(first, dict) and first == second else [name]


def differences(first: Path, second: Path) -> list[str]:
    """What is not the same, to the bit, in the folders of two runs that were to end alike."""
    found = [folder.name for folder in (first, second) if getattr(read_result(folder), "status", None) != "completed"]
    if found:
        return [f"{name} is not completed" for name in found]
    results = [result.to_dict() for folder in (first, second) if (result := read_result(folder)) is not None]
    found += [key for key in ("metrics", "epochs", "parameters") if results[0][key] != results[1][key]]
    for name in ("last", "best"):
        states = [load_checkpoint(folder / "checkpoints" / f"{name}.ckpt") for folder in (first, second)]
        found += unequal(*states, name)
    tables = [(folder / "metrics.csv").read_bytes() for folder in (first, second)]
    found += ["metrics.csv"] if tables[0] != tables[1] else []
    return found + [f"left behind: {path.name}" for path in second.rglob("*.part")]
