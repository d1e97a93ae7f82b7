"""Replacements for parts of Lightning 2.6.6, each with its reason; review them with each new version."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.distributed
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.profilers import PassThroughProfiler
from torch import Tensor


class StepShortcuts(LightningModule):
    """A training step with less overhead; this matters for nets whose step takes about a millisecond."""

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; skip the checks of `nn.Module` for the name of the current hook.

        Lightning sets it forty times per step, and a string cannot be a module or parameter.
        """
        if name == "_current_fx_name":
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: torch.optim.Optimizer) -> None:
        """Reset the gradients without the profiler hooks of `Optimizer.zero_grad` in torch 2.15."""
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None


class NoProfiler(PassThroughProfiler):
    """Measures nothing, as Lightning's own, whose generator runs ninety times per step."""

    nothing: AbstractContextManager[None] = nullcontext()

    def profile(self, action_name: str) -> Any:
        """A context that does nothing."""
        return self.nothing


def gather_predictions(predictions: dict[str, Tensor], world_size: int) -> dict[str, Tensor]:
    """The predictions of all processes in the stored order of the samples.

    Lightning's `all_gather` requires tensors of equal length, but some processes may have one sample less.

    Args:
        predictions: of this process, by name; the first dimension is the sample.
        world_size: number of processes; each has every `world_size`-th sample.
    """
    if world_size == 1:
        return predictions
    everyone: list[Any] = [None] * world_size
    torch.distributed.all_gather_object(everyone, predictions)
    count = sum(len(part["loss"]) for part in everyone)
    order = torch.cat([torch.arange(rank, count, world_size) for rank in range(world_size)]).argsort()
    return {name: torch.cat([part[name] for part in everyone])[order] for name in predictions}


def put_averaged_weights(trainer: Trainer, module: LightningModule, checkpoint: dict[str, Any]) -> None:
    """Replace the weights of a weights-only checkpoint by the averaged ones if a callback averages them.

    Lightning does not call its callbacks when it saves only the weights.
    """
    if "optimizer_states" in checkpoint:
        return
    for callback in trainer.callbacks:  # ty: ignore[missing-attribute]
        if isinstance(callback, WeightAveraging):
            callback.on_save_checkpoint(trainer, module, checkpoint)
            del checkpoint["current_model_state"], checkpoint["averaging_state"]
