"""The output of a run while it trains: one line per epoch, and a progress bar on a terminal or in a notebook."""

import logging
import sys
import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar

from dlcourse.runs.metrics import duration

log = logging.getLogger(__name__)


class EpochLine(Callback):
    """Logs one line after each epoch and its validation."""

    def __init__(self) -> None:
        self.start = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.start = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the line; Lightning calls this after the epoch's validation."""
        if not trainer.is_global_zero:
            return
        metrics = trainer.callback_metrics
        monitors = [c.monitor for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint) and c.monitor]
        chosen = trainer.progress_bar_metrics  # logged with prog_bar=True
        shown = [name for name in ("train/loss", "val/loss", *monitors, *chosen) if name in metrics]
        figures = "  ".join(f"{name} {metrics[name].item():.4g}" for name in dict.fromkeys(shown))
        epoch = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        log.info("%s  %s  %.0f s", epoch, figures, time.perf_counter() - self.start)


class Bar(TQDMProgressBar):
    """Lightning's progress bar without the version number."""

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """All metrics but the version number."""
        return {k: v for k, v in super().get_metrics(trainer, pl_module).items() if k != "v_num"}


def total_batches(trainer: Trainer) -> float:
    """Batches of the whole training, in all epochs; infinite if unknown."""
    total = (trainer.max_epochs or 1) * trainer.num_training_batches
    return min(total, trainer.max_steps * trainer.accumulate_grad_batches) if trainer.max_steps > 0 else total


class TimeEstimate(Callback):
    """Logs once, after the first steps, how long the training will take.

    Args:
        after: seconds of steps to measure; the first step, which warms up, does not count.
    """

    def __init__(self, after: float = 3.0):
        self.after, self.start, self.steps, self.logged = after, 0.0, 0, False

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Measure, and log once."""
        if self.logged:
            return
        now = time.perf_counter()
        self.steps += 1
        if self.steps == 1:
            self.start = now
        elif now - self.start >= self.after and trainer.is_global_zero:
            self.logged = True
            left = total_batches(trainer) - trainer.fit_loop.epoch_loop.batch_progress.total.ready
            seconds = (now - self.start) / (self.steps - 1) * left
            if self.after < seconds < float("inf"):
                log.info("the training will take about %s more", duration(seconds))


def shows_bar() -> bool:
    """Whether a progress bar can be drawn: on a terminal, and in a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def progress_callbacks() -> list[Callback]:
    """The line per epoch; where a bar can be drawn, also the estimated time and the bar."""
    return [EpochLine(), TimeEstimate(), Bar(leave=False)] if shows_bar() else [EpochLine()]
