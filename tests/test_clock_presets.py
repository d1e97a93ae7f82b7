"""The clock presets are what their headers say."""

from dataclasses import replace

import pytest
import torch

from dlcourse.commands.train import run
from dlcourse.config import choices, compose
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.build import build_data, build_model
from dlcourse.runs.reference_commands import command as command_of
from dlcourse.runs.references import reference_rows
from tests.conftest import PINNED

ROWS = [name for name in reference_rows() if name.startswith("G") and name != "G-sine"]
TASK = Task("clocks", "time", (1, 75, 75), 130.0, 60.0)


@pytest.mark.parametrize("row", ROWS)
def test_every_row_has_a_preset_that_is_held_against_it(row):
    words = (command_of(row) or "").split()
    assert words[:3] == ["python", "-m", "dlcourse.train"] and words[3].startswith("experiment=clocks/g"), words
    cfg = compose(words[3])
    rows = list(cfg.references) or list(cfg.model.references)
    assert rows == [row]


@pytest.mark.whole
def test_every_preset_makes_a_model():
    for name in choices("experiment"):
        if name.startswith("clocks/") and name != "clocks/g5_packaged":  # whose net is in an extra
            task = replace(TASK, in_shape=(3, 75, 75)) if name == "clocks/any" else TASK
            assert build_model(compose(f"experiment={name}"), task).parameter_count() > 0, name


SOURCE = {  # weights at 150 pixels where they are stated, else None; loss, unit or decoding; side that is trained
    "g1": (1_214_561, "mse", "hours", 150),
    "g2": (1_214_561, "circular", "hours", 150),
    "g3_24": (1_222_296, 24, "first", 75),
    "g3_48": (1_225_392, 48, "first", 150),
    "g3_120": (1_234_680, 120, "first", 75),
    "g3_240": (None, 240, "first", 75),
    "g3_480": (None, 480, "first", 75),
    "g3_720": (None, 720, "first", 75),
    "g4": (3_616_749, "regression", "independent", 150),
}


@pytest.mark.parametrize("preset", SOURCE)
def test_the_first_projects_recipe_is_as_its_source_says(preset):
    cfg = compose(f"experiment=clocks/{preset}")
    data, model, optimizer = cfg.data, cfg.model, cfg.model.optimizer
    assert (cfg.trainer.max_epochs, list(data.split), data.batch_size) == (60, [80, 0, 20], 100)
    assert not data.fresh and data.scene.kind == "course" and (model.scaling, model.net.init) == ("unit", "glorot")
    assert (optimizer._target_, optimizer.lr, optimizer.alpha, optimizer.eps) == (
        "torch.optim.RMSprop",
        1e-3,
        0.9,
        1e-7,
    )
    weights, *chosen, side = SOURCE[preset]
    keys = {"g1": ("loss", "unit"), "g2": ("loss", "unit"), "g4": ("minute", "decode")}
    assert [model[key] for key in keys.get(preset, ("num_classes", "decode"))] == chosen and data.size == side
    net = build_model(cfg, replace(TASK, in_shape=(1, 150, 150))).net
    assert weights in (None, sum(p.numel() for p in net.parameters()))
    assert net.features[0].out_channels == (32 if preset.startswith("g3") else 16)
    kinds = [[type(layer).__name__ for layer in stack] for stack in net.stacks]
    assert kinds == [["Linear", "ReLU", "Dropout"] * 2] * len(net.heads)
    dropouts, hour = [[stack[2].p, stack[5].p] for stack in net.stacks], [0.1, 0.1]
    assert dropouts == ([hour, [0, 0]] if preset == "g4" else [hour])
    assert net.l2 == ([0.01, 0] if preset == "g4" else [0])


def test_a_row_of_150_pixels_can_be_had_with_75():
    assert compose("experiment=clocks/g4", "data.size=75").data.size == 75


def test_the_second_projects_recipe_is_as_described():
    for name, copies in (("g5_720", 15), ("g5_regression", 15), ("g5_12_regression", 15), ("g5_12_60", 25)):
        cfg = compose(f"experiment=clocks/{name}")
        assert (cfg.data.copies, cfg.data.batch_size, list(cfg.data.split)) == (copies, 128, [60, 20, 20])
        assert (cfg.model.net.name, cfg.model.optimizer.lr, cfg.callbacks.early_stopping.patience) == ("vgg16", 1e-2, 9)
        assert list(cfg.data.augment.zoom) == [0.9, 1.1] and cfg.data.augment.rotation == 180
        assert (cfg.data.augment.shear, cfg.data.augment.noise) == (15, 0)
        assert (cfg.model.schedule.patience, cfg.model.schedule.factor, cfg.trainer.max_epochs) == (3, 0.1, 30)


def test_presets_of_one_lesson_take_as_many_steps():
    steps = set()
    for name in ("augment_x1", "augment_x10", "augment_fresh"):
        cfg = compose(f"experiment=clocks/{name}")
        steps.add(cfg.trainer.max_epochs * cfg.data.copies * cfg.data.count * cfg.data.split[0] // 100)
    assert len(steps) == 1
    assert sum(name.startswith("clocks/augment_") for name in choices("experiment")) == 3


def test_capacity_is_one_number():
    def parameters(width):
        return build_model(compose("experiment=clocks/capacity", f"model.width={width}"), TASK).parameter_count()

    assert parameters(1) < 600 and parameters(128) > 8e5


def test_a_row_runs_on_the_courses_own_files(tmp_path):
    """What the preset says of rendered images alone does not prevent it."""
    import numpy as np

    minutes = np.arange(720)
    np.save(tmp_path / "images.npy", np.random.default_rng(0).integers(0, 255, (720, 40, 40), np.uint8))
    np.save(tmp_path / "labels.npy", np.stack([minutes // 60, minutes % 60], 1))
    words = ["experiment=clocks/g4", "data=clocks_course", f"data.path={tmp_path}", "debug=fast", "trainer=cpu"]
    with pytest.raises(UserError, match="clocks_course has a fixed set: use data=clocks"):
        build_data(compose(*words, "data/scene=free"))
    result = run(compose(*words, "data.size=40", *PINNED, "plots=false"), folder=tmp_path / "out")
    assert "val/loss" not in result["metrics"] and result["metrics"]["test/error_minutes"] > 0
    assert not result["rendered"]


def test_copies_are_trained_on(data_dir):
    cfg = compose("experiment=clocks/augment_x10", "data.count=120", "data.size=32", "data.batch_size=32")
    data = build_data(cfg)
    data.setup()
    assert len(data.arrays["train"][0]) == 96  # made when they are trained with, so that a test does without
    assert len(data.train_dataloader()) == 960 // 32 and len(data.arrays["train"][0]) == 10 * 96


def test_the_penalty_is_trained_with_but_not_tested_with():
    model = build_model(compose("experiment=clocks/g4"), TASK).eval()
    images, labels = torch.zeros(2, 75, 75, dtype=torch.uint8), torch.tensor([[1, 10], [2, 20]])
    with torch.no_grad():
        extra = model.training_loss(images, labels) - model.loss(model(images), labels)
        torch.testing.assert_close(extra, 0.01 * model.net.stacks[0][0].weight.square().sum())
