"""Clock data: balanced, cached, reproducible; the course's files are checked."""

import logging

import numpy as np
import pytest
import torch

from dlcourse.clocks.course import CourseRanges
from dlcourse.data.augment import Augment
from dlcourse.data.clocks import Clocks
from dlcourse.data.clocks_course import ClocksCourse
from dlcourse.errors import UserError


def clocks(data_dir, **more):
    return Clocks(str(data_dir), **{"count": 720, "size": 32, "fresh": False, "batch_size": 20} | more)


def test_splits_are_balanced_disjoint_and_cached(data_dir):
    data = clocks(data_dir)
    data.prepare_data()
    written = data.path.stat().st_mtime_ns
    data.setup()
    assert {split: len(x) for split, (x, _) in data.arrays.items()} == {"train": 576, "val": 72, "test": 72}
    minutes = torch.cat([y[:, 0] * 60 + y[:, 1] for _, y in data.arrays.values()])
    assert sorted(minutes.tolist()) == list(range(720))
    again = clocks(data_dir)
    again.setup()
    assert torch.equal(again.arrays["test"][0], data.arrays["test"][0])
    assert data.path.stat().st_mtime_ns == written
    assert data.task.in_shape == (1, 32, 32) and 60 < data.task.mean < 200 and data.task.std > 20


def test_another_setting_has_another_file_but_fresh_keeps_the_test_pictures(data_dir):
    fixed, fresh = clocks(data_dir), clocks(data_dir, fresh=True)
    assert (
        len({fixed.path, fresh.path, clocks(data_dir, size=33).path, clocks(data_dir, scene={"tilt": [0, 5]}).path})
        == 4
    )
    fixed.setup()
    fresh.setup()
    assert torch.equal(fixed.arrays["test"][0], fresh.arrays["test"][0])


def test_large_epochs_are_rendered_by_compiled_code_and_the_stored_pictures_by_torch(data_dir):
    assert Clocks(str(data_dir)).compiled
    small, compiled = (clocks(data_dir, fresh=True, compiled=choice) for choice in ("auto", True))
    assert not small.compiled and small.path == compiled.path
    for data in (small, compiled):
        data.setup()
    first, second = (torch.cat([x.int() for x, _ in data.train_dataloader()]) for data in (small, compiled))
    assert int((first - second).abs().max()) == 1  # not bit for bit: a grey level in a few pixels


def test_fresh_pictures_are_new_each_step_and_the_same_for_a_seed(data_dir):
    data = clocks(data_dir, fresh=True)
    data.setup()
    first, again = list(data.train_dataloader()), list(data.train_dataloader())
    assert len(first) == 576 // 20
    images = torch.cat([x for x, _ in first])
    assert len(torch.unique(images.flatten(1), dim=0)) == len(images)
    assert torch.equal(images, torch.cat([x for x, _ in again]))
    other = clocks(data_dir, fresh=True, seed=1)
    other.setup()
    assert not torch.equal(next(iter(other.train_dataloader()))[0], first[0][0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"count": 5}, "data.count=5 is too small"),
        ({"split_by": "hour"}, "data.split_by=hour is unknown: use random, viewpoint, minute"),
        ({"split_by": "viewpoint"}, "data.split_by=viewpoint needs viewpoints that repeat.*data/scene=course"),
        ({"split_by": "minute", "fresh": True}, "data.split_by=minute requires a fixed training set"),
        ({"size": 2}, "data.size=2 is out of range"),
        ({"batch_size": 0}, "data.batch_size=0 is below 1"),
        ({"scene": {"tlt": [0, 1]}}, "data.scene.*tlt"),
        ({"scene": {"tilt": [20, 10]}}, "data.scene.*tilt"),
        ({"copies": 0}, "data.copies=0 is not a positive whole number"),
        ({"copies": 2, "augment": Augment()}, "add data/augment=clocks"),
        ({"copies": 2, "fresh": True, "augment": Augment(noise=1)}, "add data.fresh=false"),
    ],
)
def test_bad_options_are_refused(data_dir, options, words):
    with pytest.raises(UserError, match=words):
        clocks(data_dir, **options)


def test_files_of_earlier_versions_keep_their_names(data_dir):
    names = [Clocks(str(data_dir), **more).path.name for more in ({}, {"fresh": False}, {"scene": {"kind": "any"}})]
    assert names == ["clocks-5ca6d33930c5.npz", "clocks-3e792000f1f4.npz", "clocks-d820c461d4bf.npz"]


@pytest.mark.parametrize("by", ["minute", "viewpoint"])
def test_a_split_has_all_images_of_a_group_or_none(data_dir, by):
    data = clocks(data_dir, count=1440, scene={"kind": "course"}, split_by=by)
    groups = {
        split: set((minutes if by == "minute" else CourseRanges.viewpoint_of(scene.factors)).tolist())
        for split, (scene, minutes) in data.scenes().items()
    }
    assert sum(map(len, groups.values())) == len(set.union(*groups.values())) == {"minute": 720, "viewpoint": 30}[by]
    assert all(groups.values()) and sum(len(minutes) for _, minutes in data.scenes().values()) == 1440
    assert data.path != clocks(data_dir, count=1440, scene={"kind": "course"}).path


