"""Pretrained nets: what is frozen stays, what learns moves, and their inputs are scaled as in their pretraining."""

import pytest
import torch

from dlcourse.commands.train import run
from dlcourse.config import compose
from dlcourse.data.clocks import Clocks
from dlcourse.errors import UserError
from dlcourse.models.build import build
from dlcourse.nets.transfer import Transfer
from dlcourse.runs.stored_config import read_stored
from tests.conftest import PINNED, TINY


def learning(net):
    return [name for name, values in net.body.named_parameters() if values.requires_grad]


@pytest.mark.parametrize(
    ("name", "train", "first"),
    [
        ("vgg16", 3, "24.weight"),
        ("resnet50", 2, "layer4.2.conv2.weight"),
        ("efficientnet_lite0", 1, "_conv_head.weight"),
        ("test_resnet", 1, "layer4.0.downsample.1.weight"),
        ("test_vit", 1, "blocks.5.mlp.fc2.weight"),
    ],
)
def test_the_last_layers_learn_and_what_follows_them(name, train, first):
    net = Transfer((1, 40, 40), (3, 2), name, train=train, dense=[8], average=name.startswith("test_"))
    names = [name for name, _ in net.body.named_parameters()]
    assert learning(net) == names[names.index(first) :]
    assert net(torch.rand(2, 1, 40, 40)).shape == (2, 5)


def test_row_f1_trains_the_weights_that_its_source_counts():
    with torch.device("meta"):
        net = build(compose("model=transfer", "data=cifar100").model.net, in_shape=(3, 32, 32), outputs=(100,))
    assert sum(v.numel() for v in net.body.parameters() if v.requires_grad) == 53_120
    assert sum(v.numel() for v in net.parameters() if v.requires_grad) == 603_876


def test_batch_norms_learn_alone_and_follow_their_batches():
    torch.manual_seed(0)
    more = {"train": "head", "norms": True, "size": 48, "average": True, "dense": [8], "dense_batch_norm": True}
    net = Transfer((3, 32, 32), (4,), "test_resnet", **more)
    before = {name: value.clone() for name, value in net.body.state_dict().items()}
    optimizer = torch.optim.SGD([v for v in net.parameters() if v.requires_grad], lr=0.1)
    net(torch.rand(8, 3, 32, 32)).square().mean().backward()
    optimizer.step()
    moved = {name for name, value in net.body.state_dict().items() if not torch.equal(value, before[name])}
    assert {"bn1.weight", "bn1.running_mean"} <= moved and not [name for name in moved if before[name].ndim > 1]
    assert net.head.in_features == 8


def test_the_head_alone_or_the_whole_net_learn():
    net = Transfer((1, 40, 40), (2,), "test_resnet", train="head")
    assert not learning(net)
    assert all(v.requires_grad for v in Transfer((1, 40, 40), (2,), "test_resnet", train="all").parameters())


def test_what_is_frozen_does_not_move():
    """Nor do the statistics of its normalisation."""
    torch.manual_seed(0)
    net = Transfer((3, 48, 48), (4,), "efficientnet_lite0", train=2, dense=[8])
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

    weights = Transfer.pretrained_weights("efficientnet_lite0")
    theirs = efficientnet_lite_pytorch.EfficientNet.from_name("efficientnet-lite0").eval()
    theirs.load_state_dict(weights)
    net = Transfer((3, 64, 64), (2,), "efficientnet_lite0", dense=[])
    net.body.load_state_dict({name: value for name, value in weights.items() if not name.startswith("_fc")})
    pixels = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        wanted = theirs.extract_features((pixels * 255 - 127) / 128)
        torch.testing.assert_close(net.eval()._features(pixels), wanted, atol=1e-4, rtol=1e-4)


def test_without_a_network_the_cache_and_the_alternatives_are_named(monkeypatch):
    import timm

    def fail(*_, **__):
        raise OSError("the hub was not reached. Please check your connection.")

    monkeypatch.setattr(timm, "create_model", fail)
    with pytest.raises(ValueError) as error:
        Transfer.pretrained_weights("resnet18")
    assert "weights of resnet18 could not be downloaded (the hub was not reached): pass a file with" in str(error.value)
    assert "hub from a machine that has them, set model.net.pretrained=false" in str(error.value)


def test_a_net_of_timm_gives_what_timm_gives_for_inputs_scaled_by_its_config():
    import timm

    net = Transfer((3, 30, 30), (2,), "test_vit", average=True, dense=[]).eval()
    theirs = timm.create_model("test_vit", num_classes=0).eval()
    theirs.load_state_dict(net.body.state_dict())
    pixels = torch.rand(2, 3, 30, 30)
    assert net.size == 160  # the only one that it takes
    with torch.no_grad():
        enlarged = torch.nn.functional.interpolate(pixels, size=(160, 160), mode="bilinear")
        torch.testing.assert_close(net._features(pixels), theirs((enlarged - 0.5) / 0.5))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"name": "resnet8"}, "name=resnet8 is unknown: did you mean resnet"),
        ({"name": "resnet18.unknown_tag"}, "Invalid pretrained tag"),
        ({"train": -1}, "train=-1 is unknown: use head, all, or"),
        ({"train": "some"}, "train=some is unknown"),
        ({"in_shape": (5, 40, 40)}, "needs grey or colour images, not inputs of the shape [5, 40, 40]"),
        ({"in_shape": (64,)}, "needs grey or colour images"),
        ({"name": "vgg16", "in_shape": (1, 16, 16)}, "16x16 are too small for vgg16"),
    ],
)
def test_wrong_arguments_get_one_sentence(more, said):
    with pytest.raises(ValueError) as error:
        Transfer(**({"in_shape": (1, 40, 40), "outputs": (2,), "name": "test_resnet"} | more))
    assert said in str(error.value) and "\n" not in str(error.value)


def test_without_network_one_sentence_says_what_to_do_before_data_is_prepared(tmp_path, monkeypatch):
    def offline(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
    monkeypatch.setattr(Clocks, "prepare_data", lambda _: pytest.fail("images were drawn"))
    with pytest.raises(UserError, match=r"of vgg16 could not be downloaded \(no network\).*init_from=FILE"):
        run(compose("model=clock_transfer", *TINY, *PINNED), folder=tmp_path / "out")
    assert not (tmp_path / "out" / "config.yaml").exists()


def test_a_config_of_an_earlier_version_is_read(tmp_path):
    net = "{_target_: dlcourse.nets.transfer.Transfer, backbone: vgg16, trained: 0, init_from: null, size: 9}"
    text = f"model:\n  _target_: dlcourse.models.clock_transfer.TransferReader\n  net: {net}\n"
    (tmp_path / "config.yaml").write_text(text)
    model = read_stored(tmp_path / "config.yaml").model
    assert model._target_ == "dlcourse.models.clock.ClockReader"
    assert model.net == {"_target_": "dlcourse.nets.transfer.Transfer", "name": "vgg16", "train": 0, "size": 9}
