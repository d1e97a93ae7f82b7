"""The clock presets are what their headers say."""

from dataclasses import replace

import pytest

from dlcourse.commands.train import run
from dlcourse.config import choices, compose
from dlcourse.data.task import Task
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


def test_every_preset_makes_a_model():
    for name in choices("experiment"):
        if name.startswith("clocks/") and name != "clocks/g5_packaged":  # whose net is in an extra
            task = replace(TASK, in_shape=(3, 75, 75)) if name == "clocks/any" else TASK
            assert build_model(compose(f"experiment={name}"), task).parameter_count() > 0, name


@pytest.mark.parametrize(
    ("preset", "outputs", "hidden"),
    [
        ("g1", (1,), [[128, 128]]),
        ("g3_48", (48,), [[128, 128]]),
        ("g4", (12, 1), [[256, 128], [128, 128]]),
    ],
)
def test_the_first_projects_net_is_as_described(preset, outputs, hidden):
    cfg = compose(f"experiment=clocks/{preset}")
    assert cfg.trainer.max_epochs == 60 and cfg.data.split == [80, 0, 20] and not cfg.data.fresh
    assert cfg.model.optimizer._target_ == "torch.optim.RMSprop"
    model = build_model(cfg, TASK)
    assert model.encoding.outputs == outputs
    stacks = [[layer.out_features for layer in stack if hasattr(layer, "out_features")] for stack in model.net.stacks]
    assert stacks == hidden


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
    """What the preset says of rendered pictures alone does not hinder it."""
    import numpy as np

    minutes = np.arange(720)
    np.save(tmp_path / "images.npy", np.random.default_rng(0).integers(0, 255, (720, 40, 40), np.uint8))
    np.save(tmp_path / "labels.npy", np.stack([minutes // 60, minutes % 60], 1))
    words = ["experiment=clocks/g4", "data=clocks_course", f"data.path={tmp_path}", "debug=fast", "trainer=cpu"]
    result = run(compose(*words, *PINNED, "plots=false"), folder=tmp_path / "out")
    assert "val/loss" not in result["metrics"] and result["metrics"]["test/error_minutes"] > 0
    assert not result["rendered"]


def test_copies_are_trained_on(data_dir):
    cfg = compose("experiment=clocks/augment_x10", "data.count=120", "data.size=32", "data.batch_size=32")
    data = build_data(cfg)
    data.setup()
    assert len(data.arrays["train"][0]) == 96  # made when they are trained with, so that a test does without
    assert len(data.train_dataloader()) == 960 // 32 and len(data.arrays["train"][0]) == 10 * 96
