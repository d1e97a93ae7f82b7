"""Labelled images of one's own: class folders and CSV files, their splits, and one sentence for each mistake."""

import csv
import logging
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dlcourse.data import folder as module
from dlcourse.data.folder import ImageFolder
from dlcourse.errors import UserError

CLASSES = {"1": 60, "10": 220, "2": 140}  # name: brightness


def write_classes(root: Path, count: int = 20, classes=CLASSES, colour: bool = False) -> Path:
    """Small images in one folder for each class, whose brightness tells the class."""
    draws = np.random.default_rng(0)
    for name, level in classes.items():
        (root / name).mkdir(parents=True)
        for i in range(count):
            shape = (12 + i % 3, 16, 3) if colour else (12 + i % 3, 16)
            image = Image.fromarray((draws.integers(-20, 20, shape) + level).astype(np.uint8))
            image.save(root / name / f"{i}.{('png', 'jpg', 'webp')[i % 3]}")
    return root


def make(path, tmp_path, **options) -> ImageFolder:
    return ImageFolder("folder", str(tmp_path / "cache"), str(path), **{"size": 16} | options)


def loaded(path, tmp_path, **options) -> ImageFolder:
    data = make(path, tmp_path, **options)
    data.prepare_data()
    data.setup()
    return data


@pytest.fixture
def own(tmp_path) -> Path:
    return write_classes(tmp_path / "own")


