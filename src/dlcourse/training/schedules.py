"""Learning-rate schedules for Lightning: functions of an optimizer and the number of steps of the whole fit."""

import math
from typing import Any, Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR, ReduceLROnPlateau

from dlcourse.errors import UserError


def constant(optimizer: Optimizer, steps: int) -> dict[str, Any]:
    """A constant learning rate; `steps` is not used."""
    del steps
    return {"scheduler": LambdaLR(optimizer, lambda _: 1.0)}


def one_cycle(optimizer: Optimizer, steps: int, warmup: float = 0.15) -> dict[str, Any]:
    """Linear rise from 4 % to the full rate, then half a cosine down to zero (after Smith, 2018, arXiv:1803.09820).

    Args:
        optimizer: its learning rate is scheduled.
        steps: number of steps of the fit.
        warmup: fraction of the steps in which the rate rises.
    """

    def factor(step: int) -> float:
        rise = max(1.0, warmup * steps)
        if step < rise:
            return 0.04 + 0.96 * step / rise
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rise) / max(1.0, steps - rise))))

    return {"scheduler": LambdaLR(optimizer, factor), "interval": "step"}


def triangular(
    optimizer: Optimizer, steps: int, warmup: float = 0.2, start: float = 0.2, end: float = 0.0
) -> dict[str, Any]:
    """Linear rise to the full rate, then linear fall.

    Args:
        optimizer: its learning rate is scheduled.
        steps: number of steps of the fit.
        warmup: fraction of the steps in which the rate rises.
        start, end: fractions of the full rate at the start and the end.
    """

    def factor(step: int) -> float:
        rise = max(1.0, warmup * steps)
        if step < rise:
            return start + (1 - start) * step / rise
        return 1 + (end - 1) * min(1.0, (step - rise) / max(1.0, steps - rise))

    return {"scheduler": LambdaLR(optimizer, factor), "interval": "step"}


def cosine(optimizer: Optimizer, steps: int) -> dict[str, Any]:
    """Half a cosine from the full rate to zero (Loshchilov and Hutter, 2016, arXiv:1608.03983)."""

    def factor(step: int) -> float:
        return 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, steps))))

    return {"scheduler": LambdaLR(optimizer, factor), "interval": "step"}


def exponential(optimizer: Optimizer, steps: int, factor: float = 0.9) -> dict[str, Any]:
    """The rate times `factor` after each epoch (row D2).

    Args:
        optimizer: its learning rate is scheduled.
        steps: not used.
        factor: factor of the rate.
    """
    del steps
    return {"scheduler": ExponentialLR(optimizer, factor), "interval": "epoch"}


def plateau(
    optimizer: Optimizer,
    steps: int,
    monitor: str = "val/loss",
    mode: Literal["min", "max"] = "min",
    factor: float = 0.1,
    patience: int = 3,
    min_lr: float = 0.0,
) -> dict[str, Any]:
    """Multiply the rate by `factor` after `patience` epochs without improvement of `monitor` (rows D1, F3, G5).

    This counts like Keras, which the sources use; torch's scheduler waits for one more epoch.

    Args:
        optimizer: its learning rate is scheduled.
        steps: not used.
        monitor: name of the metric.
        mode: `min` if lower is better, else `max`.
        factor: factor of the rate.
        patience: epochs without improvement, at least 1.
        min_lr: lower bound of the rate.
    """
    del steps
    if patience < 1:
        raise UserError(f"model.schedule.patience={patience} is less than 1: use for example 3")
    scheduler = ReduceLROnPlateau(optimizer, mode, factor=factor, patience=patience - 1, min_lr=min_lr)
    return {"scheduler": scheduler, "monitor": monitor}
