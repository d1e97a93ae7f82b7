"""Metrics of a trained model on one split."""

from lightning.pytorch import Trainer

from dlcourse.data.module import DataModule
from dlcourse.models.base import BaseModule


def measure_split(trainer: Trainer, model: BaseModule, data: DataModule, split: str) -> dict[str, float]:
    """A model's metrics on one split, named `<split>/<name>`; its predictions remain in `model.last_predictions`."""
    model.split = split
    model.attach_data(data)
    trainer.test(model, data.split_dataloader(split), verbose=False)
    return {name: value.item() for name, value in trainer.callback_metrics.items() if name.startswith(f"{split}/")}
