"""`init_from`: all weights that fit by name and shape are taken, the others are listed."""

from pathlib import Path

import pytest
import torch
from torch import nn

from dlcourse.commands.train import run
from dlcourse.config import compose
from dlcourse.errors import UserError
from dlcourse.models.initial_weights import Weights, read_weights, start_from

STILL = ["trainer=cpu", "trainer.precision=32-true", "trainer.max_epochs=1", "plots=false", "model.optimizer.lr=1e-9"]
DIGITS = ["model=digits_cnn", "data=digits8", "data.view=picture", "data.batch_size=400", "model.net.stages=[[4],[8]]"]


class Net(nn.Sequential):
    def __init__(self, classes=3, width=4):
        super().__init__(nn.Linear(5, width), nn.BatchNorm1d(width), nn.Linear(width, classes))


def wrapped(net, name="net"):
    """A module that holds the net under a name, as a LightningModule does."""
    outer = nn.Module()
    outer.register_buffer("mean", torch.zeros(1))
    outer.add_module(name, net)
    return outer


def test_a_run_starts_from_another_one_of_more_classes(tmp_path, image_sets):
    small = ["data.validation=60", "data.batch_size=100", "model.net.stages=[[4],[8]]", "model=digits_cnn"]
    first = run(compose(*small, "data=cifar10", *STILL), folder=tmp_path / "first")
    words = [*small, "data=cifar100", *STILL, f"init_from={tmp_path / 'first'}"]
    run(compose(*words), folder=tmp_path / "second", overrides=words)
    log = (tmp_path / "second" / "train.log").read_text()
    assert f"{first['folder']}: " in log and "start at random: net." in log and "[100x" in log and "[10x" in log
    states = [read_weights(tmp_path / name).tensors for name in ("first", "second")]
    same = [name for name in states[0] if states[0][name].shape == states[1][name].shape and states[0][name].ndim == 4]
    assert same
    for name in same:
        torch.testing.assert_close(states[0][name], states[1][name], atol=1e-5, rtol=0)
    assert f"init_from: {tmp_path / 'first'}" in (tmp_path / "second" / "config.yaml").read_text()


@pytest.mark.parametrize("form", ["plain", "nested", "lightning", "dataparallel", "safetensors"])
def test_files_of_other_programs(tmp_path, form):
    torch.manual_seed(0)
    net, path = Net(classes=7), tmp_path / f"a file=1.{'safetensors' if form == 'safetensors' else 'pt'}"
    state = net.state_dict()
    if form == "safetensors":
        from safetensors.torch import save_file

        save_file(state, path)
    else:
        prefix = {"lightning": "model.", "dataparallel": "module."}.get(form, "")
        state = {prefix + name: value for name, value in state.items()}
        torch.save(
            {"nested": {"model": state, "epoch": 3}, "lightning": {"state_dict": state, "epoch": 3}}.get(form, state),
            path,
        )
    model = wrapped(Net())
    said = start_from(model, read_weights(path))
    assert torch.equal(model.net[0].weight, net[0].weight) and torch.equal(model.net[1].running_var, net[1].running_var)
    assert "7 of 9 tensors taken" in said
    assert "start at random: net.2.weight [3x4], net.2.bias [3]; not used: " in said and "[7x4]" in said


def test_the_statistics_of_the_data_are_not_taken():
    model, other = wrapped(Net()), wrapped(Net())
    other.mean.fill_(9)
    start_from(model, Weights("x", other.state_dict()))
    assert model.mean == 0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "not found: pass a run folder, a checkpoint or a file of weights"),
        (lambda path: path.write_text("no weights"), "is damaged or not a file of weights"),
        (lambda path: path.mkdir(), "is not a run with weights (checkpoints/best.ckpt not found): pass a run folder"),
        (lambda path: torch.save({"a": 1}, path), "does not contain tensors by name"),
        (lambda path: torch.save([torch.ones(1)], path), "does not contain tensors by name"),
        (lambda path: torch.save(Net(), path), "Python objects besides weights"),
        (lambda path: torch.save({"1.weight": torch.ones(4), "conv.weight": torch.ones(9, 9)}, path),
         "does not fit this model: 1.weight [4], conv.weight [9x9] there, net.0.weight [4x5], "),
    ],
)  # fmt: skip
def test_what_is_not_a_file_of_fitting_weights_is_named(tmp_path, make, said):
    make(tmp_path / "other.pt")
    with pytest.raises(UserError) as error:
        start_from(wrapped(Net()), read_weights(tmp_path / "other.pt"))
    assert said in str(error.value) and "\n" not in str(error.value) and "other.pt" in str(error.value)


def test_a_frozen_layer_must_not_stay_random():
    model, other = wrapped(Net()), Net(width=4).state_dict()
    model.net[1].requires_grad_(False)
    del other["1.bias"]
    with pytest.raises(UserError, match=r"1 weights that are not trained are missing .*net.1.bias \[4\]"):
        start_from(model, Weights("x", other))


@pytest.mark.parametrize("averaged", [True, False])
def test_a_moving_average_starts_as_a_copy_of_the_net(averaged):
    def with_average(classes):
        model = wrapped(Net(classes))
        model.average = wrapped(Net(classes)).net.requires_grad_(False)
        return model

    torch.manual_seed(0)
    model, other = with_average(3), with_average(7) if averaged else wrapped(Net(7))
    said = start_from(model, Weights("x", other.state_dict()))
    assert torch.equal(model.net[0].weight, other.net[0].weight)
    assert all(torch.equal(value, model.net.state_dict()[name]) for name, value in model.average.state_dict().items())
    assert "7 of 9 tensors taken; start at random: net.2.weight [3x4], net.2.bias [3]" in said


def test_a_missing_file_ends_the_command_before_it_writes_anything(command):
    code, _, error = command("train", *DIGITS, "init_from=none.pt", "hydra.run.dir=run")
    assert code == 1 and error.startswith("error: init_from=none.pt not found")
    assert not Path("run/config.yaml").exists()


def test_a_pretrained_net_starts_from_a_file_and_is_read_without_it(command, tmp_path):
    import timm

    body = timm.create_model("test_resnet", num_classes=9)
    torch.save(body.state_dict(), tmp_path / "weights.pth")
    words = ["model=timm", "model.net.name=test_resnet", "data=digits8", "data.view=picture", "data.batch_size=400"]
    code, _, error = command("train", *words, *STILL, f"init_from={tmp_path / 'weights.pth'}", "hydra.run.dir=run")
    assert code == 0, error
    name = "layer1.0.conv1.weight"
    assert torch.equal(read_weights(Path("run")).tensors[f"net.body.{name}"], body.state_dict()[name])
    assert "not used: fc.weight [9x96], fc.bias [9]" in Path("run/train.log").read_text()
    (tmp_path / "weights.pth").unlink()
    code, _, error = command("evaluate", "run=run", "plots=false", "trainer=cpu")
    assert code == 0, error
