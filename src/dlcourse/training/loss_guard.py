"""Stops a training whose loss or weights are not finite, without a step that waits for the GPU."""

import math
from typing import NamedTuple

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from dlcourse.errors import UserError
from dlcourse.training.checkpoints import ResumeCheckpoint

EVERY = 20  # steps between looks at the losses on a GPU


class StepPosition(NamedTuple):
    """Where in a training a step is; all counted from 1."""

    step: int
    epoch: int
    batch: int

    def __str__(self) -> str:
        return f"step {self.step} (epoch {self.epoch}, batch {self.batch})"


Sent = tuple[list[StepPosition], Tensor, torch.cuda.Event | None]  # losses, and the event of their arrival on the CPU


def _arrived(sent: Sent) -> tuple[list[StepPosition], list[float]]:
    places, losses, event = sent
    if event is not None:
        event.synchronize()
    return places, losses.tolist()


class LossWatch:
    """Keeps the losses on their device and looks at them now and then; on the CPU, where it costs nothing, at each.

    A GPU is not waited for: what was kept is sent to the CPU, and looked at when the next lot is sent.

    Args:
        every: steps between two looks, unless the device decides.
        behind: whether a look is at the lot before; as the device decides unless set.
    """

    def __init__(self, every: int | None = None, behind: bool | None = None) -> None:
        self.every, self.behind = every, behind
        self.last: tuple[StepPosition, float] | None = None  # that was finite
        self._kept: list[tuple[StepPosition, Tensor]] = []
        self._sent: Sent | None = None

    def keep(self, loss: Tensor, place: StepPosition) -> str | None:
        """Take a step's loss, detached; tells where it was no number, once that is known."""
        if self.every is None and loss.device.type == "cpu":
            return self._judged([place], [loss.item()], place)
        self._kept.append((place, loss))
        if len(self._kept) < (self.every or EVERY):
            return None
        if not (loss.is_cuda if self.behind is None else self.behind):
            return self.look()
        before, self._sent = self._sent, self._send()
        return self._judged(*_arrived(before), place) if before is not None else None

    def look(self) -> str | None:
        """Where a loss that was kept is no number, in half a sentence; None if all are."""
        lots = [self._sent] if self._sent is not None else []
        lots += [self._send()] if self._kept else []
        self._sent = None
        found = (self._judged(*_arrived(lot), lots[-1][0][-1]) for lot in lots)
        return next((wrong for wrong in found if wrong), None)

    def _send(self) -> Sent:
        """The losses on their way to the CPU, and what happens once they have arrived."""
        kept, self._kept = self._kept, []
        losses, event = torch.stack([loss for _, loss in kept]), None
        if losses.is_cuda:
            losses = losses.to("cpu", non_blocking=True)  # into memory that is pinned for it
            event = torch.cuda.Event()
            event.record()
        return [place for place, _ in kept], losses, event

    def _judged(self, places: list[StepPosition], losses: list[float], now: StepPosition) -> str | None:
        for place, loss in zip(places, losses, strict=True):
            if not math.isfinite(loss):
                self._sent = None
                seen = f", as was seen after {now}" if place != now else ""
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


class LossGuard:
    """Watches the losses and weights of a module, and says where they stopped being finite and what to do."""

    def __init__(self) -> None:
        self.enabled = True  # the learning-rate finder switches it off: it goes on until the loss diverges
        self._watch = LossWatch()

    def keep(self, module: LightningModule, loss: Tensor, batch_idx: int) -> None:
        """Take the loss of a training step.

        Raises:
            UserError: it is not finite, or an earlier one was not.
        """
        epoch_loop = module.trainer.fit_loop.epoch_loop
        position = StepPosition(epoch_loop.total_batch_idx + 1, module.current_epoch + 1, batch_idx + 1)
        if self.enabled and (wrong := self._watch.keep(loss.detach(), position)):
            raise UserError(self._sentence(module, wrong))

    def check(self, module: LightningModule) -> None:
        """Refuse to go on, or to save, where a loss or a weight is not finite.

        Raises:
            UserError: names the last finite step, the batches since and the last good checkpoint.
        """
        weights = [p.detach() for p in module.parameters() if p.requires_grad and p.is_floating_point()]
        wrong = self._watch.look() or self._watch.look_at_weights(weights)
        if self.enabled and wrong:
            raise UserError(self._sentence(module, wrong))

    @staticmethod
    def _sentence(module: LightningModule, wrong: str) -> str:
        saved = [c for c in module.trainer.checkpoint_callbacks if isinstance(c, ResumeCheckpoint) and c.path.exists()]
        kept = f"the last good checkpoint is {saved[0].path}" if saved else "no checkpoint was saved before"
        compiled = any(getattr(part, "_compiled_call_impl", None) is not None for part in module.children())
        clip = ", or set trainer.gradient_clip_val=1" if module.automatic_optimization else ""
        return f"{wrong}; {kept}: lower model.optimizer.lr{clip}{' or compile=false' if compiled else ''}"
