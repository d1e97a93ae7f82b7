"""The presets of tables C to F train as their sources did: what a figure was reported for does not drift."""

import pytest
from omegaconf import OmegaConf

from dlcourse.config import choices, compose

DESCRIBED = {  # optimizer, rate, batch, epochs, pictures or share held out
    "fashion_mnist/c1": ("RMSprop", 1e-3, 128, 12, 5000),
    "fashion_mnist/c2": ("RMSprop", 1e-3, 128, 12, 5000),
    "cifar10/c3": ("RMSprop", 1e-3, 128, 12, 5000),
    "cifar10/c4": ("RMSprop", 1e-3, 128, 12, 5000),
    "mnist/d1": ("Adam", 1e-3, 128, 100, 5000),
    "mnist/d2": ("Adam", 1e-3, 64, 50, 5000),
    "cifar10/e1": ("Adam", 1e-3, 32, 10, 0.2),
    "cifar10/e2": ("Adam", 1e-3, 256, 4, 0.2),
    "cifar10/e3": ("Adam", 1e-4, 32, 4, 0.2),
    "cifar10/e4": ("Adam", 1e-4, 32, 10, 0.2),
    "cifar100/f1": ("SGD", 0.1, 128, 100, 0.1),
    "cifar100/f2": ("Adam", 1e-3, 128, 20, 5000),
    "cifar100/f2b": ("Adam", 1e-3, 128, 20, 5000),
    "cifar100/f3": ("Adam", 1e-3, 128, 40, 5000),
    "cifar100/f4": ("Adam", 1e-3, 128, 40, 5000),
    "cifar100/f5": ("Adam", 1e-3, 128, 60, 5000),
}


@pytest.mark.parametrize("preset", DESCRIBED)
def test_a_row_is_trained_as_its_source_says(preset):
    cfg = compose(f"experiment={preset}")
    optimizer = cfg.model.optimizer
    epochs = cfg.trainer.max_epochs or cfg.model.epochs
    epochs = epochs.get(cfg.data.name, epochs.get("default")) if OmegaConf.is_dict(epochs) else epochs
    found = (optimizer._target_.split(".")[-1], optimizer.lr, cfg.data.batch_size, epochs, cfg.data.validation)
    assert found == DESCRIBED[preset]


@pytest.mark.parametrize("preset", [name for name in choices("experiment") if name.endswith("_better")])
def test_a_better_row_has_the_layers_of_the_described_one(preset):
    better, described = compose(f"experiment={preset}"), compose(f"experiment={preset.removesuffix('_better')}")
    assert better.model.net == described.model.net and better.references == described.references


def test_rmsprop_has_the_floor_of_keras():
    assert compose("experiment=fashion_mnist/c1").model.optimizer.eps == pytest.approx(1e-7**0.5, rel=0.02)
