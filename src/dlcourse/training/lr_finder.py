"""`lr_find=true`: the learning rate range test on a copy of the model."""

import logging
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.tuner import Tuner
from omegaconf import DictConfig

from dlcourse.errors import UserError
from dlcourse.training.trainer import make_trainer

LOWEST, HIGHEST, STEPS = 1e-6, 1.0, 100


class FoundRate(NamedTuple):
    """The chosen learning rate, and the smoothed loss at each tested rate."""

    rate: float
    rates: list[float]
    losses: list[float]


def find_rate(trial: LightningModule, data: LightningDataModule, settings: DictConfig) -> FoundRate:
    """The rate at which the loss falls fastest (Smith, 2015, arXiv:1506.01186), by Lightning's tuner.

    Args:
        trial: a copy of the model; its weights change, random states do not.
        data: set up.
        settings: trainer settings with the final precision.

    Raises:
        UserError: the model uses manual optimization, or the loss never falls.
    """
    if not trial.automatic_optimization:
        raise UserError(
            "lr_find=true does not support this model, which uses manual optimization: set model.optimizer.lr"
        )
    logging.getLogger("lightning.pytorch.tuner").setLevel(logging.ERROR)
    with TemporaryDirectory() as folder, torch.random.fork_rng():
        quiet: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
        trainer = make_trainer(
            settings, max_steps=STEPS, max_epochs=-1, limit_train_batches=1.0, default_root_dir=folder, **quiet
        )
        finder = Tuner(trainer).lr_find(
            trial, datamodule=data, min_lr=LOWEST, max_lr=HIGHEST, num_training=STEPS, update_attr=False
        )
    rate = finder.suggestion() if finder is not None else None
    if finder is None or rate is None:
        raise UserError("lr_find=true: no learning rate found at which the loss falls: set model.optimizer.lr")
    return FoundRate(rate, finder.results["lr"], finder.results["loss"])
