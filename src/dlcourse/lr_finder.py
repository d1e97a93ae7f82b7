"""`lr_find=true`: a learning rate from a short run on a copy of the model, its rate rising by each step."""

import copy
import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from lightning.pytorch.tuner import Tuner
from matplotlib.figure import Figure
from omegaconf import DictConfig

from dlcourse.data.module import DataModule
from dlcourse.errors import UserError
from dlcourse.models.family import Family
from dlcourse.plots.curves import ANSWER, TRAIN, save
from dlcourse.trainers import make_trainer

LOWEST, HIGHEST, STEPS = 1e-6, 1.0, 100


def find_rate(model: Family, data: DataModule, settings: DictConfig, plots: Path) -> float:
    """The rate at which the loss falls fastest (Smith, 2015, arXiv:1506.01186), by Lightning's finder.

    Args:
        model: as it will be trained; it is copied, and no random state is touched.
        data: set up.
        settings: of the trainer, precision decided.
        plots: folder for lr_find.png, the loss against the rate.

    Raises:
        UserError: the loss never fell.
    """
    if not model.automatic_optimization:
        raise UserError("lr_find cannot try rates on a model with a learning rule of its own: set model.optimizer.lr")
    trial = copy.deepcopy(model)
    trial.watch_loss = False
    trial.adapt(data.arrays["train"][0][:STEPS])
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
        raise UserError("lr_find found no rate at which the loss falls: set model.optimizer.lr yourself")
    figure = Figure(figsize=(5, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.semilogx(finder.results["lr"], finder.results["loss"], color=TRAIN)
    axes.axvline(rate, color=ANSWER, linestyle=":", label=f"chosen: {rate:.2g}")
    axes.set(xlabel="learning rate", ylabel="smoothed loss", title="Learning-rate finder")
    axes.legend()
    plots.mkdir(parents=True, exist_ok=True)
    save(figure, plots / "lr_find.png")
    return rate
