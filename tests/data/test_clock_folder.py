"""A user's own photographs of clocks: the time in the file name or in a CSV file."""

import csv
import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dlcourse.data.clock_folder import ClockFolder
from dlcourse.data.clock_names import time_in
from dlcourse.errors import UserError
from tests.conftest import NET, PINNED

NAMES = ("10-09_a.jpg", "clock_1010_x.png", "10h30.webp", "sub/1_50.png", "12-00 noon.png", "23.15.png")
MINUTES = (609, 610, 630, 110, 0, 675)


def write_clocks(root: Path, names=NAMES) -> Path:
    """Photographs of one colour each; the grey level encodes the time."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        level = (time_in(Path(name).stem) or 0) // 3
        Image.new("RGB", (40, 30), (level, level, level)).save(root / name, quality=95)
    return root


def loaded(path: Path, tmp_path: Path, whole: bool = False, **options) -> ClockFolder:
    data = ClockFolder("clock_folder", str(tmp_path / "cache"), str(path), **{"size": 16} | options)
    data.whole = whole
    data.prepare_data()
    data.setup()
    return data


@pytest.mark.parametrize(
    ("name", "minutes"),
    [
        *[("10-09", 609), ("10h09", 609), ("10:09:30", 609), ("10 09", 609), ("1009", 609), ("0-05 dial", 5)],
        *[("clock_1009_x", 609), ("clock-10-09-2", 609), ("my clock 22.09", 609), ("12-00", 0), ("00_00", 0)],
        *[("01-55_analogue_1_55_clock_1029", 115), ("09-20_analogue_9_20_clock_3698", 560)],
        *[("03-07_clockreader_clock1_rotated", 187), ("1_50_clock_0", 110), ("2024-10-09_10-15", 615)],
        *[
            ("invalid_clockbench_white_5", None),
            ("2024-10-09", None),
            ("20241009_101530", None),
            ("24-00", None),
        ],
        *[("IMG_1234", None), ("DSC_0123", None), ("dscf2130", None), ("IMG_1234 10-09", 609)],
        *[("IMG_1234 (1)", None), ("IMG_1015-edited", None), ("DSC_0712~2", None)],
        *[("10-60", None), ("a 10-09 b 11-10", None), ("clock", None), ("IMG_20240101", None), ("10-9", None)],
    ],
)
def test_a_name_tells_one_time(name, minutes):
    assert time_in(name) == minutes


@pytest.mark.parametrize("pad", [False, True])
def test_a_model_prepares_photographs_as_its_training_images_were(tmp_path, pad):
    assert loaded(write_clocks(tmp_path / "own"), tmp_path, whole=True, pad=pad).task.pad == pad


def test_a_folder_is_split_and_its_other_files_are_named(tmp_path, caplog):
    root = write_clocks(tmp_path / "own", [*NAMES, "invalid.png"])
    (root / "10-10 broken.png").write_bytes(b"no image")
    with caplog.at_level(logging.WARNING):
        data = loaded(root, tmp_path, validation=1, test=2)
    assert "names do not contain exactly one time: invalid.png" in caplog.text and "10-10 broken.png" in caplog.text
    assert {split: len(x) for split, (x, _) in data.arrays.items()} == {"train": 3, "val": 1, "test": 2}
    found = sorted((60 * y[0] + y[1]).item() for _, labels in data.arrays.values() for y in labels)
    assert found == sorted(MINUTES) and data.task.kind == "time" and data.task.in_shape == (1, 16, 16)
    for images, labels in data.arrays.values():
        assert ((images[:, 8, 8] - (60 * labels[:, 0] + labels[:, 1]) // 3).abs() <= 2).all()
    everything = loaded(root, tmp_path, whole=True)
    assert len(everything.arrays["test"][0]) == 6 and "val" not in everything.arrays
    folds = [loaded(root, tmp_path, folds=3, fold=k, validation=0).arrays["test"][1] for k in range(3)]
    assert sorted((torch.cat(folds) @ torch.tensor([60, 1])).tolist()) == sorted(MINUTES)


def test_a_csv_names_times_and_a_changed_file_is_noticed(tmp_path):
    root = write_clocks(tmp_path / "own", ["a.png", "b.png", "c.png", "d.png"])
    table = root / "times.csv"
    rows = [("file", "time", "split"), ("a.png", "10:09", ""), ("b.png", "1:50", "test"), ("c.png", "0105", "val")]
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([*rows, ("d.png", "12:00:30", "train")])
    data = loaded(table, tmp_path)
    assert data.arrays["test"][1].tolist() == [[1, 50]] and data.arrays["val"][1].tolist() == [[1, 5]]
    assert data.arrays["train"][1].tolist() == [[10, 9], [0, 0]]
    assert loaded(table, tmp_path, whole=True).arrays["test"][1].tolist() == [[1, 50]]
    stamp = data.stamp()
    Image.new("L", (90, 90), 255).save(root / "b.png")
    data = ClockFolder("clock_folder", str(tmp_path / "cache"), str(table), size=16)
    assert data.stamp() != stamp
    data.setup()
    assert (data.arrays["test"][0] == 255).all()


@pytest.mark.parametrize(
    ("names", "table", "words"),
    [
        ([], None, "not found: give a folder of photographs"),
        (["a.png"], None, "does not contain a file with a time in its name: name the files like 10-09.jpg"),
        (["10-09.png", "10-10.png"], None, "has 2 photographs with a time: three splits need 3"),
        (["a.png"], "file,time\na.png,25:00\n", "row 2 has the unknown time '25:00': write hour:minute"),
        (["a.png"], "file,time\na.png,\n", "row 2 lacks a time"),
        (["a.png"], "file,label\na.png,1\n", "does not begin with the columns file,time"),
    ],
)
def test_a_wrong_folder_or_csv_gets_a_sentence(tmp_path, names, table, words):
    path = write_clocks(tmp_path / "own", names)
    if table is not None:
        path = path / "times.csv"
        path.write_text(table)
    with pytest.raises(UserError, match=words):
        loaded(path, tmp_path)


def test_unreadable_photographs_are_an_error_where_none_is_left(tmp_path):
    (tmp_path / "10-09.png").write_bytes(b"no image")
    with pytest.raises(UserError, match="does not contain an image that can be decoded"):
        loaded(tmp_path, tmp_path)


def test_a_reader_is_trained_on_photographs_and_tested_on_others(command, tmp_path):
    draws = np.random.default_rng(0)
    root, others = tmp_path / "own", tmp_path / "others"
    for folder, count in ((root, 12), (others, 4)):
        folder.mkdir()
        for i in range(count):
            pixels = draws.integers(0, 255, (30, 40), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{i % 12:02d}-{5 * i:02d}.png")
    words = ["model=clock_cyclic", "data=clock_folder", f"data.path={root}", "data.size=16", "trainer=cpu", *NET]
    words += [*PINNED, "trainer.max_epochs=1", "plots=false"]
    code, _, err = command("train", *words, f"hydra.run.dir={tmp_path / 'run'}")
    assert code == 0, err
    again = ["evaluate", f"run={tmp_path / 'run'}", "data=clock_folder", "data.size=16", "trainer=cpu", "plots=false"]
    for path, count in ((root, 2), (others, 4)):  # the test split of what it was trained on, all of the others
        code, _, err = command(*again, f"data.path={path}", f"hydra.run.dir={tmp_path / path.name / 'answers'}")
        assert code == 0, err
        result = json.loads((tmp_path / path.name / "answers" / "result.json").read_text())
        assert result["data"] == "clock_folder" and result["references"] == [] and not result["rendered"]
        assert result["samples"] == count
