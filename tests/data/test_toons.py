"""The toons data set: rendered once a setting, labelled, refused in one sentence."""

import numpy as np
import pytest
import torch

from dlcourse.data.task import Task
from dlcourse.data.toons import Toons
from dlcourse.errors import UserError


def toons(data_dir, **more):
    return Toons(str(data_dir), **{"count": 40, "validation": 8, "test": 12, "size": 32, "batch_size": 10} | more)


def test_splits_are_rendered_once_and_read_again(data_dir):
    data = toons(data_dir)
    data.prepare_data()
    written = data.path.stat().st_mtime_ns
    data.setup()
    shapes = {split: (*x.shape, *y.shape) for split, (x, y) in data.arrays.items()}
    factors = len(data.task.factors)
    assert shapes == {split: (n, 32, 32, 3, n, factors) for split, n in (("train", 40), ("val", 8), ("test", 12))}
    again = toons(data_dir)
    again.setup()
    assert data.path.stat().st_mtime_ns == written
    for split, (x, y) in again.arrays.items():
        assert torch.equal(x, data.arrays[split][0]) and torch.equal(y, data.arrays[split][1])
        assert y.dtype == torch.float32 and y.min() >= 0 and y.max() <= 1
    assert data.rendered


def test_the_task_names_the_factors_and_survives_a_checkpoint(data_dir):
    data = toons(data_dir)
    data.setup()
    task = data.task
    assert (task.kind, task.in_shape) == ("pictures", (3, 32, 32))
    assert len(task.mean) == len(task.std) == 3 and min(task.std) > 20
    assert len(task.factors) == len(task.categories) and {"hair", "turn", "smile"} <= set(task.factors)
    assert Task.from_dict(task.to_dict()) == task
    x, y = next(iter(data.train_dataloader()))
    assert x.shape == (10, 32, 32, 3) and y.shape == (10, len(task.factors))


def test_no_two_settings_share_a_file_and_splits_do_not_depend_on_each_other(data_dir, monkeypatch):
    settings = [
        {},
        {"size": 33},
        {"count": 41},
        {"validation": 9},
        {"test": 13},
        {"scene_seed": 1},
        {"style": "simple"},
    ]
    paths = {toons(data_dir, **more).path for more in settings}
    monkeypatch.setattr("dlcourse.data.toons.RENDERER_VERSION", 0)
    assert len(paths | {toons(data_dir).path}) == len(settings) + 1
    monkeypatch.undo()
    data, more = toons(data_dir), toons(data_dir, count=41)
    data.setup()
    more.setup()
    assert torch.equal(data.arrays["test"][0], more.arrays["test"][0])
    assert torch.equal(data.arrays["train"][0], more.arrays["train"][0][:40])
    images = torch.cat([x for x, _ in data.arrays.values()]).flatten(1)
    assert len(torch.unique(images, dim=0)) == len(images)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"count": 0}, "data.count=0 is below 1"),
        ({"count": -5}, "data.count=-5 is below 1"),
        ({"validation": 0}, "data.validation=0 is below 1"),
        ({"test": -1}, "data.test=-1 is below 1"),
        ({"size": 7}, "data.size=7 is out of range: use 16 to 1024"),
        ({"size": -64}, "data.size=-64 is out of range"),
        ({"style": "flat"}, "data.style=flat is unknown: use full or simple"),
        ({"batch_size": 0}, "data.batch_size=0 is below 1"),
    ],
)
def test_bad_options_are_refused(data_dir, options, words):
    with pytest.raises(UserError, match=words):
        toons(data_dir, **options)


def test_a_file_that_holds_something_else_is_refused(tmp_path):
    data = toons(tmp_path)
    np.savez(data.path, train_x=np.zeros((3, 32, 32, 3), np.uint8), train_y=np.zeros((3, 2), np.float32))
    with pytest.raises(UserError, match="does not contain the expected arrays: move it away"):
        data.setup()
