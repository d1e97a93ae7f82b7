"""Every picture of a classification run is written, shows something, and has its numbers beside it."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dlcourse.plots import classes, curves
from dlcourse.plots.curves import drops
from dlcourse.plots.sheet import displayable, ending, shown_sample, unsure_marks
from dlcourse.runs.result import Result

ALWAYS = {"confusion", "per_class", "confused_pairs"}
RED = np.array([228, 26, 28])


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def assert_drawn(path: Path) -> None:
    """Something in every quarter of the picture, which a blank one has not."""
    picture = pixels(path)
    high, wide = picture.shape[0] // 2, picture.shape[1] // 2
    for part in (picture[:high, :wide], picture[:high, wide:], picture[high:, :wide], picture[high:, wide:]):
        assert part.std() > 3, path


def red_share(path: Path) -> float:
    return (np.abs(pixels(path) - RED).max(2) <= 2).mean()


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf8", newline="") as file:
        return list(csv.DictReader(file))


def fake(x: torch.Tensor, count: int, groups: int = 0, probabilities: bool = True) -> tuple[Any, Any]:
    """A classifier of `count` classes that is right twice in three, and its data."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(len(x)) % count
    logits = torch.randn(len(x), count, generator=generator)
    logits[torch.arange(len(x)), labels] += 3
    answers = {"loss": torch.zeros(len(x)), "labels": labels}
    answers |= {"probabilities": logits.softmax(1)} if probabilities else {"classes": logits.argmax(1)}
    if groups:
        answers["labels"] = torch.stack([labels, labels % groups], 1)
    task = SimpleNamespace(
        data="made",
        classes=tuple(f"class_{i} $" for i in range(count)),
        groups=tuple(f"group $ {i}" for i in range(groups)),
        group_of=tuple(i % groups for i in range(count)) if groups else (),
        in_shape=(1, *x.shape[1:3]),
    )
    arrays = {"train": (x, answers["labels"]), "test": (x, answers["labels"])}
    return SimpleNamespace(task=task, split="test", last_predictions=answers), SimpleNamespace(
        arrays=arrays, title="made", whole=False
    )


def written(folder: Path) -> set[str]:
    return {path.name for path in (folder / "plots").iterdir()}


def files(*names: str) -> set[str]:
    return {f"{name}.{kind}" for name in names for kind in ("png", "csv")}


def write_metrics(folder: Path) -> None:
    lines = ["epoch,step,train/loss,lr,train/accuracy,val/loss,val/accuracy"]
    lines += [f"{i},{i},{2 / (i + 1)},{0.1 if i < 3 else 0.01},,{3 / (i + 1)},{1 - 1 / (i + 2)}" for i in range(6)]
    (folder / "metrics.csv").write_text("\n".join([*lines, "5,6,,,0.9,,"]) + "\n")


def test_ten_grey_classes(tmp_path: Path):
    x = torch.randint(0, 256, (200, 12, 12), dtype=torch.uint8)
    model, data = fake(x, 10)
    write_metrics(tmp_path)
    classes.draw(tmp_path, model, data)
    expected = files(*ALWAYS, "calibration", "worst") | {"samples.png", "curves.png"}
    assert written(tmp_path) == expected
    for name in expected:
        if name.endswith(".png"):
            assert_drawn(tmp_path / "plots" / name)
    matrix = np.loadtxt(tmp_path / "plots" / "confusion.csv", delimiter=",", skiprows=1, usecols=range(1, 11))
    wrong = int(200 - np.trace(matrix))
    assert matrix.sum() == 200
    assert sum(int(row["wrong"]) for row in table(tmp_path / "plots" / "per_class.csv")) == wrong
    assert sum(int(row["count"]) for row in table(tmp_path / "plots" / "calibration.csv")) == 200
    worst = table(tmp_path / "plots" / "worst.csv")
    assert len(worst) == min(24, wrong)
    sure = [float(row["confidence"]) for row in worst]
    assert sure == sorted(sure, reverse=True)
    assert worst[0]["answered"] != worst[0]["truth"]
    errors = [float(row["error"]) for row in table(tmp_path / "plots" / "per_class.csv")]
    assert errors == sorted(errors, reverse=True)


