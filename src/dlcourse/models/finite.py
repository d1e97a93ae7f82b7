"""Whether the losses of a training are numbers, without a step that waits to be asked."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

EVERY = 20  # steps between looks at the losses on a device where each look waits for it


class Place(NamedTuple):
    """Where in a training a step is; all counted from 1."""

    step: int
    epoch: int
    batch: int

    def __str__(self) -> str:
        return f"step {self.step} (epoch {self.epoch}, batch {self.batch})"


class LossWatch:
    """Keeps the losses on their device and looks at them now and then; on the CPU, where it costs nothing, at each.

    Args:
        every: steps between two looks, unless the device decides.
    """

    def __init__(self, every: int | None = None) -> None:
        self.every = every
        self.last: tuple[Place, float] | None = None  # that was finite
        self._kept: list[tuple[Place, Tensor]] = []

    def keep(self, loss: Tensor, place: Place) -> str | None:
        """Take a step's loss, detached; tells where it was no number, once that is known."""
        self._kept.append((place, loss))
        every = self.every or (1 if loss.device.type == "cpu" else EVERY)
        return self.look() if len(self._kept) >= every else None

    def look(self) -> str | None:
        """Where a loss that was kept is no number, in half a sentence; None if all are."""
        kept, self._kept = self._kept, []
        if not kept:
            return None
        losses = torch.stack([loss for _, loss in kept]).tolist() if len(kept) > 1 else [kept[0][1].item()]
        for (place, _), loss in zip(kept, losses, strict=True):
            if not math.isfinite(loss):
                seen = f", as was seen after {kept[-1][0]}" if place != kept[-1][0] else ""
                return f"the loss became {loss} at {place}{seen}; {self._before()}"
            self.last = place, loss
        return None

    def look_at_weights(self, weights: list[Tensor]) -> str | None:
        """The same of weights, which a finite loss may have spoilt."""
        if not weights or torch.stack([weight.isfinite().all() for weight in weights]).all():
            return None
        return f"the weights are no numbers any more after a finite loss; {self._before()}"

    def _before(self) -> str:
        return f"the last finite one was {self.last[1]:.4g} at {self.last[0]}" if self.last else "there was none before"
