"""Nearest class centre and k nearest neighbours: the reported figures to the digit, ties, planes, mistakes."""

import csv
import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from dlcourse.analysis.distances import centre_distances, class_centres, extreme_pairs, votes
from dlcourse.commands.evaluate import evaluate
from dlcourse.commands.predict import predict
from dlcourse.commands.train import run
from dlcourse.config import compose
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.build import build_model, load_checkpoint, load_run

COUNTS = {"digits16": (1707, 1000), "digits8": (1437, 360)}
CPU = ["trainer=cpu", "plots=false"]


def fitted(folder, *overrides):
    return run(compose(*CPU, *overrides), folder=folder, overrides=overrides)


def right(result):
    """Right answers in training and test."""
    counts = COUNTS[result["data"]]
    return tuple(round(result["metrics"][f"{s}/accuracy"] * n) for s, n in zip(("train", "test"), counts, strict=True))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("preset", "figures"), [("a1", (1474, 804)), ("a2", (1671, 914))])
def test_the_reported_figures_exactly(real_data, tmp_path, preset, figures, dtype):
    real_data("digits16")
    result = fitted(tmp_path / "run", f"experiment=digits/{preset}", f"model.dtype={dtype}")
    assert right(result) == figures
    assert [row["id"] for row in result["references"]] == [preset.upper()]
    assert result["metrics"]["train/closest_centres"] == pytest.approx(5.4265, abs=1e-4)
    assert result["metrics"]["train/farthest_centres"] == pytest.approx(14.4496, abs=1e-4)


def test_the_table_of_centre_distances(real_data, tmp_path):
    real_data("digits16")
    fitted(tmp_path / "run", "experiment=digits/a1", "plots=true")
    plots = tmp_path / "run" / "plots"
    with (plots / "centre_distances.csv").open() as file:
        table = {row.pop("class"): {k: float(v) for k, v in row.items()} for row in csv.DictReader(file)}
    reported = {"79": 5.4, "01": 14.4, "02": 9.3, "12": 10.1, "49": 6.0, "35": 6.1}
    for (a, b), value in reported.items():
        assert round(table[a][b], 1) == round(table[b][a], 1) == value
    assert min(d for a, row in table.items() for b, d in row.items() if a != b) == table["7"]["9"]
    for name in ("centres.png", "centre_distances.png", "confusion.png"):
        assert (plots / name).stat().st_size > 5000


@pytest.mark.parametrize(
    ("model", "figures"),
    [
        ("nearest_centroid", (1307, 322)),
        ("knn", (1424, 357)),
        ("knn model.k=1", (1437, 357)),
        ("knn model.k=1437", (150, 33)),
        ("nearest_centroid model.reduce=pca", (883, 223)),
        ("knn model.reduce=pca", (1117, 202)),
    ],
)
def test_figures_without_any_file(tmp_path, model, figures):
    result = fitted(tmp_path / "run", "data=digits8", *f"model={model}".split())
    assert right(result) == figures


@pytest.mark.filterwarnings("ignore:.*zero standard deviation")
def test_scikit_learn_says_the_same(tmp_path):
    from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

    _, model = load_run(Path(fitted(tmp_path / "a", "data=digits8", "model=knn", "model.k=5")["folder"]))
    _, centroid = load_run(Path(fitted(tmp_path / "b", "data=digits8", "model=nearest_centroid")["folder"]))
    x, y = model.samples, model.labels
    others = x[::7] + torch.randn(x[::7].shape, generator=torch.Generator().manual_seed(0))
    for ours, theirs in ((model, KNeighborsClassifier(5, algorithm="brute")), (centroid, NearestCentroid())):
        expected = theirs.fit(x.double(), y).predict(others.double())
        assert (ours(others).argmax(1).numpy() == expected).all()


def test_ties():
    distance = torch.tensor([[1.0, 1.0, 1.0, 0.5], [2.0, 1.0, 3.0, 4.0]])
    labels = torch.tensor([2, 0, 1, 1])
    assert votes(distance, labels, 2, 3).tolist() == [[0, 1, 1], [1, 0, 1]]  # of equally near ones the first
    assert votes(distance, labels, 2, 3).argmax(1).tolist() == [1, 0]  # of equally many votes the smallest
    assert votes(distance, labels, 4, 3).tolist() == [[1, 2, 1]] * 2


def test_a_class_without_samples_is_never_answered():
    centres = class_centres(torch.tensor([[0.0, 0], [2, 2]]), torch.tensor([0, 2]), 3, torch.float64)
    assert centres[1].isinf().all()
    distance = centre_distances(centres)
    assert extreme_pairs(distance) == ((0, 2, pytest.approx(8**0.5)),) * 2 and distance[1].isnan().all()
    model = build_model(compose("model=nearest_centroid", "data=digits8"), task(2, 3))
    model.fit_arrays(torch.tensor([[0.0, 0], [2, 2]]), torch.tensor([0, 2]))
    assert model(torch.tensor([[1.4, 1.4], [9, 9]])).argmax(1).tolist() == [2, 2]


def task(features, classes):
    return Task("points", "classes", (features,), 0.0, 1.0, tuple(map(str, range(classes))))


