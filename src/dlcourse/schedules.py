"""Learning-rate schedules as Lightning wants them: functions of an optimiser and the steps of the whole fit."""

import math
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau


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


def plateau(
    optimizer: Optimizer, steps: int, monitor: str = "val/loss", factor: float = 0.1, patience: int = 3
) -> dict[str, Any]:
    """Multiply the rate by `factor` whenever `monitor` has not fallen for `patience` epochs (row G5).

    Args:
        optimizer: what it steers.
        steps: not needed here.
        monitor: metric that should fall.
        factor: what the rate is multiplied by.
        patience: epochs to wait.
    """
    del steps
    return {"scheduler": ReduceLROnPlateau(optimizer, factor=factor, patience=patience), "monitor": monitor}
