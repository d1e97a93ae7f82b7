"""`callbacks=finetune`: the body of a net learns later than its head, with a lower rate; resumed exactly."""

import pytest
import torch

from dlcourse.commands.train import run
from dlcourse.config import compose
from dlcourse.errors import UserError
from dlcourse.models.initial_weights import read_weights
from dlcourse.training.checkpoints import LAST
from tests.families import differences

NET = ["model=timm", "model.net.name=test_resnet", "model.net.pretrained=false", "model.net.train=all"]
WORDS = [
    *(*NET, "data=digits8", "data.view=picture", "data.validation=200", "data.batch_size=500"),
    *("callbacks=finetune", "callbacks.finetune.unfreeze_at=1", "callbacks.finetune.body_lr_factor=0.5"),
    *("trainer=cpu", "trainer.precision=32-true", "trainer.max_epochs=3", "plots=false"),
]


def test_the_body_waits_and_a_stopped_run_continues_exactly(tmp_path, stopped_in_epoch):
    whole = run(compose(*WORDS), folder=tmp_path / "whole")
    for epoch in (1, 2):
        folder = tmp_path / f"stopped{epoch}"
        with stopped_in_epoch(epoch):
            run(compose(*WORDS), folder=folder)
        if epoch == 1:
            state = torch.load(folder / LAST, weights_only=True)
            assert (state["state_dict"]["net.body.bn1.running_mean"] == 0).all()  # nothing in the body has moved
            assert (state["state_dict"]["net.body.bn1.weight"] == 1).all()
            assert len(state["optimizer_states"][0]["param_groups"]) == 1
        assert run(compose(*WORDS), folder=folder, resume=True)["epochs"] == 3
        assert differences(tmp_path / "whole", folder) == []
    state = torch.load(tmp_path / "whole" / LAST, weights_only=True)
    head, body = state["optimizer_states"][0]["param_groups"]
    assert body["lr"] == pytest.approx(0.5 * head["lr"]) and body["initial_lr"] == 0.5 * head["initial_lr"]
    assert not (state["state_dict"]["net.body.bn1.weight"] == 1).all()
    assert whole["parameters"] > 372_000
    assert "trained from epoch 2" in (tmp_path / "whole" / "train.log").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model.net.train=head"], "callbacks=finetune has nothing to train later: set model.net.train=all"),
        (["callbacks.finetune.unfreeze_at=-1"], "unfreeze_at=-1 is not an epoch from 0"),
        (["callbacks.finetune.body_lr_factor=0"], "body_lr_factor=0 is not above 0"),
        (["model.net.name=resnt18"], "name=resnt18 is unknown: did you mean resnet18"),
    ],
)
def test_wrong_settings_get_one_sentence(tmp_path, words, said):
    with pytest.raises(UserError) as error:
        run(compose(*WORDS, *words), folder=tmp_path / "run")
    assert said in str(error.value)


def test_a_net_without_a_body_freezes_all_layers_but_the_last(tmp_path):
    words = [word for word in WORDS if not word.startswith("model")]
    words += ["model=mlp", "model.net.widths=[8]", "callbacks.finetune.unfreeze_at=9", "data.view=picture"]
    run(compose(*words), folder=tmp_path / "run")
    first = run(compose(*words, "trainer.max_epochs=1", "model.optimizer.lr=1e-9"), folder=tmp_path / "first")
    states = [read_weights(tmp_path / name).tensors for name in ("run", "first")]
    moved = [name for name in states[0] if not torch.allclose(states[0][name], states[1][name], atol=1e-6)]
    assert first["epochs"] == 1 and moved and all(states[0][name].shape[0] == 10 for name in moved)