@pytest.mark.whole
def test_a_hundred_colour_classes_in_twenty_groups(tmp_path: Path):
    x = torch.from_numpy(np.broadcast_to(RED.astype(np.uint8), (400, 8, 8, 3)).copy())
    model, data = fake(x, 100, groups=20)
    classes.draw(tmp_path, model, data)
    expected = files(*ALWAYS, "calibration", "worst") | {"samples.png", "per_group.csv"}
    assert written(tmp_path) == expected
    for name in expected - {"samples.png", "worst.png"}:
        if name.endswith(".png"):
            assert_drawn(tmp_path / "plots" / name)
    assert red_share(tmp_path / "plots" / "samples.png") > 0.6
    assert red_share(tmp_path / "plots" / "worst.png") > 0.6
    assert red_share(tmp_path / "plots" / "confused_pairs.png") > 0.01  # the thumbnails
    assert len(table(tmp_path / "plots" / "per_group.csv")) == 20


def test_features_are_no_pictures(tmp_path: Path):
    assert displayable(torch.randn(5, 4)) is None  # four numbers are not a picture of 2 x 2
    model, data = fake(torch.randn(60, 7), 3)
    classes.draw(tmp_path, model, data)
    assert written(tmp_path) == files(*ALWAYS, "calibration") | {"worst.csv"}
    assert_drawn(tmp_path / "plots" / "confused_pairs.png")


@pytest.mark.parametrize("shape", [(60, 256), (60, 16, 16)])
def test_float_pictures_and_no_probabilities(tmp_path: Path, shape: tuple[int, ...]):
    model, data = fake(torch.randn(*shape), 4, groups=2, probabilities=False)
    classes.draw(tmp_path, model, data)
    assert written(tmp_path) == files(*ALWAYS, "worst") | {"samples.png", "per_group.csv"}
    for name in ("samples.png", "worst.png", "per_class.png"):
        assert_drawn(tmp_path / "plots" / name)
    assert {row["confidence"] for row in table(tmp_path / "plots" / "worst.csv")} == {""}


def test_no_mistakes_a_missing_class_and_fewer_answers_than_pictures(tmp_path: Path):
    model, data = fake(torch.randint(0, 256, (40, 9, 9), dtype=torch.uint8), 30)
    model.last_predictions = {
        "labels": torch.arange(20),
        "probabilities": torch.eye(30)[:20],
        "loss": torch.zeros(20),
    }
    classes.draw(tmp_path, model, data)
    for name in ("worst.png", "confused_pairs.png", "confusion.png", "per_class.png", "calibration.png"):
        assert pixels(tmp_path / "plots" / name).std() > 3
    assert table(tmp_path / "plots" / "worst.csv") == []
    assert table(tmp_path / "plots" / "per_class.csv")[-1]["error"] == ""


@pytest.mark.parametrize("colour", [False, True])
def test_a_persons_own_pictures(tmp_path: Path, colour: bool):
    model, _ = fake(torch.zeros(1, 8, 8), 10)
    count = 70 if colour else 1
    x = torch.from_numpy(np.broadcast_to(RED.astype(np.uint8), (count, 8, 8, 3)).copy())
    x = x if colour else torch.randint(0, 256, (count, 8, 8), dtype=torch.uint8)
    answers = {"probabilities": torch.rand(count, 10).softmax(1)}
    names = [Path(f"/somewhere/the $ of picture $ {i} with a long name.png") for i in range(count)]
    classes.draw_predictions(tmp_path / "sheet.png", model, x, answers, names)
    if colour:
        assert red_share(tmp_path / "sheet.png") > 0.6
    else:
        assert pixels(tmp_path / "sheet.png").std() > 40
        classes.draw_predictions(tmp_path / "sheet.png", model, x, {"classes": torch.tensor([3])}, names)


def test_drops_of_the_learning_rate():
    steps = [0.1, 0.1, 0.02, 0.02, 0.004]
    assert drops(range(1, 6), steps) == [(3, 0.02), (5, 0.004)]
    cosine = [0.5 + 0.5 * np.cos(np.pi * i / 30) for i in range(31)]
    assert drops(range(1, 32), cosine) == []  # it glides, though its last epochs halve
    assert drops([1], [0.1]) == []


