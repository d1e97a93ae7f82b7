"""One batch of every classifier and every net on every data set of pictures that it fits."""

import pytest
import torch
from omegaconf import OmegaConf

from dlcourse.config import CONF, choices, compose
from dlcourse.errors import UserError
from dlcourse.models.build import build_data, build_model

DATA = ["mnist", "cifar10", "cifar100"]  # images of Fashion-MNIST have the shape of MNIST's
SMALL = {
    "mlp": ["widths=[16,8]"],
    "cnn": ["stages=[[4],[4,8],[8,8]]", "dense=[16,8]"],
    "digits_cnn": ["stages=[[4],[8]]", "dense=[16]"],
    "fast_cnn": ["widths=[4,8,8]"],
    "vgg_block": ["stages=[[4,8]]", "dense=[16]"],
    "vgg16": ["stages=[[4,4],[4,4],[4,4,4],[8,8,8],[8,8,8]]", "dense=[16,16]"],
    "simple_cnn": ["layers=[conv 4,conv 4,pool,dropout 0.2]"],
    "intermediate_cnn": ["layers=[conv 4,conv 4,pool,norm,dense 8,norm]"],
    "school_cnn": ["layers=[conv 4,norm,pool,dropout 0.3,conv 4,norm,pool,dense 8,norm]"],
    "deeper_cnn": ["layers=[conv 4,pool,conv 4,pool,conv 4,norm,pool,dense 8]"],
    "mnist_cnn": [],
    "mnist_cnn_wide": ["stages=[[4,4],[4,4]]", "dense=[16,16]"],
    "wide_resnet": ["depth=10", "widen=1"],
    "resnet50": ["stem=original"],
    "resnet": ["widths=[4,8]", "blocks=[1,1]"],
    "polar": ["width=4", "first=4", "steps=[1]", "radii=8", "angles=24"],
    "pretrained": ["name=test_resnet", "pretrained=false", "size=null"],
    "three_conv": ["filters=[4,4,4]", "dense=[[8,8]]"],
}
TOO_SMALL = {("vgg16", "mnist")}


def classifiers():
    """The models whose family learns classes by gradient; read, not composed, since this runs in every process."""
    found = {name: OmegaConf.to_container(OmegaConf.load(CONF / "model" / f"{name}.yaml")) for name in choices("model")}
    return [
        name
        for name, model in found.items()
        if "_target_" not in model and "family/classifier@_here_" in model.get("defaults", [])
    ]


def net_of(model):
    """The net that a model's YAML chooses, or the YAML that it extends."""
    defaults = OmegaConf.to_container(OmegaConf.load(CONF / "model" / f"{model}.yaml"))["defaults"]
    chosen = [entry["net"] for entry in defaults if isinstance(entry, dict) and "net" in entry]
    return chosen[0] if chosen else net_of(defaults[0])


def step(*words):
    """A training step's loss, from the config alone."""
    cfg = compose(*words, "data.batch_size=4")
    data = build_data(cfg)
    data.setup()
    torch.manual_seed(0)
    model = build_model(cfg, data.task)
    model.adapt(data.arrays["train"][0][:50])
    inputs, labels = next(iter(data.train_dataloader()))
    loss = model.training_loss(inputs, labels)
    loss.backward()
    assert torch.isfinite(loss)
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    optimizer = model.optimizer([p for p in model.parameters() if p.requires_grad])
    optimizer.step()
    assert torch.isfinite(model(inputs)).all()


def test_every_net_is_here():
    reads_clocks_alone = {"any_clock"}  # tests/models/test_any_clock.py
    assert set(SMALL) == set(choices("model/net")) - reads_clocks_alone


@pytest.mark.usefixtures("image_sets")
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("net", SMALL)
def test_a_batch_of_every_net_on_every_set_that_it_fits(net, data):
    words = [f"model.net.{option}" for option in SMALL[net]]
    chosen = ["model=fast_cnn", "model/optimizer=sgd", f"model/net={net}", f"data={data}", "data.validation=60", *words]
    if (net, data) in TOO_SMALL:
        with pytest.raises(UserError, match="28x28 are too small"):
            step(*chosen)
    else:
        step(*chosen)


@pytest.mark.usefixtures("image_sets")
@pytest.mark.parametrize("model", classifiers())
def test_a_batch_of_every_classifier(model):
    words = [f"model.net.{option}" for option in SMALL[net_of(model)]]
    step(f"model={model}", "data=cifar10", "data.validation=60", *words)
