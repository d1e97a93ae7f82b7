"""The output of a run while it trains: one line per epoch, and a progress bar on a terminal or in a notebook."""

import logging
import sys
import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar

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
        shown = [name for name in ("train/loss", "val/loss", *monitors) if name in metrics]
        figures = "  ".join(f"{name} {metrics[name].item():.4g}" for name in dict.fromkeys(shown))
        epoch = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        log.info("%s  %s  %.0f s", epoch, figures, time.perf_counter() - self.start)


class Bar(TQDMProgressBar):
    """Lightning's progress bar without the version number."""

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """All metrics but the version number."""
        return {k: v for k, v in super().get_metrics(trainer, pl_module).items() if k != "v_num"}


def shows_bar() -> bool:
    """Whether a progress bar can be drawn: on a terminal, and in a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def progress_callbacks() -> list[Callback]:
    """The line per epoch, and the progress bar where it can be drawn."""
    return [EpochLine(), Bar(leave=False)] if shows_bar() else [EpochLine()]