def test_a_batch_larger_than_the_set_is_refused(data_dir):
    data = clocks(data_dir, batch_size=1000)
    data.setup()
    with pytest.raises(UserError, match="larger than the 576 training images"):
        data.train_dataloader()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="is not writable.*data_dir"):
        clocks(tmp_path / "file" / "data").prepare_data()


def test_a_damaged_cache_is_named(tmp_path):
    data = clocks(tmp_path)
    data.path.write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(UserError, match="move it away"):
        data.setup()


def course(folder, images=None, labels=None, size=None):
    np.save(folder / "images.npy", np.zeros((100, 20, 20), np.uint8) if images is None else images)
    minutes = np.arange(100)
    np.save(folder / "labels.npy", np.stack([minutes // 60, minutes % 60], 1) if labels is None else labels)
    return ClocksCourse(str(folder), size)


def test_course_files_of_the_right_shape_give_a_warning(tmp_path, caplog):
    data = course(tmp_path)
    with caplog.at_level(logging.WARNING):
        data.setup()
    assert "images.npy differs from the course's file" in caplog.text
    assert {split: len(x) for split, (x, _) in data.arrays.items()} == {"train": 80, "val": 10, "test": 10}


def test_course_files_are_resized_without_aliases(tmp_path):
    stripes = np.zeros((100, 48, 48), np.uint8)
    stripes[:, :, ::2] = 200
    data = course(tmp_path, stripes, size=16)
    data.setup()
    images, _ = data.arrays["test"]
    assert data.task.in_shape == (1, 16, 16) and images.dtype == torch.uint8
    assert (images[:, :, 2:-2].float() - 100).abs().max() < 30
    data = course(tmp_path, np.repeat(stripes[..., None], 3, 3), size=16)
    data.setup()
    assert torch.equal(data.arrays["test"][0], images[..., None].expand(-1, -1, -1, 3))
    with pytest.raises(UserError, match="data.size=2 is out of range"):
        course(tmp_path, size=2)
    with pytest.raises(UserError, match="data.fresh=true renders new images"):
        ClocksCourse(str(tmp_path), fresh=True)


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (None, np.full((100, 2), 12), "the hour must be 0 to 11 and the minute 0 to 59"),
        (None, np.full((100, 2), -1), "the hour must be 0 to 11"),
        (None, np.zeros((99, 2), int), "100 images but 99 labels"),
        (None, np.zeros((100, 3), int), "labels must be whole numbers"),
        (None, np.zeros((100, 2)), "labels must be whole numbers"),
        (np.zeros((100, 20, 20)), None, "images must be uint8"),
        (np.zeros((100, 20, 21), np.uint8), None, "images must be uint8"),
        (np.array([None] * 100), None, "could not be read as .npy"),
    ],
)
def test_wrong_course_files_are_refused(tmp_path, images, labels, words):
    with pytest.raises(UserError, match=words):
        course(tmp_path, images, labels).setup()


def test_missing_course_files_are_named(tmp_path):
    with pytest.raises(UserError, match="images.npy not found"):
        ClocksCourse(str(tmp_path)).setup()
    with pytest.raises(UserError, match="set data.path to the folder"):
        ClocksCourse(None).setup()


def test_a_split_without_validation_tests_the_rest(data_dir):
    data = clocks(data_dir, split=[80, 0, 20])
    data.setup()
    assert {split: len(x) for split, (x, _) in data.arrays.items()} == {"train": 576, "test": 144}
    with pytest.raises(UserError, match=r"data.split=\[80, 20\] is not three percentages"):
        clocks(data_dir, split=[80, 20])


def test_copies_enlarge_the_training_set_once_and_for_all(data_dir):
    data = clocks(data_dir, copies=3, augment=Augment(rotation=180), seed=5)
    data.setup()
    assert len(data.arrays["train"][0]) == 576  # a test does without them
    data.train_dataloader()
    data.setup()  # as Lightning does for each stage
    data.train_dataloader()
    plain = clocks(data_dir)
    plain.setup()
    x, y = data.arrays["train"]
    assert len(x) == len(y) == 3 * 576 and torch.equal(y[:576], y[-576:])
    assert torch.equal(x[:576], plain.arrays["train"][0]) and len(torch.unique(x.flatten(1), dim=0)) == len(x)
    first, again = (torch.cat([b for b, _ in data.split_dataloader("train")]) for _ in range(2))
    assert torch.equal(first, again) and torch.equal(first, plain.arrays["train"][0])  # without the copies
    assert data.augment is None
    assert torch.equal(data.arrays["test"][0], plain.arrays["test"][0])
