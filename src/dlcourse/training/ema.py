"""Exponential moving average of the weights."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor, nn

from dlcourse.errors import UserError


class EMAWeightAveraging(WeightAveraging):
    """An exponential moving average of the weights, which is validated, saved and tested instead of the weights.

    The decay of update n is min(decay, (1 + n) / (10 + n)), as in TensorFlow's ExponentialMovingAverage: the average
    forgets the random initial weights early, so that it also helps in short runs. Lightning's callback of the same name
    uses the full decay from the first update.

    Args:
        decay: the largest decay, at least 0 and less than 1.
        update_every_n_steps: optimizer steps between two updates.

    Raises:
        UserError: an argument is out of range.
    """

    def __init__(self, decay: float = 0.999, update_every_n_steps: int = 1):
        if not 0 <= decay < 1:
            raise UserError(f"callbacks.ema.decay={decay} is not a number from 0 to below 1: use for example 0.999")
        if update_every_n_steps < 1:
            raise UserError(f"callbacks.ema.update_every_n_steps={update_every_n_steps} is less than 1: use 1 or more")
        super().__init__(avg_fn=self._average)
        self.decay, self.every = decay, update_every_n_steps

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        """Whether to update the average after this step."""
        # Not a remainder of the step: a GAN counts two steps for a batch.
        return step_idx is not None and step_idx + 1 - self._latest_update_step >= self.every

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse models that cannot be averaged.

        Raises:
            UserError: the model is trained without gradients, or fits a mixture without validation.
        """
        if stage == "fit" and not any(p.requires_grad for p in pl_module.parameters()):
            raise UserError(
                "callbacks=ema averages the weights of training steps, but this model is trained without gradients: "
                "remove callbacks=ema"
            )
        if stage == "fit" and getattr(pl_module, "mixture", None) is not None and not trainer.enable_validation:
            raise UserError(
                "callbacks=ema with model.prior=mixture needs validation images, before which the mixture is fitted: "
                "set data.validation, or remove callbacks=ema"
            )
        super().setup(trainer, pl_module, stage)

    def _average(self, average: Tensor, current: Tensor, updates: Any) -> Tensor:
        decay = _decay(int(updates), self.decay)
        return decay * average + (1 - decay) * current


def _decay(updates: int, largest: float) -> float:
    return min(largest, (1 + updates) / (10 + updates))


@torch.no_grad()
def follow(average: nn.Module, net: nn.Module, step: int, decay: float) -> None:
    """Update the moving average of a net's weights; the decay of early steps is smaller, as above.

    Args:
        average: a copy of the net.
        net: after its optimizer step.
        step: steps so far.
        decay: the largest decay.
    """
    share = 1 - _decay(step, decay)
    for ours, theirs in zip(average.parameters(), net.parameters(), strict=True):
        ours.lerp_(theirs, share)
    for ours, theirs in zip(average.buffers(), net.buffers(), strict=True):
        ours.copy_(theirs)
