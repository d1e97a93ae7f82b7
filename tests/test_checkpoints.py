"""A run that is stopped and resumed ends, bit for bit, like one that was not stopped."""

import errno
import signal
from pathlib import Path

import pytest
import torch

from dlcourse.commands.train import run
from dlcourse.config import compose
from dlcourse.errors import Stopped, UserError
from dlcourse.models.build import load_checkpoint
from dlcourse.training.checkpoints import AtomicCheckpointIO, ResumeCheckpoint, Stop
from tests.families import BY_EPOCHS, COMMON, FAMILIES, differences


class Kill(BaseException):
    """Nothing of ours catches it, as nothing catches a SIGKILL."""


QUICK = ("xor", "plateau")  # the others take seconds each


@pytest.mark.parametrize("family", [f if f in QUICK else pytest.param(f, marks=pytest.mark.whole) for f in FAMILIES])
def test_a_run_killed_within_an_epoch_goes_on_exactly(tmp_path, monkeypatch, family):
    """Killed or not, one seed is one result, and another seed another."""
    words = [*FAMILIES[family], *COMMON]
    whole = run(compose(*words), folder=tmp_path / "whole")
    other = run(compose(*words, "seed=3"), folder=tmp_path / "other")
    assert whole["metrics"] != other["metrics"]
    for step in (2, 5):
        folder = tmp_path / f"killed{step}"
        run_and_kill(words, folder, monkeypatch, step)
        assert run(compose(*words), folder=folder, resume=True)["epochs"] == 2
        assert differences(tmp_path / "whole", folder) == []


def run_and_kill(words: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Start a run and kill it at a step; a run of fewer steps ends."""
    steps = 0

    def on_train_batch_end(self, trainer, *args):
        nonlocal steps
        steps += 1
        if steps == step - 1 and not trainer.is_last_batch:
            self._save(trainer)
        if steps == step:  # one step after the last save: its work is done again
            raise Kill

    with monkeypatch.context() as patch:
        patch.setattr(ResumeCheckpoint, "on_train_batch_end", on_train_batch_end)
        try:
            run(compose(*words), folder=folder)
        except Kill:
            pass
        else:
            assert steps < step, "the run was too short to be killed"


@pytest.mark.parametrize("kind", [k if k in QUICK else pytest.param(k, marks=pytest.mark.whole) for k in BY_EPOCHS])
def test_a_run_killed_at_the_end_of_an_epoch_goes_on_exactly(tmp_path, monkeypatch, kind):
    words = [*BY_EPOCHS[kind], *COMMON, "trainer.max_epochs=6"]
    whole = run(compose(*words), folder=tmp_path / "whole")
    save, saves = ResumeCheckpoint._save, 0

    def save_and_die(self, *args, **more):
        nonlocal saves
        save(self, *args, **more)
        saves += 1
        if saves == where:
            raise Kill

    for where in (1, whole["epochs"]):  # after the last one only the test is left
        folder, saves = tmp_path / f"killed{where}", 0
        with monkeypatch.context() as patch, pytest.raises(Kill):
            patch.setattr(ResumeCheckpoint, "_save", save_and_die)
            run(compose(*words), folder=folder)
        assert run(compose(*words), folder=folder, resume=True)["epochs"] == whole["epochs"]
        assert differences(tmp_path / "whole", folder) == []


def test_a_signal_waits_for_the_step_and_the_second_does_not():
    stop, before = Stop(), signal.getsignal(signal.SIGINT)  # which a job in the background ignores
    with stop.listening():
        signal.raise_signal(signal.SIGTERM)
        assert stop.signum == signal.SIGTERM
        with pytest.raises(Stopped):
            stop.check()
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("family", ["classifier", "gan"])
def test_a_stopped_run_saves_within_the_epoch(tmp_path, monkeypatch, family):
    words = [*FAMILIES[family], *COMMON]
    nets = 2 if family == "gan" else 1  # each has an optimiser, and each of its steps counts
    original = ResumeCheckpoint.on_train_batch_end

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step == 2 * nets:
            signal.raise_signal(signal.SIGTERM)
        original(self, trainer, pl_module, outputs, batch, batch_idx)

    monkeypatch.setattr(ResumeCheckpoint, "on_train_batch_end", on_train_batch_end)
    with pytest.raises(Stopped) as stopped:
        run(compose(*words), folder=tmp_path / "run")
    assert stopped.value.signum == signal.SIGTERM
    assert load_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")["global_step"] == 2 * nets
    result = run(compose(*words), folder=tmp_path / "run", resume=True)
    assert result["status"] == "completed" and result["error"] is None


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"step": 1}, path)

    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(
        UserError, match=r"last\.ckpt could not be written \(No space left on device\): free some space"
    ):
        AtomicCheckpointIO().save_checkpoint({"step": 2}, path)
    assert torch.load(path, weights_only=True) == {"step": 1} and list(tmp_path.iterdir()) == [path]
