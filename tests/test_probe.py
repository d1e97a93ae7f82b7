"""The linear probe reads what is there, and nothing more."""

import numpy as np
import pytest

from dlcourse.analysis.linear_probe import baseline, linear_probe, principal_components
from dlcourse.commands.evaluate import evaluate
from dlcourse.commands.train import run
from dlcourse.config import compose
from dlcourse.errors import UserError
from dlcourse.plots.probe import draw_probe

FACTORS, CATEGORIES = ("size", "kind", "noise"), (0, 4, 0)


def made_up(count, seed):
    """Latents that hold the first two factors and not the third."""
    draws = np.random.default_rng(seed)
    size, noise, kind = draws.random(count), draws.random(count), draws.integers(0, 4, count)
    latents = np.concatenate([size[:, None], np.eye(4)[kind]], 1) @ np.random.default_rng(0).normal(size=(5, 8))
    latents = np.concatenate([latents, np.full((count, 1), 7.0)], 1)  # and a dimension that never changes
    return latents.astype(np.float32), np.stack([size, kind / 3, noise], 1).astype(np.float32)


def test_factors_that_are_there_are_read_and_others_are_not():
    (x, y), (u, v) = made_up(400, 1), made_up(200, 2)
    scores = linear_probe(x, y, u, v, FACTORS, CATEGORIES)
    assert list(scores) == list(FACTORS)
    assert scores["size"] > 0.99 and scores["kind"] == 1 and scores["noise"] < 0.05
    guessing = baseline(y, v, FACTORS, CATEGORIES)
    assert guessing["size"] == 0 and 0.15 < guessing["kind"] < 0.4


def test_without_categories_all_are_numbers():
    (x, y), (u, v) = made_up(400, 1), made_up(200, 2)
    assert linear_probe(x, y[:, :1], u, v[:, :1], ["size"])["size"] > 0.99


def test_principal_components_keep_what_varies_most():
    draws = np.random.default_rng(0)
    hidden = draws.normal(size=(80, 2)) * 40
    pictures = (hidden @ draws.normal(size=(2, 48))).clip(-120, 120).reshape(80, 4, 4, 3) + 128
    train, test = principal_components(pictures[:60].astype(np.uint8), pictures[60:].astype(np.uint8), 5)
    assert train.shape == (60, 5) and test.shape == (20, 5)
    assert np.abs(np.corrcoef(hidden[60:].T, test[:, :2].T)[:2, 2:]).max() > 0.7


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train_latents": np.zeros((400, 3, 3))}, r"the training split has latents \[400, 3, 3\]"),
        ({"test_latents": np.zeros((200, 4))}, "training latents have 9 dimensions, test ones 4"),
        ({"test_factors": np.zeros((200, 2))}, r"the test split has .* factors \[200, 2\]"),
        ({"train_latents": np.full((400, 9), np.nan)}, "not finite"),
        ({"train_factors": np.zeros((400, 3))}, "size has only one value"),
        ({"categories": (0, 4)}, "3 factors but 2 entries of categories"),
    ],
)
def test_what_does_not_belong_together_is_refused(change, words):
    (x, y), (u, v) = made_up(400, 1), made_up(200, 2)
    arguments = {"train_latents": x, "train_factors": y, "test_latents": u, "test_factors": v}
    with pytest.raises(UserError, match=words):
        linear_probe(**(arguments | {"factors": FACTORS, "categories": CATEGORIES} | change))


def test_the_plot_has_a_bar_a_factor_and_its_numbers(tmp_path):
    scores, pixels = {"size": 0.9, "kind": 0.8, "noise": -0.2}, {"size": 0.5, "kind": 0.6, "noise": 0.0}
    draw_probe(tmp_path / "probe.png", scores, pixels, {"size": 0.0, "kind": 0.3, "noise": 0.0}, CATEGORIES)
    assert (tmp_path / "probe.png").stat().st_size > 5000
    rows = (tmp_path / "probe.csv").read_text().splitlines()
    assert rows == ["factor,values,latent,pixels,guessing", "size,,0.9,0.5,0", "kind,4,0.8,0.6,0.3", "noise,,-0.2,0,0"]


def test_a_factor_of_one_value_is_left_out(tmp_path, caplog):
    """The first images of data that is sorted by class may all be of one class."""
    digits = np.arange(200) // 100
    images = np.random.default_rng(0).integers(0, 256, (200, 8, 8), np.uint8)
    np.savez(
        tmp_path / "sorted.npz",
        train_x=images[:100],
        train_y=digits[:100],
        test_x=images[50:150],
        test_y=digits[50:150],
    )
    words = [
        "model=autoencoder",
        "data=mnist",
        f"data.path={tmp_path / 'sorted.npz'}",
        "data.validation=0",
        "data.batch_size=50",
        "trainer=cpu",
    ]
    small = [
        "model.net.width=4",
        "model.net.layers=1",
        "model.latent=4",
        "model.features=random",
        "trainer.max_epochs=1",
    ]
    result = run(compose(*words, *small, "trainer.precision=32-true"), folder=tmp_path / "run")
    assert result["status"] == "completed" and "test/factors_accuracy" not in result["metrics"]
    assert "not probed, as they have one value in 100 images: class" in caplog.text


@pytest.mark.slow
def test_an_autoencoder_of_cartoon_faces_says_what_its_latents_hold(tmp_path):
    words = ["model=autoencoder", "data=toons", "data.count=240", "data.validation=60", "data.test=60", "data.size=32"]
    small = ["model.net.width=4", "model.net.layers=3", "model.latent=8", "model.features=random"]
    cfg = compose(*words, *small, "trainer=cpu", "trainer.max_epochs=1", "trainer.precision=32-true")
    result = run(cfg, folder=tmp_path / "run")
    assert 0 < result["metrics"]["test/factors_accuracy"] < 1 and result["metrics"]["test/factors_r2"] < 1
    lines = (tmp_path / "run" / "plots" / "probe.csv").read_text().splitlines()
    assert lines[0] == "factor,values,latent,pixels,guessing" and len(lines) == 44
    assert (tmp_path / "run" / "plots" / "probe.png").exists()
    made = np.random.default_rng(0).integers(0, 256, (60, 32, 32, 3), np.uint8)
    np.savez(tmp_path / "made.npz", train_x=made)
    asked = [
        f"run={tmp_path / 'run'}",
        "data=faces",
        f"data.path={tmp_path / 'made.npz'}",
        "data.size=32",
        "trainer=cpu",
    ]
    again = evaluate(compose(*asked, "data.batch_size=8", verb="evaluate"), tmp_path / "again")
    assert "test/factors_r2" not in again.metrics and again.metrics["test/reconstruction_rmse"] > 0
