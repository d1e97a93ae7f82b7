"""Maps: their measures, their pictures, maps of features, several side by side, and one sentence for each mistake."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dlcourse.analysis.reduction import quality
from dlcourse.commands.embed import embed
from dlcourse.commands.train import run
from dlcourse.config import compose
from dlcourse.data.module import DataModule
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.plots.maps import coloured, read_map
from tests.conftest import TINY


def mapped(folder, *overrides):
    return embed(compose(*overrides, verb="embed"), folder, overrides)


def is_drawn(path, share=0.02):
    return (np.asarray(Image.open(path).convert("L")) < 250).mean() > share


def test_a_map_without_any_file(tmp_path, capsys):
    result = mapped(tmp_path / "map", "data=digits8")
    assert result.metrics["train/trustworthiness"] == pytest.approx(0.8328, abs=2e-4)
    assert result.metrics["train/neighbour_accuracy"] == pytest.approx(0.65414, abs=1e-5)
    stored = json.loads((tmp_path / "map" / "result.json").read_text())
    assert stored["status"] == "completed" and stored["model"] == "pca" and stored["samples"] == 1437
    assert set(stored["seconds"]) == {"prepare", "compile", "fit", "measure"} and stored["references"] == []
    assert stored["processor"] and "umap-learn" in stored["versions"] and "Results saved to" in capsys.readouterr().out
    assert is_drawn(tmp_path / "map" / "plots" / "map.png")
    shown = read_map(tmp_path / "map" / "plots" / "map.csv")
    assert shown.names == tuple("0123456789") and shown.values.shape == (1437,) and shown.places.shape == (1437, 2)


@pytest.mark.parametrize(
    ("method", "reported", "share"), [("pca", 0.797, 0.55), ("tsne", 0.974, 0.93), ("umap", 0.967, 0.92)]
)
def test_the_reported_trustworthiness(real_data, tmp_path, method, reported, share):
    real_data("digits16")
    result = mapped(tmp_path / "map", "data=digits16", f"method={method}")
    assert result.metrics["train/trustworthiness"] == pytest.approx(reported, abs=0.003)
    assert result.metrics["train/neighbour_accuracy"] > share
    assert [row["id"] for row in result.references] == [f"A6-{method}"]


def test_measures():
    places = np.random.default_rng(0).normal(size=(60, 2))
    labels = (places[:, 0] > 0).astype(int)
    found = quality(places, places, labels)
    assert found["trustworthiness"] == 1 and found["neighbour_accuracy"] > 0.8
    shuffled = np.random.default_rng(1).permutation(places)
    assert quality(places, shuffled, None)["trustworthiness"] < 0.65


@pytest.mark.whole
def test_several_side_by_side(command, tmp_path):
    code, out, err = command("embed", "-m", "data=digits8", "max_samples=120", "method=pca,tsne", "name=maps")
    assert code == 0, err
    folder = Path("outputs/sweeps/maps")
    assert is_drawn(folder / "maps.png") and (folder / "sweep.png").exists() and "maps.png" in out
    rows = list(csv.DictReader((folder / "sweep.csv").read_text().splitlines()))
    assert [row["method"] for row in rows] == ["tsne", "pca"]  # the more trustworthy first
    assert all(0.5 < float(row["train/trustworthiness"]) <= 1 for row in rows)
    assert all(0.3 < float(row["train/neighbour_accuracy"]) <= 1 for row in rows)
    before = (folder / "1" / "result.json").stat().st_mtime_ns
    code, _, err = command(
        "embed", "-m", "data=digits8", "max_samples=120", "method=pca,tsne", "name=maps", "resume=true"
    )
    assert code == 0 and (folder / "1" / "result.json").stat().st_mtime_ns == before, err


@pytest.mark.whole
def test_features_of_a_run_and_thumbnails(tmp_path):
    words = ["model=digits_cnn", "data=digits8", "data.view=picture", "debug=fast", "trainer=cpu", "plots=false"]
    run(compose(*words), folder=tmp_path / "run")
    result = mapped(tmp_path / "map", f"run='{tmp_path}/run'", "max_samples=200", "thumbnails=true", "split=test")
    assert result.data == "digits8" and result.samples == 200 and "test/trustworthiness" in result.metrics
    assert is_drawn(tmp_path / "map" / "plots" / "map.png")
    again = mapped(tmp_path / "again", f"run='{tmp_path}/run'", "max_samples=200", "split=test")
    assert again.metrics == result.metrics
    plain = mapped(tmp_path / "plain", "data=digits8", "max_samples=200", "split=test")
    assert plain.metrics != result.metrics


def test_times_are_coloured_round_the_dial(tmp_path):
    result = mapped(tmp_path / "map", *TINY[:4], "split=test", "data.count=720", "thumbnails=true")
    assert set(result.metrics) == {"test/trustworthiness"} and is_drawn(tmp_path / "map" / "plots" / "map.png")
    shown = coloured(np.zeros((2, 2)), np.array([[3, 0], [11, 59]]), Task("c", "time", (1, 4, 4), 0, 1))
    np.testing.assert_allclose(shown.values, [0.25, 719 / 720])


def test_groups_have_the_colours_where_there_are_any():
    task = Task("g", "classes", (4,), 0, 1, ("a", "b", "c"), ("x", "y"), (0, 1, 1))
    shown = coloured(np.zeros((3, 2)), np.array([[2, 1], [0, 0], [1, 1]]), task)
    assert shown.names == ("x", "y") and shown.values.tolist() == [1, 0, 1]


class Unlabelled(DataModule):
    def __init__(self):
        super().__init__("faces", 8)

    def load(self):
        self.task = Task("faces", "pictures", (1, 6, 6), 0, 1)
        x = torch.rand(50, 6, 6, generator=torch.Generator().manual_seed(0))
        return {"train": (x, torch.zeros(50, dtype=torch.int64))}


def test_a_data_set_without_labels_is_not_coloured(tmp_path, monkeypatch):
    monkeypatch.setattr("dlcourse.commands.embed.build_data", lambda cfg: Unlabelled())
    with pytest.raises(UserError, match="the labels of faces cannot be used as colours: set colour=false"):
        mapped(tmp_path / "map", "data=digits8")
    result = mapped(tmp_path / "grey", "data=digits8", "colour=false")
    assert set(result.metrics) == {"train/trustworthiness"} and is_drawn(tmp_path / "grey" / "plots" / "map.png")
    assert read_map(tmp_path / "grey" / "plots" / "map.csv").values is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data=digits8", "method=umap", "max_samples=3"], "umap needs at least 25 samples, but there are 3: use more"),
        (["data=digits8", "method=tsne", "max_samples=60"], "tsne needs at least 91 samples, but there are 60"),
        (["data=digits8", "method=umpa"], "method=umpa is unknown: use pca, tsne, umap"),
        (
            ["data=digits8", "method=umap", "methods.umap.n_neighbors=1"],
            "n_neighbors=1 is not a whole number",
        ),
        (["data=digits8", "method=umap", "methods.umap.min_dist=3"], "min_dist=3 is not a number from 0 to 1"),
        (
            ["data=digits8", "method=tsne", "methods.tsne.perplexity=many"],
            "perplexity=many is not a number",
        ),
        (["data=digits8", "split=val"], "split=val not found in digits8: use train, test"),
    ],
)
def test_mistakes_are_named(tmp_path, words, message):
    with pytest.raises(UserError, match=message):
        mapped(tmp_path / "map", *words)
    assert not (tmp_path / "map").exists()


def test_the_latents_of_a_generative_run_have_the_colours_of_their_classes(tmp_path):
    small = ["model.net.width=4", "model.net.layers=1", "model.latent=4", "model.features=random", "trainer=cpu"]
    words = ["model=autoencoder", "data=digits8", "trainer.max_epochs=1", "trainer.precision=32-true", "plots=false"]
    run(compose(*words, *small), folder=tmp_path / "run")
    result = mapped(tmp_path / "map", f"run='{tmp_path}/run'", "max_samples=300", "colour=true")
    assert result.samples == 300 and result.metrics["train/neighbour_accuracy"] > 0.2
    assert read_map(tmp_path / "map" / "plots" / "map.csv").names == tuple("0123456789")
    with pytest.raises(UserError, match="was trained on .*choose other data"):  # of other channels
        mapped(tmp_path / "other", f"run='{tmp_path}/run'", "data=toons", "data.count=200", "colour=false")


def test_a_run_without_features_and_other_wrong_runs_are_named(tmp_path, command):
    run(compose("model=knn", "data=digits8", "trainer=cpu", "plots=false"), folder=tmp_path / "run")
    with pytest.raises(UserError, match="KNearestNeighbours has no linear layer"):
        mapped(tmp_path / "map", f"run='{tmp_path}/run'")
    with pytest.raises(UserError, match="was trained on classes, but clocks has time"):
        mapped(tmp_path / "map", f"run='{tmp_path}/run'", *TINY[:4])
    words = ["model=mlp", "data=digits8", "data.view=picture", "trainer=cpu", "trainer.max_epochs=1", "plots=false"]
    run(compose(*words), folder=tmp_path / "mlp")
    x, y = np.random.default_rng(0).integers(0, 256, (90, 8, 8), np.uint8), np.arange(90) % 3
    np.savez(tmp_path / "three.npz", train_x=x, train_y=y, test_x=x, test_y=y)
    other = [f"run='{tmp_path}/mlp'", "data=arrays", f"data.path='{tmp_path}/three.npz'"]  # features of other classes
    assert mapped(tmp_path / "other", *other).status == "completed"
    assert command("embed", "method=pca")[2].startswith("error: data is missing: choose data=")
    assert "config.yaml" in command("embed", "run=nowhere")[2]
    assert not list(Path().rglob("outputs/*/*"))
