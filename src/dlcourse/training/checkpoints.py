"""last.ckpt, kept so that a run can be stopped at any moment and ends, once it goes on, as if it never had been."""

import io
import logging
import os
import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from dlcourse.errors import Stopped
from dlcourse.runs.files import replaced
from dlcourse.training.csv_logger import MetricsCSV

log = logging.getLogger(__name__)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints beside their place and renames them once they are on the disk.

    Lightning's own way writes into the system's temporary folder and moves the file from there, which is a copy, and no
    rename, where that folder is on another disk: killed then, it leaves half a last.ckpt in the place of a whole one.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """A whole file or, with one sentence of why, the one that was there before."""
        content = io.BytesIO()  # torch.save into a file that cannot be written ends in words of its own
        torch.save(checkpoint, content)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with replaced(Path(path)) as part, part.open("wb") as file:
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())  # else a power cut may keep the rename and lose what was written


class Stop:
    """Whether a signal has asked the run to end; the handlers set it, the training loop looks at it."""

    signum: int | None = None

    @contextmanager
    def listening(self) -> Generator[None]:
        """Ctrl-C and SIGTERM end the run after the step under way; the same once more ends it at once."""

        def ask(signum: int, frame: Any) -> None:
            if self.signum is not None:
                raise Stopped(signum)
            self.signum = signum
            log.info("stopping after this step; once more stops at once")

        if threading.current_thread() is not threading.main_thread():  # as in a notebook's or a launcher's thread
            yield
            return
        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def check(self) -> None:
        """Raise Stopped if asked to."""
        if self.signum is not None:
            raise Stopped(self.signum)


class ResumeCheckpoint(Checkpoint):
    """Saves `last.ckpt` at the end of each epoch, every so many minutes within it, and when a signal asks to stop.

    It comes after all other callbacks, as Lightning orders checkpoints, so that their state of the same step is in it.

    Args:
        dirpath: the folder of checkpoints.
        filename: without its ending.
        minutes: between two saves within an epoch; 0 saves at each step.
        stop: whether to end after this step.
    """

    def __init__(self, dirpath: str, filename: str = "last", minutes: float = 5.0, stop: Stop | None = None):
        self.path = Path(dirpath) / f"{filename}.ckpt"
        self.minutes, self.stop = minutes, stop or Stop()
        self.ended = False  # whether something asked the training to end before its last epoch
        self.watched: dict[str, Any] = {}  # at an epoch's end what plateau schedules are about to be given, by metric
        self._saved = time.monotonic()

    @property
    def state_key(self) -> str:
        """The name in checkpoints, which runs of earlier versions have too."""
        return "Last"

    def state_dict(self) -> dict[str, Any]:
        """What Lightning forgets."""
        return {"ended": self.ended, "watched": self.watched}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.ended, self.watched = state_dict["ended"], state_dict["watched"]

    def _save(self, trainer: Trainer, epoch_ended: bool = False) -> None:
        if (guard := getattr(trainer.lightning_module, "loss_guard", None)) is not None:
            guard.check(trainer.lightning_module)  # so that what is saved is good
        self.ended = trainer.should_stop
        metrics = {str(entry.monitor) for entry in trainer.lr_scheduler_configs if entry.reduce_on_plateau}
        self.watched = {name: trainer.callback_metrics.get(name) for name in metrics if epoch_ended}
        trainer.save_checkpoint(self.path)
        self._saved = time.monotonic()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A training that had ended is not gone on with; a plateau schedule takes the step that it was saved before."""
        trainer.should_stop = self.ended
        progress = trainer.fit_loop.epoch_loop.scheduler_progress
        for entry in trainer.lr_scheduler_configs if trainer.lightning_module.automatic_optimization else ():
            value = self.watched.get(entry.monitor or "")
            if entry.reduce_on_plateau and value is not None:
                progress.increment_ready()
                pl_module.lr_scheduler_step(entry.scheduler, value)
                progress.increment_completed()
        self.watched = {}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Within an epoch; its last batch is left to the epoch's end, which comes after the validation."""
        if trainer.is_last_batch:
            return
        if self.stop.signum is not None or time.monotonic() - self._saved >= 60 * self.minutes:
            self._save(trainer)
        self.stop.check()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """After the epoch's validation."""
        self._write_row(trainer)
        self._save(trainer, epoch_ended=True)
        self.stop.check()

    @staticmethod
    def _write_row(trainer: Trainer) -> None:
        """The epoch's figures, which Lightning hands out later: a run killed in between would never write them."""
        figures = {name: value.item() for name, value in trainer.callback_metrics.items() if name.startswith("train/")}
        figures |= {"lr": trainer.callback_metrics["lr"].item()} if "lr" in trainer.callback_metrics else {}
        step = trainer.fit_loop.epoch_loop._batches_that_stepped - 1  # as Lightning numbers the row
        for logger in trainer.loggers:
            if isinstance(logger, MetricsCSV):
                logger.log_metrics(figures | {"epoch": trainer.current_epoch}, step)
                logger.save()

    def on_test_batch_end(self, *args: Any, **more: Any) -> None:
        """A test has nothing to save: it is done anew."""
        self.stop.check()
