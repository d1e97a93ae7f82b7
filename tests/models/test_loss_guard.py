import math

import pytest
import torch

from dlcourse.commands.train import run
from dlcourse.config import compose
from dlcourse.errors import UserError
from dlcourse.models.build import load_checkpoint
from dlcourse.models.classifier import Classifier
from dlcourse.training.loss_guard import LossWatch, StepPosition
from tests.families import COMMON, DENSE


def test_a_look_now_and_then_still_names_the_step():
    watch, said = LossWatch(every=5), []
    for step in range(1, 11):
        loss = torch.tensor(math.nan if step >= 7 else 1.0 / step)
        said.append(watch.keep(loss, StepPosition(step, 2, step - 4)))
    assert said[:9] == [None] * 9
    assert said[9] == (
        "the loss became nan at step 7 (epoch 2, batch 3), detected after step 10 (epoch 2, batch 6); "
        "the last finite loss was 0.1667 at step 6 (epoch 2, batch 2)"
    )
    assert watch.check_losses() is None


def test_a_finite_loss_after_an_infinite_one_hides_nothing():
    watch = LossWatch(every=3)
    said = [watch.keep(torch.tensor(value), StepPosition(i, 1, i)) for i, value in enumerate((1.0, math.inf, 1.0), 1)]
    assert said[2] is not None and said[2].startswith("the loss became inf at step 2 (epoch 1, batch 2), detected")


def test_a_watch_that_is_behind_looks_at_the_lot_before_and_at_all_when_asked():
    def watched(wrong, steps):
        watch = LossWatch(every=3, behind=True)
        said = [
            watch.keep(torch.tensor(math.nan if i == wrong else 1.0), StepPosition(i, 1, i))
            for i in range(1, steps + 1)
        ]
        return [i for i, text in enumerate(said, 1) if text], watch

    seen, watch = watched(2, 6)
    assert seen == [6] and watch.check_losses() is None
    for wrong, steps in ((2, 5), (5, 5), (4, 4), (6, 6)):
        seen, watch = watched(wrong, steps)
        assert seen == []
        text = watch.check_losses()
        assert text is not None and f"became nan at step {wrong} " in text
        assert watch.check_losses() is None


def test_a_run_names_the_last_good_checkpoint(tmp_path, monkeypatch):
    original = Classifier.training_loss

    def training_loss(self, inputs, labels):
        return original(self, inputs, labels) * (math.nan if self.global_step == 4 else 1)

    monkeypatch.setattr(Classifier, "training_loss", training_loss)
    words = [*DENSE, *COMMON, "checkpoints.last.minutes=0"]
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    with pytest.raises(UserError) as error:
        run(compose(*words), folder=tmp_path / "run")
    assert "nan at step 5 (epoch 2, batch 2)" in str(error.value) and f"good checkpoint is {last}:" in str(error.value)
    state = load_checkpoint(last)
    assert state["global_step"] == 4 and all(value.isfinite().all() for value in state["state_dict"].values())


def test_weights_that_are_no_numbers_are_not_saved(tmp_path, monkeypatch):
    step = torch.optim.AdamW.step

    def spoil(self, *args, **more):
        loss = step(self, *args, **more)
        with torch.no_grad():
            self.param_groups[0]["params"][0].view(-1)[0] = math.inf
        return loss

    monkeypatch.setattr(torch.optim.AdamW, "step", spoil)
    with pytest.raises(UserError, match="the weights are not finite.*no checkpoint was saved before"):
        run(compose(*DENSE, *COMMON, "model/optimizer=adamw", "checkpoints.last.minutes=0"), folder=tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()
