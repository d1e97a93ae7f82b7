"""Small nets that are trained together, as one batch of weights, by their own learning rule."""

from abc import abstractmethod
from typing import Any

import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor, nn

from dlcourse.data.batches import Batch
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.base import BaseModule
from dlcourse.models.checks import at_least_one
from dlcourse.training.schedules import constant
from dlcourse.training.threads import torch_threads


class ManyNets(BaseModule):
    """Base class for several tiny nets; one Trainer step runs a chunk of iterations on the whole training split.

    A single iteration uses neither the Trainer nor autograd: they would take a hundred times longer than the
    arithmetic. Checkpoints store `record`, the history of the run, besides weights and buffers.

    Args:
        task: input shape, labels and statistics of the data.
        net: all nets, as one module.
        count: number of nets.
        chunk: iterations of a Trainer step, which is an epoch too.
        seed: of all random numbers.
    """

    full_batch = True
    threads: int | None = 1  # threads of torch, None for all: matrices of this size do not gain from a second one
    precision = "64-true"
    precisions = ("64-true", "32-true")

    def __init__(self, task: Task, net: nn.Module, count: int, chunk: int, seed: int = 0):
        at_least_one(chunk=chunk)
        super().__init__(task, lambda in_shape, outputs: net, (), torch.optim.SGD, constant, seed)
        self.automatic_optimization = False
        self.count, self.chunk = count, chunk
        self.record: dict[str, Any] = {}  # tensors and plain values: measured during training

    @property
    @abstractmethod
    def finished(self) -> bool:
        """Whether every net has finished."""

    @property
    @abstractmethod
    def iteration(self) -> int:
        """Number of iterations; logged as `train/iteration`, so that the newest checkpoint counts as the best."""

    @abstractmethod
    def advance(self, inputs: Tensor, labels: Tensor) -> dict[str, Any]:
        """Up to `chunk` iterations on the training split; returns values to log, including `loss`."""

    @property
    def dtype_of_nets(self) -> torch.dtype:
        """float64, or float32 where the Trainer asks for it."""
        return next(self.net.parameters()).dtype

    def normalize(self, inputs: Tensor) -> Tensor:
        """Features unchanged, images standardised and flattened: [N, F] in the precision of the nets."""
        if len(self.task.in_shape) > 1:
            return super().normalize(inputs).flatten(1).to(self.dtype_of_nets)
        self.check_shape(inputs)
        return inputs.flatten(1).to(self.dtype_of_nets)

    def parameter_count(self) -> int:
        """Number of trainable parameters of one net."""
        return super().parameter_count() // self.count

    def setup(self, stage: str) -> None:
        """Refuse half precision, several processes and MPS; convert the nets to the Trainer's precision.

        Lightning calls this before it moves the nets to the device, which may not support float64.
        """
        name = type(self).__name__
        if self.trainer.precision not in self.precisions:
            raise UserError(
                f"{name} does not support trainer.precision={self.trainer.precision}: use {self.precisions[0]}"
            )
        if self.trainer.world_size > 1:
            raise UserError(f"{name} runs in one process only: use trainer.devices=1")
        if self.trainer.strategy.root_device.type == "mps":
            raise UserError(f"{name} does not run on Apple's GPU: use trainer=cpu")
        callbacks = self.trainer.callbacks  # ty: ignore[missing-attribute]
        if any(isinstance(callback, WeightAveraging) for callback in callbacks):
            raise UserError(f"callbacks=ema averages the weights of gradient steps, and {name} has none: remove it")
        self.to(torch.float64 if self.trainer.precision == "64-true" else torch.float32)

    def training_step(self, batch: Batch, batch_idx: int) -> Any:
        """Run a chunk of iterations."""
        with torch.no_grad(), torch_threads(self.threads):
            figures = {} if self.finished else self.advance(self.normalize(batch[0]), batch[1])
        if "loss" in figures:
            self.loss_guard.keep(self, torch.as_tensor(figures["loss"]), batch_idx)
        figures |= {"iteration": self.iteration}
        self.log_dict({f"train/{name}": float(value) for name, value in figures.items()})
        optimizer: Any = self.optimizers()
        optimizer.step()  # without gradients it changes nothing, but Lightning counts the step
        if self.finished:
            self.trainer.should_stop = True

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """A placeholder whose steps Lightning counts; the nets have their own learning rule."""
        return torch.optim.SGD(self.net.parameters(), lr=1.0)

    def get_extra_state(self) -> dict[str, Any]:
        """The part of a checkpoint besides weights and buffers."""
        return self.record

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """The inverse of `get_extra_state`."""
        self.record = dict(state)
