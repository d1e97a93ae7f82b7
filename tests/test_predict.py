"""Predictions for a user's own images of any size, colour and orientation."""

import csv
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from dlcourse.clocks.encodings import Classification
from dlcourse.commands.predict import predict
from dlcourse.data.image_files import read_picture
from dlcourse.errors import UserError
from dlcourse.models.clock import ClockReader


def picture(path, mode="L", size=(60, 80), **save):
    shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], len(mode))
    array = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    Image.fromarray(array, mode if mode != "L" else None).save(path, **save)
    return path


def test_a_folder_of_different_images(run_folder, tmp_path, capsys):
    source = tmp_path / "photos"
    source.mkdir()
    picture(source / "grey.png")
    picture(source / "colour.jpg", "RGB", (300, 200))
    picture(source / "transparent.png", "RGBA")
    (source / "notes.txt").write_text("no picture")
    (source / ".hidden").write_text("")
    rows = predict(run_folder, source, tmp_path / "answers")
    said = capsys.readouterr().out
    assert [Path(row["file"]).name for row in rows] == ["colour.jpg", "grey.png", "transparent.png"]
    assert "skipped notes.txt" in said and "runner_up" in said
    for row in rows:
        hour, minute = row["time"].split(":")
        assert 1 <= int(hour) <= 12 and 0 <= int(minute) <= 59 and 0 <= row["confidence"] <= 1
        assert row["runner_up"] != row["time"]
    table = csv.DictReader((tmp_path / "answers" / "predictions.csv").read_text().splitlines())
    assert [row["time"] for row in table] == [row["time"] for row in rows]
    assert (tmp_path / "answers" / "contact_sheet.png").stat().st_size > 1000
    table = list(csv.DictReader((tmp_path / "answers" / "predictions.csv").read_text().splitlines()))
    assert sum(float(table[0][f"p_minute_{m:02d}"]) for m in range(60)) == pytest.approx(1, abs=1e-3)
    with np.load(tmp_path / "answers" / "predictions.npz") as stored:
        assert stored["probabilities"].shape == (3, 720) and stored["embeddings"].shape == (3, 12)
        assert stored["names"].tolist() == [row["time"] for row in rows]
        assert [Path(name).name for name in stored["files"]] == ["colour.jpg", "grey.png", "transparent.png"]


def test_a_large_folder_is_decoded_batch_by_batch(run_folder, tmp_path, monkeypatch, capsys):
    source = tmp_path / "photos"
    source.mkdir()
    draws = np.random.default_rng(0)
    for i in range(7):
        Image.fromarray(draws.integers(0, 255, (40, 40), dtype=np.uint8)).save(source / f"{i}.png")
    (source / "9.png").write_text("the last file is not an image")
    whole = predict(run_folder, source, tmp_path / "whole")
    sizes = []
    monkeypatch.setattr("dlcourse.commands.predict.BATCH", 3)
    monkeypatch.setattr("dlcourse.commands.predict.SHOWN", 4)
    stack = np.stack
    monkeypatch.setattr(np, "stack", lambda images, *more: sizes.append(len(images)) or stack(images, *more))
    assert predict(run_folder, source, tmp_path / "parts") == whole
    assert sizes[:3] == [3, 3, 1] and "skipped 9.png" in capsys.readouterr().out
    assert (tmp_path / "parts" / "contact_sheet.png").exists()


def test_an_encoding_without_distribution_gives_the_time_alone(tiny_run, tmp_path):
    folder = Path(tiny_run("model=clock_cyclic", "plots=false")["folder"])
    rows = predict(folder, picture(tmp_path / "a.png"), tmp_path / "answers")
    assert list(rows[0]) == ["file", "time"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: p / "nothing.png", "not found"),
        (lambda p: p.mkdir() or p, "is an empty folder"),
        (lambda p: p.write_text("words") and p, "image could not be decoded; give a PNG"),
        (
            lambda p: p.mkdir() or ((p / "a.txt").write_text("words") and p),
            "does not contain an image that can be decoded",
        ),
        (
            lambda p: p.write_bytes(picture(p.with_suffix(".png")).read_bytes()[:200]) and p,
            "image could not be decoded; give a PNG",
        ),
    ],
)
def test_files_that_are_not_images_are_named(run_folder, tmp_path, make, words):
    with pytest.raises(UserError, match=words):
        predict(run_folder, make(tmp_path / "input"), tmp_path / "answers")
    assert not (tmp_path / "answers").exists()


def test_images_are_turned_cut_square_and_resized(tmp_path):
    array = np.zeros((100, 200), np.uint8)
    array[:, 150:] = 255  # cut away
    array[:50, 50:150] = 200
    path = tmp_path / "wide.png"
    Image.fromarray(array).save(path)
    read = read_picture(path, (1, 50, 50))
    assert read.shape == (50, 50) and read[5:20].min() > 180 and read[30:].max() < 20
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.fromarray(array).save(path, exif=exif)
    turned = read_picture(path, (1, 50, 50))
    assert np.abs(turned.astype(int) - read[::-1, ::-1]).max() <= 2
    assert read_picture(path, (3, 40, 40)).shape == (40, 40, 3)


def test_sixteen_bits_become_eight(tmp_path):
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((30, 30), 257 * 100, np.uint16)).save(path)
    assert read_picture(path, (1, 10, 10)).tolist() == [[100] * 10] * 10


def test_the_runner_up_of_wide_classes_is_another_class():
    encoding = Classification(24)
    output = torch.zeros(1, 24)
    output[0, 5], output[0, 9] = 4, 2
    model = SimpleNamespace(encoding=encoding)
    answers = ClockReader.predictions(model, output)  # ty: ignore[invalid-argument-type]
    (row,) = ClockReader.format_predictions(model, answers)  # ty: ignore[invalid-argument-type]
    assert row["time"] == "2:44" and row["runner_up"] == "4:44"
