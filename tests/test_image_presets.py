"""The presets of tables C to F train as their sources did: what a figure was reported for does not drift."""

import pytest

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
    "cifar100/f1": ("SGD", 1e-3, 128, 70, 0.2),
    "cifar100/f1_lite": ("SGD", 1e-3, 128, 70, 0.2),
    "cifar100/f2": ("Adam", 1e-3, 64, 100, 5000),
    "cifar100/f2b": ("Adam", 1e-3, 64, 100, 5000),
    "cifar100/f3": ("Adam", 1e-3, 64, 100, 5000),
    "cifar100/f4": ("Adam", 1e-3, 64, 80, 5000),
    "cifar100/f5": ("Adam", 1e-3, 64, 80, 5000),
}


@pytest.mark.parametrize("preset", DESCRIBED)
def test_a_row_is_trained_as_its_source_says(preset):
    cfg = compose(f"experiment={preset}")
    optimizer = cfg.model.optimizer
    epochs = cfg.trainer.max_epochs or cfg.model.epochs
    found = (optimizer._target_.split(".")[-1], optimizer.lr, cfg.data.batch_size, epochs, cfg.data.validation)
    assert found == DESCRIBED[preset]


@pytest.mark.parametrize("row", ["e1", "e2", "e3", "e4"])
def test_table_e_is_scaled_split_and_chosen_as_in_its_source(row):
    cfg = compose(f"experiment=cifar10/{row}")
    assert (cfg.seed, cfg.data.split_seed, cfg.model.scaling, cfg.model.net.init) == (42, None, "symmetric", "default")
    assert (cfg.checkpoints.best.monitor, cfg.checkpoints.best.mode) == ("val/loss", "min")
    assert len(cfg.model.net.stages) == 1 and cfg.model.net.dropout == (0.65 if row == "e4" else 0)


AUGMENTED = {  # rotation, zoom, shear, shift, mirror
    "f2": (0, [1, 1], 0, 0, "none"),
    "f2b": (15, [1, 1], 0.2, 0.2, "none"),
    "f3": (15, [1, 1], 0.2, 0.2, "none"),
    "f4": (15, [0.8, 1.2], 0, 0.2, "random"),
    "f5": (15, [0.8, 1.2], 0, 0.2, "random"),
    "f1": (10, [0.9, 1.1], 0.1, 0.1, "random"),
}


@pytest.mark.parametrize("row", AUGMENTED)
def test_table_f_is_augmented_as_keras_does(row):
    augment = compose(f"experiment=cifar100/{row}").data.augment
    assert (augment.rotation, augment.zoom, augment.shear, augment.shift, augment.flip) == AUGMENTED[row]
    assert not augment.vertical_flip and augment.outside == ("mirror" if row == "f2" else "nearest")


@pytest.mark.parametrize(("row", "rate", "stop"), [("f3", (0.2, 4, 0), 8), ("f4", (0.5, 8, 1e-7), 12),
                                                   ("f5", (0.5, 8, 1e-7), 12)])  # fmt: skip
def test_the_two_groups_patience(row, rate, stop):
    cfg = compose(f"experiment=cifar100/{row}")
    schedule, early = cfg.model.schedule, cfg.callbacks.early_stopping
    assert (schedule.factor, schedule.patience, schedule.min_lr) == rate and schedule.monitor == "val/loss"
    assert (early.monitor, early.mode, early.patience) == ("val/loss", "min", stop)
    assert (cfg.model.scaling, cfg.model.net.padding, cfg.model.net.init) == ("unit", "valid", "glorot")


@pytest.mark.parametrize("preset", [name for name in choices("experiment") if name.endswith("_better")])
def test_a_better_row_has_the_layers_of_the_described_one(preset):
    better, described = compose(f"experiment={preset}"), compose(f"experiment={preset.removesuffix('_better')}")
    assert better.model.net == described.model.net and better.references == described.references


def test_rmsprop_has_the_floor_of_keras():
    assert compose("experiment=fashion_mnist/c1").model.optimizer.eps == pytest.approx(1e-7**0.5, rel=0.02)