def test_a_legend_names_only_curves_that_exist_and_epochs_count_from_one(tmp_path, monkeypatch):
    (tmp_path / "metrics.csv").write_text("epoch,step,train/loss,val/loss,lr\n0,1,2.0,,0.1\n1,2,1.0,,0.1\n")
    figures: list[Any] = []
    monkeypatch.setattr(curves, "save", lambda figure, path: figures.append(figure))
    curves.draw_curves(tmp_path, "val/accuracy")
    loss, accuracy, _ = figures[0].axes
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["train/loss"]
    assert accuracy.get_legend() is None and list(loss.lines[0].get_xdata()) == [1, 2]


def test_lines_can_be_seen_on_white_and_told_apart_without_colour():
    levels = np.array([[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in curves.LINES])
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    contrast = 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05)  # WCAG's ratio; yellow on white has 1.07
    assert contrast.min() >= 3
    assert len(curves.LINES) == len(set(curves.MARKS)) == len(set(curves.DASHES))


def result(**more: Any) -> dict[str, Any]:
    return {
        "schema": 1, "status": "completed", "model": "cnn", "data": "digits", "metrics": {"test/accuracy": 0.9},
        "parameters": 1000, "cpu_seconds": 20.0,
    } | more  # fmt: skip


def put(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "result.json").write_text(text)


def test_size_and_time_passes_over_what_is_no_run(tmp_path: Path):
    run = tmp_path / "run"
    put(run, json.dumps(result()))
    put(tmp_path / "half", '{"schema": 1, "stat')
    put(tmp_path / "list", "[1, 2]")
    put(tmp_path / "strange", '{"schema": "x", "metrics": 3, "data": "digits", "status": "completed"}')
    put(tmp_path / "odd", json.dumps(result(metrics={"test/accuracy": "high"})))
    put(tmp_path / "none", json.dumps(result(metrics=None)))
    put(tmp_path / "other", json.dumps(result(data="faces")))
    put(tmp_path / "failed", json.dumps(result(status="failed")))
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("")
    classes.draw_size_and_time(run, Result.from_dict(result()))
    assert not (run / "plots").exists()
    put(tmp_path / "knn", json.dumps(result(model="knn", parameters=0, cpu_seconds=0.0)))
    put(tmp_path / "old", json.dumps(result(model="old", parameters=None, cpu_seconds=None)))
    classes.draw_size_and_time(run, Result.from_dict(result()))
    assert [row["model"] for row in table(run / "plots" / "size_and_time.csv")] == ["cnn", "knn", "old"]
    assert_drawn(run / "plots" / "size_and_time.png")


def test_size_and_time_of_many_alike_and_of_nothing_known(tmp_path: Path):
    run = tmp_path / "run"
    for i in range(30):
        put(tmp_path / f"{i}", json.dumps(result(model=f"model_{i}", metrics={"test/accuracy": 0.9 + i / 1e6})))
    run.mkdir()
    classes.draw_size_and_time(run, Result.from_dict(result(parameters=None, cpu_seconds=None)))
    assert_drawn(run / "plots" / "size_and_time.png")
    classes.draw_size_and_time(run, Result.from_dict(result(status="failed")))
    classes.draw_size_and_time(run, Result.from_dict(result(metrics={})))


def test_only_images_of_the_training_are_called_so():
    model, data = fake(torch.zeros(6, 4, 4, dtype=torch.uint8), 3)
    assert shown_sample(model, data)[2] == "Training images"
    data.title = "other"
    assert shown_sample(model, data)[2] == "Images of other (test split)"


def test_answers_below_the_threshold_are_marked_and_the_end_of_a_long_name_is_kept():
    model = SimpleNamespace(not_sure_below=0.5)
    assert unsure_marks(model, torch.tensor([0.4, 0.6]), 2) == [", not sure", ""]
    assert unsure_marks(None, None, 2) == unsure_marks(None, torch.tensor([0.4, 0.6]), 2) == ["", ""]
    assert ending("holiday_0017.png", 9) == "…0017.png" and ending("a.png", 9) == "a.png"
