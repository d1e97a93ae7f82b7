"""last.ckpt: a run can be stopped at any moment; resumed, it ends exactly as if it had not been stopped."""

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
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint
from torch.optim.lr_scheduler import LambdaLR

from dlcourse.errors import Stopped
from dlcourse.runs.files import replaced
from dlcourse.training.csv_logger import MetricsCSV

log = logging.getLogger(__name__)

LAST = "checkpoints/last.ckpt"  # in a run folder
AGREE = 10  # steps after which several processes agree on a save within an epoch


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes each checkpoint to a temporary file in the same folder and renames it when it is on the disk.

    Lightning writes into the system's temporary folder and moves the file from there. If that folder is on another
    disk, the move is a copy, and a process killed during it leaves a truncated last.ckpt.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write the whole file; on an error the earlier file stays as it was."""
        content = io.BytesIO()  # in memory first, because torch.save hides the reason of a failed write
        torch.save(checkpoint, content)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with replaced(Path(path)) as part, part.open("wb") as file:
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())  # otherwise a power failure may keep the rename and lose the content


class Stop:
    """Whether a signal has asked the run to stop: set by the signal handlers, read by the training loop."""

    signum: int | None = None

    @contextmanager
    def listening(self) -> Generator[None]:
        """Ctrl-C and SIGTERM stop the run after the current step; a second signal stops it at once."""

        def ask(signum: int, frame: Any) -> None:
            if self.signum is not None:
                raise Stopped(signum)
            self.signum = signum
            log.info("saving a checkpoint and stopping; a second signal stops at once")

        if threading.current_thread() is not threading.main_thread():  # signals reach the main thread only
            yield
            return
        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def check(self) -> None:
        """Raise Stopped if a signal has asked for it."""
        if self.signum is not None:
            raise Stopped(self.signum)


class ResumeCheckpoint(Checkpoint):
    """Saves `last.ckpt` at the end of each epoch, every few minutes within an epoch, and when a signal asks to stop.

    Lightning runs checkpoint callbacks after all others, so the saved callback states are of the same step.

    Args:
        dirpath: folder of the checkpoints.
        minutes: between two saves within an epoch; 0 saves after each step, with several processes after each tenth.
        stop: tells whether to stop after the current step.
    """

    def __init__(self, dirpath: str, minutes: float = 5.0, stop: Stop | None = None):
        self.path = Path(dirpath) / Path(LAST).name
        self.minutes, self.stop = minutes, stop or Stop()
        self.ended = False  # whether a callback ended the training before its last epoch
        self.watched: dict[str, Any] = {}  # metrics that plateau schedules receive after this save
        self.trained: int | None = None  # epochs of the earlier training that a longer one continues
        self._saved = time.monotonic()

    @property
    def state_key(self) -> str:
        """The key in checkpoints, the same as in earlier versions."""
        return "Last"

    def state_dict(self) -> dict[str, Any]:
        """State that Lightning does not save."""
        return {"ended": self.ended, "watched": self.watched}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.ended, self.watched = state_dict["ended"], state_dict["watched"]

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Let the other checkpoint callbacks of a moved run find their files in its present folder.

        Lightning calls this before their `load_state_dict`, which forgets the best score if the folder has changed.
        """
        here = self.path.parent.resolve()
        for callback in trainer.checkpoint_callbacks:
            state = checkpoint["callbacks"].get(callback.state_key, {})
            if isinstance(callback, ModelCheckpoint) and state and Path(callback.dirpath or "") == here:
                state["dirpath"] = callback.dirpath
                for key in ("best_model_path", "kth_best_model_path", "last_model_path"):
                    if state.get(key):
                        state[key] = str(here / Path(state[key]).name)
                best = state.get("best_k_models", {})
                state["best_k_models"] = {str(here / Path(path).name): score for path, score in best.items()}

    def _save(self, trainer: Trainer, epoch_ended: bool = False) -> None:
        if (guard := getattr(trainer.lightning_module, "loss_guard", None)) is not None:
            guard.check(trainer.lightning_module)  # so that only finite weights are saved
        self.ended = trainer.should_stop
        metrics = {str(entry.monitor) for entry in trainer.lr_scheduler_configs if entry.reduce_on_plateau}
        self.watched = {name: trainer.callback_metrics.get(name) for name in metrics if epoch_ended}
        trainer.save_checkpoint(self.path)
        self._saved = time.monotonic()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep a finished training finished; give plateau schedules the step that they missed because of the save."""
        trainer.should_stop = self.ended and self.trained is None
        progress = trainer.fit_loop.epoch_loop.scheduler_progress
        for entry in trainer.lr_scheduler_configs if trainer.lightning_module.automatic_optimization else ():
            value = self.watched.get(entry.monitor or "")
            if entry.reduce_on_plateau and value is not None:
                progress.increment_ready()
                pl_module.lr_scheduler_step(entry.scheduler, value)
                progress.increment_completed()
        self.watched = {}
        if self.trained is not None:
            self._continue(trainer)

    def _continue(self, trainer: Trainer) -> None:
        """Set the rate that a schedule over all epochs of the longer training has now, and log it.

        Schedules are rebuilt for the new number of epochs, then their step is restored. Those that only multiply the
        rate after an epoch continue with the last rate.
        """
        groups = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
        before = [group["lr"] for group in groups]
        for schedule in (entry.scheduler for entry in trainer.lr_scheduler_configs):
            if isinstance(schedule, LambdaLR):
                for group, base, factor in zip(
                    schedule.optimizer.param_groups, schedule.base_lrs, schedule.lr_lambdas, strict=True
                ):
                    group["lr"] = base * factor(schedule.last_epoch)
        now = [group["lr"] for group in groups]
        rate = f"; the learning rate continues with {now[0]:.3g}" if now else ""
        if before != now:
            rate = f"; the schedule covers {trainer.max_epochs} epochs: learning rate {before[0]:.3g} -> {now[0]:.3g}"
        log.info("continuing from epoch %d to epoch %d%s", trainer.current_epoch, trainer.max_epochs, rate)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save within an epoch, but not after its last batch: the save at the end of the epoch follows."""
        if trainer.is_last_batch:
            return
        if trainer.world_size > 1 and batch_idx % AGREE:
            return
        late, stop = self._agreed(trainer)
        if late or stop:
            self._save(trainer)
        if stop:
            self.stop.check()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save after the epoch's validation."""
        self._write_row(trainer)
        self._save(trainer, epoch_ended=True)
        if self._agreed(trainer)[1]:
            self.stop.check()

    def _agreed(self, trainer: Trainer) -> tuple[bool, bool]:
        """Whether a save is due, and whether to stop: as the first of several processes decides.

        Clocks, and the moments at which signals arrive, differ between processes, but each save waits for all of them.
        """
        late = time.monotonic() - self._saved >= 60 * self.minutes
        late, signum = trainer.strategy.broadcast((late, self.stop.signum))
        if signum is not None:
            self.stop.signum = signum
        return late, signum is not None

    @staticmethod
    def _write_row(trainer: Trainer) -> None:
        """Write the epoch's metrics now: Lightning logs them after the save, and a run may be killed in between."""
        figures = {name: value.item() for name, value in trainer.callback_metrics.items() if name.startswith("train/")}
        figures |= {"lr": trainer.callback_metrics["lr"].item()} if "lr" in trainer.callback_metrics else {}
        step = trainer.fit_loop.epoch_loop._batches_that_stepped - 1  # as Lightning numbers the row
        for logger in trainer.loggers:
            if isinstance(logger, MetricsCSV):
                logger.log_metrics(figures | {"epoch": trainer.current_epoch}, step)
                logger.save()

    def on_test_batch_end(self, *args: Any, **more: Any) -> None:
        """Stop if asked; a test is not saved but repeated."""
        self.stop.check()
