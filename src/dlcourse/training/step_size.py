"""The amount of computation in a training step, which decides the number of threads."""

import copy
import math

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

SAMPLES = 2  # of the batch that is counted
BACKWARD = 2  # forward passes that a backward pass is worth: gradients of the inputs and of the weights


def step_work(model: LightningModule, batch: tuple[Tensor, Tensor], size: int) -> float:
    """Floating-point operations of a training step: those of its dense and convolutional layers, forward and backward.

    Neither the model nor random states change.

    Args:
        model: as it will be trained, with a method `training_loss(inputs, labels)`.
        batch: inputs and labels; the work of two samples is counted.
        size: samples of a training batch.
    """
    trial = copy.deepcopy(model).eval()
    counted: list[float] = []

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        weight = layer.weight
        assert isinstance(weight, Tensor)
        values = inputs[0] if isinstance(layer, nn.modules.conv._ConvTransposeNd) else output
        counted.append(2 * weight.numel() * values.numel() / len(weight))

    for layer in trial.modules():
        if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd):
            layer.register_forward_hook(count)
    inputs, labels = (part[:SAMPLES] for part in batch)
    with torch.random.fork_rng([]), torch.no_grad():
        trial.training_loss(inputs, labels)  # ty: ignore[not-callable]
    return (1 + BACKWARD) * math.fsum(counted) * size / len(inputs)
