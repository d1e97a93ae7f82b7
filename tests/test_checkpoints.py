"""A run that is stopped within an epoch ends, once it goes on, bit for bit as if it never had been."""

import signal

import pytest
import torch

from dlcourse.build import load_checkpoint
from dlcourse.checkpoints import Last, Stop
from dlcourse.errors import Stopped
from dlcourse.run import compose, run
from tests.conftest import NET, TINY

AUGMENTED = ["data/augment=digits", "callbacks=ema", "callbacks.ema.decay=0.9", "model/optimizer=adamw"]
FAMILIES = {
    "classifier": ["model=digits_cnn", "data=digits8", "data.view=picture", "data.batch_size=300", *AUGMENTED],
    "clock": ["model=clock_multihead", *[word for word in TINY if word != "debug=fast"], *NET],
    "perceptron": ["model=perceptron", "data=xor", "model.seeds=3", "model.chunk=4", "model.update=online"],
    "xor": ["model=xor", "data=xor", "model.restarts=8", "model.chunk=250"],
}
COMMON = ["trainer=cpu", "trainer.precision=32-true", "trainer.max_epochs=2", "plots=false"]


class Kill(BaseException):
    """Nothing of ours catches it, as nothing catches a SIGKILL."""


def equal(first, second):
    """Whether two states hold the same numbers, to the bit; how long something took is another matter."""
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(
            key == "seconds" or equal(first[key], second[key]) for key in first
        )
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(equal, first, second))
    return first == second


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("step", [2, 5])
def test_a_run_killed_within_an_epoch_goes_on_exactly(tmp_path, monkeypatch, family, step):
    words = [*FAMILIES[family], *COMMON]
    whole = run(compose(*words), folder=tmp_path / "whole")
    steps = 0

    def on_train_batch_end(self, trainer, *args):
        nonlocal steps
        steps += 1
        if steps == step - 1 and not trainer.is_last_batch:
            self._save(trainer)
        if steps == step:  # one step after the last save: its work is done again
            raise Kill

    with monkeypatch.context() as patch:
        patch.setattr(Last, "on_train_batch_end", on_train_batch_end)
        try:
            run(compose(*words), folder=tmp_path / "killed")
        except Kill:
            pass
        else:
            assert steps < step, "the run was too short to be killed"
    resumed = run(compose(*words), folder=tmp_path / "killed", resume=True)
    assert resumed["metrics"] == whole["metrics"] and resumed["epochs"] == 2
    first, second = (load_checkpoint(tmp_path / f / "checkpoints" / "last.ckpt") for f in ("whole", "killed"))
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "global_step"):
        assert equal(first[part], second[part]), part
    tables = [(tmp_path / folder / "metrics.csv").read_text() for folder in ("whole", "killed")]
    assert tables[0] == tables[1]


def test_a_signal_waits_for_the_step_and_the_second_does_not():
    stop = Stop()
    with stop.listening():
        signal.raise_signal(signal.SIGTERM)
        assert stop.signum == signal.SIGTERM
        with pytest.raises(Stopped):
            stop.check()
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_stopped_run_saves_within_the_epoch(tmp_path, monkeypatch):
    words = [*FAMILIES["classifier"], *COMMON]
    original = Last.on_train_batch_end

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step == 2:
            signal.raise_signal(signal.SIGTERM)
        original(self, trainer, pl_module, outputs, batch, batch_idx)

    monkeypatch.setattr(Last, "on_train_batch_end", on_train_batch_end)
    with pytest.raises(Stopped) as stopped:
        run(compose(*words), folder=tmp_path / "run")
    assert stopped.value.signum == signal.SIGTERM
    assert load_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")["global_step"] == 2
