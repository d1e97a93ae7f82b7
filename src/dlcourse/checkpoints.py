"""last.ckpt, kept so that a run can be stopped at any moment and ends, once it goes on, as if it never had been."""

import logging
import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from dlcourse.errors import Stopped

log = logging.getLogger(__name__)


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


class Last(Checkpoint):
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
        self._saved = time.monotonic()

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.path)
        self._saved = time.monotonic()

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
        self._save(trainer)
        self.stop.check()

    def on_test_batch_end(self, *args: Any, **more: Any) -> None:
        """A test has nothing to save: it is done anew."""
        self.stop.check()
