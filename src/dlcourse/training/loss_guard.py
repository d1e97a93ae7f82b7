"""Stops a training whose loss or weights are not finite, without waiting for the GPU after each step."""

import math
from typing import NamedTuple

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from dlcourse.errors import UserError
from dlcourse.training.checkpoints import ResumeCheckpoint

EVERY = 20  # steps between two checks of the losses on a GPU


class StepPosition(NamedTuple):
    """The position of a step in a training; all counted from 1."""

    step: int
    epoch: int
    batch: int

    def __str__(self) -> str:
        return f"step {self.step} (epoch {self.epoch}, batch {self.batch})"


Sent = tuple[list[StepPosition], Tensor, torch.cuda.Event | None]  # losses, and the event of their copy to the CPU


def _arrived(sent: Sent) -> tuple[list[StepPosition], list[float]]:
    places, losses, event = sent
    if event is not None:
        event.synchronize()
    return places, losses.tolist()


class LossWatch:
    """Checks losses: each one on the CPU, where it is cheap, and in groups on a GPU.

    It does not wait for the GPU: a group is copied to the CPU asynchronously and checked when the next one is sent.

    Args:
        every: steps between two checks; None: by device.
        behind: whether to check the group before the current one; None: by device.
    """

    def __init__(self, every: int | None = None, behind: bool | None = None) -> None:
        self.every, self.behind = every, behind
        self.last: tuple[StepPosition, float] | None = None  # that was finite
        self._kept: list[tuple[StepPosition, Tensor]] = []
        self._sent: Sent | None = None

    def keep(self, loss: Tensor, place: StepPosition) -> str | None:
        """Keep a step's loss, detached; return a message if a checked loss is not finite."""
        if self.every is None and loss.device.type == "cpu":
            return self._first_wrong([place], [loss.item()], place)
        self._kept.append((place, loss))
        if len(self._kept) < (self.every or EVERY):
            return None
        if not (loss.is_cuda if self.behind is None else self.behind):
            return self.check_losses()
        before, self._sent = self._sent, self._send()
        return self._first_wrong(*_arrived(before), place) if before is not None else None

    def check_losses(self) -> str | None:
        """A message about the first kept loss that is not finite, None if all are finite."""
        groups = [self._sent] if self._sent is not None else []
        groups += [self._send()] if self._kept else []
        self._sent = None
        found = (self._first_wrong(*_arrived(group), groups[-1][0][-1]) for group in groups)
        return next((wrong for wrong in found if wrong), None)

    def _send(self) -> Sent:
        """Start the copy of the kept losses to the CPU."""
        kept, self._kept = self._kept, []
        losses, event = torch.stack([loss for _, loss in kept]), None
        if losses.is_cuda:
            losses = losses.to("cpu", non_blocking=True)  # into pinned memory
            event = torch.cuda.Event()
            event.record()
        return [place for place, _ in kept], losses, event

    def _first_wrong(self, places: list[StepPosition], losses: list[float], now: StepPosition) -> str | None:
        for place, loss in zip(places, losses, strict=True):
            if not math.isfinite(loss):
                self._sent = None
                seen = f", detected after {now}" if place != now else ""
                return f"the loss became {loss} at {place}{seen}; {self._before()}"
            self.last = place, loss
        return None

    def check_weights(self, weights: list[Tensor]) -> str | None:
        """The same for weights, which may be non-finite after a finite loss."""
        if not weights or torch.stack([weight.isfinite().all() for weight in weights]).all():
            return None
        return f"the weights are not finite after a finite loss; {self._before()}"

    def _before(self) -> str:
        return f"the last finite loss was {self.last[1]:.4g} at {self.last[0]}" if self.last else "it is the first loss"


class LossGuard:
    """Watches the losses and weights of a module; its error says where they stopped being finite and what to do."""

    def __init__(self) -> None:
        self.enabled = True  # the learning-rate finder switches it off, because it continues until the loss diverges
        self._watch = LossWatch()

    def keep(self, module: LightningModule, loss: Tensor, batch_idx: int) -> None:
        """Keep the loss of a training step.

        Raises:
            UserError: it is not finite, or an earlier one was not.
        """
        epoch_loop = module.trainer.fit_loop.epoch_loop
        position = StepPosition(epoch_loop.total_batch_idx + 1, module.current_epoch + 1, batch_idx + 1)
        if self.enabled and (wrong := self._watch.keep(loss.detach(), position)):
            raise UserError(self._sentence(module, wrong))

    def check(self, module: LightningModule) -> None:
        """Refuse to continue or to save if a loss or a weight is not finite.

        Raises:
            UserError: names the last finite step and the last good checkpoint.
        """
        weights = [p.detach() for p in module.parameters() if p.requires_grad and p.is_floating_point()]
        wrong = self._watch.check_losses() or self._watch.check_weights(weights)
        if self.enabled and wrong:
            raise UserError(self._sentence(module, wrong))

    @staticmethod
    def _sentence(module: LightningModule, wrong: str) -> str:
        saved = [c for c in module.trainer.checkpoint_callbacks if isinstance(c, ResumeCheckpoint) and c.path.exists()]
        kept = f"the last good checkpoint is {saved[0].path}" if saved else "no checkpoint was saved before it"
        compiled = any(getattr(part, "_compiled_call_impl", None) is not None for part in module.children())
        clip = ", or set trainer.gradient_clip_val=1" if module.automatic_optimization else ""
        return f"{wrong}; {kept}: lower model.optimizer.lr{clip}{' or compile=false' if compiled else ''}"