def test_the_whole_training_set_is_fitted_and_comes_back_from_the_checkpoint(tmp_path):
    result = fitted(tmp_path / "run", "data=digits8", "model=knn", "data.batch_size=1000")
    checkpoint = load_checkpoint(tmp_path / "run" / "checkpoints" / "best.ckpt")["state_dict"]
    assert checkpoint["samples"].shape == (1437, 64) and checkpoint["labels"].dtype == torch.int64
    assert result["parameters"] == 0 and result["epochs"] == 1 and result["precision"] == "32-true"
    again = evaluate(compose(f"run='{tmp_path}/run'", "trainer=cpu", "plots=false", verb="evaluate"), tmp_path / "b")
    assert again.metrics["test/accuracy"] == result["metrics"]["test/accuracy"]
    assert json.loads((tmp_path / "b" / "result.json").read_text())["status"] == "completed"


@pytest.mark.parametrize("model", ["nearest_centroid", "knn", "knn model.reduce=pca"])
def test_predicts_from_pictures(tmp_path, model):
    fitted(tmp_path / "run", "data=digits8", *f"model={model}".split())
    from dlcourse.data.digits import Digits8

    data = Digits8("digits8", view="picture")
    data.setup()
    x, y = data.arrays["test"]
    picture = Image.fromarray((x[0] * 255 / 16).round().byte().numpy()).resize((8, 8))
    picture.save(tmp_path / "digit.png")
    (row,) = predict(tmp_path / "run", tmp_path / "digit.png", tmp_path / "answers")
    assert row["class"] == str(y[0].item()) and (tmp_path / "answers" / "contact_sheet.png").exists()


def test_validation_is_held_out_and_pictures_and_colours_work(tmp_path):
    result = fitted(tmp_path / "run", "data=digits8", "data.view=picture", "data.validation=200", "model=knn")
    assert 0.95 < result["metrics"]["val/accuracy"] <= 1
    colour = Task("c", "classes", (3, 4, 4), (1.0, 1, 1), (1.0, 1, 1), ("a", "b"))
    model = build_model(compose("model=knn", "data=digits8", "model.k=1"), colour)
    x = torch.randint(0, 256, (6, 4, 4, 3), dtype=torch.uint8)
    y = torch.tensor([[0, 0], [1, 0], [0, 0], [1, 0], [0, 0], [1, 0]])  # fine and coarse
    model.fit_arrays(x, y)
    assert model(x).argmax(1).tolist() == [0, 1, 0, 1, 0, 1]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["tsne", "umap"])
def test_a_plane_is_restored_from_the_checkpoint(tmp_path, method):
    words = ["data=digits8", "data.validation=1200", "model=nearest_centroid", f"model.reduce={method}"]
    result = fitted(tmp_path / "run", *words, "plots=true")
    assert 0.6 < result["metrics"]["test/accuracy"] < 1 and (tmp_path / "run" / "plots" / "map.png").exists()
    again = evaluate(compose(f"run='{tmp_path}/run'", "trainer=cpu", "plots=false", verb="evaluate"), tmp_path / "b")
    assert again.metrics["test/accuracy"] == result["metrics"]["test/accuracy"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model=knn", "model.k=0"], "model.k=0 is below 1"),
        (["model=knn", "model.k=1438"], "model.k=1438 is larger than the 1437 training samples"),
        (["model=knn", "model.k=2.5"], "k=2.5 is not an integer"),
        (["model=knn", "model.reduce=lda"], "model.reduce=lda is unknown: use none, pca, tsne, umap"),
        (["model=knn", "model.dtype=int8"], "model.dtype=int8 is unknown"),
        (["model=knn", "model.k=1", "model.reduce=umap", "data.validation=1434", "data.batch_size=1"],
         "model.reduce=umap needs at least 16 samples, but there are 3"),
        (["model=nearest_centroid", "lr_find=true"], "lr_find does not apply"),
    ],
)  # fmt: skip
def test_mistakes_are_named(tmp_path, words, message):
    with pytest.raises(UserError, match=message):
        fitted(tmp_path / "run", "data=digits8", *words)


def test_a_width_that_does_not_fit_is_named(tmp_path):
    model = build_model(compose("model=knn", "data=digits8"), task(4, 2))
    model.fit_arrays(torch.rand(5, 4), torch.tensor([0, 1, 0, 1, 0]))
    with pytest.raises(UserError, match=r"expects 4 features, not \[5\]"):
        model(torch.rand(2, 5))
    folder = tmp_path / "run"
    fitted(folder, "data=digits8", "model=knn")
    np_file = tmp_path / "digits16.npz"
    import numpy as np

    x, y = np.zeros((3, 256), np.float32), np.zeros(3, np.int64)
    np.savez(np_file, train_x=x, train_y=y, test_x=x, test_y=y)
    words = [f"run='{folder}'", "data=digits16", f"data.path='{np_file}'", "trainer=cpu", "plots=false"]
    with pytest.raises(UserError, match=r"was trained on 64 features, but digits16 has 256 features"):
        evaluate(compose(*words, verb="evaluate"), tmp_path / "other")
