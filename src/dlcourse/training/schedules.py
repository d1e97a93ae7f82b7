"""Learning-rate schedules as Lightning wants them: functions of an optimiser and the steps of the whole fit."""

import math
from typing import Any, Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, LambdaLR, ReduceLROnPlateau

from dlcourse.errors import UserError


def constant(optimizer: Optimizer, steps: int) -> dict[str, Any]:
    """The optimiser's rate throughout; `steps` is not needed."""
    del steps
    return {"scheduler": LambdaLR(optimizer, lambda _: 1.0)}


def one_cycle(optimizer: Optimizer, steps: int, warmup: float = 0.15) -> dict[str, Any]:
    """Linear rise from 4 % to the full rate, then half a cosine down to zero (after Smith, 2018, arXiv:1803.09820).

    Args:
        optimizer: what it steers.
        steps: steps of the fit.
        warmup: part of them in which the rate rises.
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
        optimizer: what it steers.
        steps: steps of the fit.
        warmup: part of them in which the rate rises.
        start, end: parts of the full rate at either end.
    """

    def factor(step: int) -> float:
        rise = max(1.0, warmup * steps)
        if step < rise:
            return start + (1 - start) * step / rise
        return 1 + (end - 1) * min(1.0, (step - rise) / max(1.0, steps - rise))

    return {"scheduler": LambdaLR(optimizer, factor), "interval": "step"}


def cosine(optimizer: Optimizer, steps: int) -> dict[str, Any]:
    """Half a cosine from the full rate to zero (Loshchilov and Hutter, 2016, arXiv:1608.03983)."""
    return {"scheduler": CosineAnnealingLR(optimizer, steps), "interval": "step"}


def exponential(optimizer: Optimizer, steps: int, factor: float = 0.9) -> dict[str, Any]:
    """The rate times `factor` after each epoch (row D2).

    Args:
        optimizer: what it steers.
        steps: not needed here.
        factor: what the rate is multiplied by.
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
    """Multiply the rate by `factor` after `patience` epochs without progress of `monitor` (rows D1, F3, G5).

    That is how Keras counts, in which the sources are written; torch's scheduler waits for one epoch more.

    Args:
        optimizer: what it steers.
        steps: not needed here.
        monitor: metric that should improve.
        mode: `min` where lower is better, else `max`.
        factor: what the rate is multiplied by.
        patience: epochs without progress, at least 1.
        min_lr: the rate does not fall below.
    """
    del steps
    if patience < 1:
        raise UserError(f"model.schedule.patience={patience} must be 1 or more")
    scheduler = ReduceLROnPlateau(optimizer, mode, factor=factor, patience=patience - 1, min_lr=min_lr)
    return {"scheduler": scheduler, "monitor": monitor}
