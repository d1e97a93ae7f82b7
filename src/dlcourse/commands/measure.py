"""Tests of trained models: the trainer, the metrics of one split, the result."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from omegaconf import DictConfig

from dlcourse.data.module import DataModule
from dlcourse.models.base import BaseModule
from dlcourse.runs.provenance import config_dir, git_commit, versions
from dlcourse.runs.result import Result, read_result
from dlcourse.training.devices import device_name
from dlcourse.training.trainer import make_trainer


def measure_split(trainer: Trainer, model: BaseModule, data: DataModule, split: str) -> dict[str, float]:
    """A model's metrics on one split, named `<split>/<name>`; its predictions remain in `model.last_predictions`."""
    model.split = split
    model.attach_data(data)
    trainer.test(model, data.split_dataloader(split), verbose=False)
    return {name: value.item() for name, value in trainer.callback_metrics.items() if name.startswith(f"{split}/")}


def testing_trainer(cfg: DictConfig, run_cfg: DictConfig) -> Trainer:
    """A trainer that tests a stored run on one device; `precision=auto` is the run's own.

    Args:
        cfg: of the command.
        run_cfg: stored config of the run.
    """
    settings = cfg.trainer.copy()
    if settings.precision == "auto":
        settings.precision = run_cfg.trainer.precision
    settings.devices, settings.strategy = 1, "auto"
    return make_trainer(settings, logger=False, enable_checkpointing=False)


def evaluation(
    run: Path, data: Any, metrics: Mapping[str, float], trainer: Trainer, seconds: float, overrides: Sequence[str]
) -> Result:
    """The result of testing a stored run again.

    Args:
        run: its folder.
        data: with `title` and `rendered`.
        metrics: of the test.
        trainer: that tested.
        seconds: that the test took.
        overrides: of the command.
    """
    before = read_result(run) or Result("train", "completed")
    return Result(
        "evaluate",
        "completed",
        model=before.model,
        data=data.title,
        rendered=data.rendered,
        metrics=dict(metrics),
        parameters=before.parameters,
        seed=before.seed,
        epochs=before.epochs,
        seconds={"test": round(seconds, 2)},
        device=device_name(trainer),
        precision=str(trainer.precision),
        versions=versions(),
        git=git_commit(),
        overrides=list(overrides),
        config_dir=config_dir(),
        run=str(run),
    )