def test_class_folders_are_split_by_class_and_kept(own, tmp_path, monkeypatch):
    data = loaded(own, tmp_path)
    assert data.task.classes == ("1", "2", "10") and data.task.in_shape == (1, 16, 16)
    assert {s: len(x) for s, (x, _) in data.arrays.items()} == {"train": 42, "val": 9, "test": 9}
    assert data.task.class_counts == (14, 14, 14) and not data.is_published
    for x, y in data.arrays.values():
        assert torch.bincount(y).unique().numel() == 1
        assert len(set(y[: len(y) // 2].tolist())) > 1  # not sorted by class: the first images are a sample
        brightness = torch.tensor([60.0, 140.0, 220.0])
        assert ((x.float().mean((1, 2)) - brightness[y]).abs() < 25).all()
    monkeypatch.setattr(module, "decode", lambda *_: pytest.fail("decoded again"))
    again = loaded(own, tmp_path)
    assert all(torch.equal(again.arrays[s][0], data.arrays[s][0]) for s in data.arrays)
    other = loaded(own, tmp_path, split_seed=1)
    assert not torch.equal(other.arrays["test"][0], data.arrays["test"][0])
    (own / "2" / "0.png").touch()
    os.utime(own / "2" / "0.png", (1, 1))
    with pytest.raises(pytest.fail.Exception, match="decoded again"):
        loaded(own, tmp_path)


def test_a_class_may_be_called_train(tmp_path):
    write_classes(tmp_path / "own")
    (tmp_path / "own" / "2").rename(tmp_path / "own" / "train")
    assert "train" in loaded(tmp_path / "own", tmp_path).task.classes


def test_given_splits_are_used_and_the_rest_reported(tmp_path, caplog):
    root = tmp_path / "own"
    write_classes(root / "train"), write_classes(root / "valid", 4), write_classes(root / "test", 3)
    (root / "notes.txt").touch(), (root / "train" / "list.csv").touch(), (root / "other").mkdir()
    (root / "train" / "2" / "more").mkdir()
    (root / "train" / "2" / "0.png").rename(root / "train" / "2" / "more" / "0.png")
    (root / "test" / "1" / "broken.png").write_bytes(b"no image")
    with caplog.at_level(logging.WARNING):
        data = loaded(root, tmp_path)
    assert {s: len(x) for s, (x, _) in data.arrays.items()} == {"train": 60, "val": 12, "test": 9}
    text = caplog.text
    assert "not split folders: other" in text and "not in a split folder: notes.txt" in text
    assert "not in a class folder: train/list.csv" in text and "belong to the class '2': train/2/more" in text
    assert "skipped" in text and "test/1/broken.png: image could not be decoded" in text


def test_colour_is_kept_where_an_image_has_it(own, tmp_path):
    Image.new("RGB", (20, 20), (255, 0, 0)).save(own / "1" / "red.png")
    assert loaded(own, tmp_path).task.in_shape == (3, 16, 16)
    assert loaded(own, tmp_path, colour="grey").task.in_shape == (1, 16, 16)
    (own / "1" / "red.png").unlink()
    assert loaded(own, tmp_path, colour="colour").task.in_shape == (3, 16, 16)


def write_csv(own: Path, rows=None, header=("file", "label", "split")) -> Path:
    rows = rows or [(f"{p.parent.name}\\{p.name}", f"class {p.parent.name}", "") for p in sorted(own.glob("*/*.*"))]
    path = own / "labels.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_a_csv_names_files_labels_and_splits(own, tmp_path, caplog):
    rows = [(p.relative_to(own), f"class {p.parent.name}", "Test" if p.stem in "01" else "") for p in own.glob("*/*.*")]
    rows.pop()
    data = loaded(write_csv(own, rows), tmp_path)
    assert data.task.classes == ("class 1", "class 10", "class 2")
    assert len(data.arrays["test"][0]) in (5, 6) and len(data.arrays["val"][0]) == 9
    assert "the CSV gives them no label" in caplog.text
    assert len(loaded(write_csv(own), tmp_path).arrays["train"][0]) == 42  # backslashes of Windows


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_csv_of_a_spreadsheet_on_windows(own, tmp_path, separator):
    path = write_csv(own)
    text = path.read_text("utf-8-sig").replace("class 1,", "Käfer,").replace(",", separator)
    path.write_bytes(text.encode("cp1252"))
    assert loaded(path, tmp_path).task.classes == ("Käfer", "class 10", "class 2")


def edit(own, make_rows):
    rows = [[p.relative_to(own), p.parent.name, ""] for p in sorted(own.glob("*/*.*"))]
    return write_csv(own, make_rows(rows))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (lambda r: [*r, ["lost.png", "1", ""]], "1 of 61 files not found, first lost.png in row 62"),
        (lambda r: [[r[0][0], "", ""], *r[1:]], "row 2 lacks a label"),
        (lambda r: [*r, r[0]], "rows 2 and 62 name the same file"),
        (lambda r: [[r[0][0], "1", "exam"], *r[1:]], "unknown split 'exam': use train, val or test"),
        (lambda r: [[file, "one", ""] for file, *_ in r], "has one class, 'one'"),
    ],
)
def test_a_wrong_csv_gets_a_sentence(own, tmp_path, rows, words):
    with pytest.raises(UserError, match=words):
        loaded(edit(own, rows), tmp_path)


def test_files_that_are_no_csv_and_folders_of_another_level_are_told_apart(tmp_path):
    for name, said in (("a.zip", "unpack it"), ("a.npz", "use data=arrays"), ("a.png", "give the folder")):
        (tmp_path / name).touch()
        with pytest.raises(UserError, match=f"{name} is not a CSV file: {said}"):
            loaded(tmp_path / name, tmp_path)
    write_classes(tmp_path / "wrapped" / "pets")
    with pytest.raises(UserError, match="has one class, 'pets': .* or set data.path=.*pets"):
        loaded(tmp_path / "wrapped", tmp_path)
    write_classes(tmp_path / "kaggle" / "training_set"), write_classes(tmp_path / "kaggle" / "test_set", 4)
    with pytest.raises(UserError, match="test_set, training_set .* call them train, val and test"):
        loaded(tmp_path / "kaggle", tmp_path)
    write_classes(tmp_path / "years" / "cat"), write_classes(tmp_path / "years" / "dog")  # folders within classes
    assert loaded(tmp_path / "years", tmp_path).task.classes == ("cat", "dog")


def test_a_csv_without_columns_is_refused(own, tmp_path):
    with pytest.raises(UserError, match="does not begin with the columns file,label"):
        loaded(write_csv(own, header=("a", "b", "c")), tmp_path)


def _empty(root):
    (root / "3").mkdir()


def _one(root):
    (root / "3").mkdir()
    Image.new("L", (9, 9)).save(root / "3" / "a.png")


def _same(root):
    write_classes(root, 3, {"Cat": 3, "cat": 9})


def _broken(root):
    (root / "3").mkdir()
    (root / "3" / "a.png").write_bytes(b"no image")


def _pixels(root):
    (root / "3").mkdir()
    Image.new("L", (1, 1)).save(root / "3" / "a.png")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_empty, "class folder .*3 is empty: add images"),
        (_one, "the class '3' has too few images to split: give 3 or more"),
        (_same, "has the classes 'Cat' and 'cat': give them one name"),
        (_broken, "the class '3' does not contain an image that can be decoded"),
        (_pixels, "the class '3' does not contain an image that can be decoded"),
    ],
)
def test_wrong_folders_get_a_sentence(own, tmp_path, spoil, words):
    spoil(own)
    with pytest.raises(UserError, match=words):
        loaded(own, tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 1}, "data.size=1 is out of range"),
        ({"colour": "blue"}, "data.colour=blue is unknown: use auto, grey, colour"),
        ({"validation": -1}, "data.validation=-1 is neither"),
        ({"test": 0}, "data.test=0 leaves the test split empty"),
        ({"test": 60}, "leave none of 60"),
        ({"fold": 1}, "requires the number of folds"),
        ({"folds": 5}, "data.fold=None is not one of 5 folds: use 0 to 4"),
        ({"folds": 5, "fold": 5}, "data.fold=5 is not one of 5 folds"),
        ({"folds": 1, "fold": 0}, "data.folds=1 is not a number of folds"),
        ({"folds": 21, "fold": 0}, "data.folds=21 needs 21 images of each class, but '1' has 20"),
    ],
)
def test_wrong_options_get_a_sentence(own, tmp_path, options, words):
    with pytest.raises(UserError, match=words):
        loaded(own, tmp_path, **options)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "not found: give a folder with one folder of images for each class"),
        ([], "does not contain class folders"),
        (["labels.csv"], "or set data.path=.*labels.csv"),
        (["labels.csv", "images/1.png"], "has one class, 'images': .*, or set data.path=.*labels.csv"),
    ],
)
def test_other_folders_are_refused(tmp_path, content, words):
    for name in content or []:
        (tmp_path / "x" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "x" / name).touch()
    if content == []:
        (tmp_path / "x").mkdir()
    with pytest.raises(UserError, match=words):
        loaded(tmp_path / "x", tmp_path)
    with pytest.raises(UserError, match="data=folder needs your images: set data.path"):
        ImageFolder("folder", str(tmp_path))


def test_folds_cover_each_image_once(own, tmp_path):
    parts = [loaded(own, tmp_path, folds=4, fold=k, validation=0).arrays for k in range(4)]
    assert all(torch.bincount(part["test"][1]).tolist() == [5, 5, 5] and "val" not in part for part in parts)
    whole = torch.cat([part["test"][0] for part in parts]).flatten(1)
    assert len(torch.unique(whole, dim=0)) == 60


def test_balanced_batches_draw_each_class_equally_often(tmp_path):
    root = write_classes(tmp_path / "own", 40, {"many": 200})
    write_classes(root, 8, {"few": 40})
    data = loaded(root, tmp_path, balance=True, batch_size=500)
    labels = torch.cat([y for _ in range(20) for _, y in data.train_dataloader()])
    assert data.batch_size == len(data.arrays["train"][0])  # a batch is at most the training set
    assert 0.4 < labels.float().mean() < 0.6
