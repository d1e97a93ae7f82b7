"""Answers in Python: images in any usual form to names, probabilities and embeddings."""

import re

import numpy as np
import pytest
import torch
from PIL import Image

from dlcourse.config import compose
from dlcourse.data.given_images import stored_inputs
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.answers import BATCH, predict_batches
from dlcourse.models.build import build_model
from tests.conftest import NET

GREY = Task("own", "classes", (1, 12, 12), 100.0, 50.0, ("a", "b", "c"))
COLOUR = Task("own", "classes", (3, 12, 12), (100.0, 90.0, 80.0), (50.0, 50.0, 50.0), ("a", "b", "c"))
TIME = Task("clocks", "time", (1, 48, 48), 100.0, 50.0)


def model_of(task: Task, *words: str):
    torch.manual_seed(0)
    return build_model(compose(*words, "data=clocks" if task.kind == "time" else "data=folder"), task)


@pytest.fixture(scope="module")
def classifier():
    return model_of(COLOUR, "model=mlp", "model.net.widths=[16]")


@pytest.fixture(scope="module")
def colour() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (5, 12, 12, 3), dtype=np.uint8)


def test_every_form_of_an_image_gives_the_same_answer(classifier, colour, tmp_path):
    for i, image in enumerate(colour):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    found = classifier.predict(colour)
    assert len(found) == 5 and found.class_names == ("a", "b", "c") and found.minutes is None
    assert found.names == tuple("abc"[i] for i in found.probabilities.argmax(1))
    np.testing.assert_allclose(found.probabilities.sum(1), 1, atol=1e-5)
    np.testing.assert_array_equal(found.confidence, found.probabilities.max(1))
    assert found.embeddings.shape == (5, 16) and found.embeddings.dtype == np.float32
    tensor = torch.from_numpy(colour)
    files = sorted(tmp_path.glob("*.png"))
    forms = [list(colour), tensor, tensor.permute(0, 3, 1, 2), list(tensor), files, [str(f) for f in files], tmp_path]
    for form in [*forms, [Image.open(f) for f in files]]:
        np.testing.assert_array_equal(classifier.predict(form).probabilities, found.probabilities)
    for single in (colour[0], tensor[0].permute(2, 0, 1), files[0], Image.fromarray(colour[0])):
        np.testing.assert_allclose(classifier.predict(single).probabilities, found.probabilities[:1], atol=1e-6)
    with pytest.raises(AttributeError):
        found.names = ()


def test_size_and_colour_are_converted_as_for_files():
    levels = np.array([30, 200], np.uint8)
    grey = np.broadcast_to(levels[:, None, None], (2, 20, 30))
    assert stored_inputs(grey, GREY).flatten(1).unique(dim=1).tolist() == [[30], [200]]
    assert stored_inputs(grey[..., None], COLOUR).shape == (2, 12, 12, 3)
    clear = np.zeros((12, 12, 4), np.uint8)  # transparent black becomes white
    assert stored_inputs(clear, GREY).unique().tolist() == [255]
    assert stored_inputs([clear, grey[0]], GREY).shape == (2, 12, 12)


def test_three_grey_images_are_not_one_in_colour():
    grey = torch.arange(3, dtype=torch.uint8)[:, None, None].expand(3, *GREY.stored_shape())
    assert torch.equal(stored_inputs(grey, GREY), stored_inputs(grey.numpy(), GREY))
    assert stored_inputs(torch.zeros(3, 40, 50, dtype=torch.uint8), COLOUR).shape == (1, 12, 12, 3)


def test_floats_and_other_channels_have_the_stored_shape():
    floats = Task("own", "classes", (5, 9, 9), 0.5, 0.3, ("a", "b"), levels=(0.0, 1.0))
    assert stored_inputs(np.zeros((2, 9, 9, 5)), floats).dtype == torch.float32
    assert stored_inputs(torch.zeros(9, 9, 5), floats).shape == (1, 9, 9, 5)
    features = Task("digits16", "classes", (256,), 0.5, 0.3, ("a", "b"), levels=(1.0, 0.0))
    assert stored_inputs(np.zeros((3, 256)), features).shape == (3, 256)
    drawn = stored_inputs(np.full((20, 20), 255, np.uint8), features)
    assert drawn.shape == (1, 256) and drawn.unique().tolist() == [0.0]


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ([], "there are no images"),
        (np.zeros((2, 12, 12, 3)), "the images are float64 [2, 12, 12, 3], .* 12x12 colour: pass uint8 [N, 12, 12, 3]"),
        (np.zeros((2, 12, 12, 5), np.uint8), "pass uint8"),
        (np.zeros(7, np.uint8), "pass uint8"),
        ([3], "int is not an image: pass paths"),
        ("nowhere.png", "input=nowhere.png not found"),
        (Image.new("L", (1, 1)), "the image: it has a single pixel"),
    ],
)
def test_what_is_not_an_image_gets_a_sentence(classifier, images, words):
    with pytest.raises(UserError, match=re.escape(words).replace(r"\.\*", ".*")):
        classifier.predict(images)


def test_clocks_answer_times_with_hours_and_minutes():
    images = np.random.default_rng(0).integers(0, 255, (3, 48, 48), dtype=np.uint8)
    found = model_of(TIME, "model=clock_multihead", *NET).predict(images)
    assert found.probabilities.shape == (3, 720) and found.minutes.shape == found.confidence.shape == (3,)
    assert all(re.fullmatch(r"\d+:\d\d", name) for name in found.names)
    columns = found.columns()
    assert list(columns)[:2] == ["p_hour_12", "p_hour_1"] and len(columns) == 72 and "p_minute_00" in columns
    np.testing.assert_allclose(sum(columns[f"p_hour_{h}"] for h in range(1, 13)), 1, atol=1e-5)
    first = found.probabilities.argmax(1)[0]
    assert columns[f"p_minute_{first % 60:02d}"][0] >= found.probabilities[0, first]
    number = model_of(TIME, "model=clock_regression", *NET).predict(images)
    assert number.probabilities is None and number.confidence is None and number.columns() == {}
    assert number.names and number.minutes.shape == (3,) and "class_names" not in number.arrays()


def test_models_without_probabilities_or_linear_layer_give_names():
    model = model_of(GREY, "model=nearest_centroid")
    model.fit_arrays(torch.eye(3, 144).reshape(3, 12, 12), torch.arange(3))
    found = model.predict(np.zeros((2, 12, 12), np.uint8))
    assert found.names == ("a", "a") and found.probabilities is None and found.embeddings is None
    assert predict_batches(model, torch.zeros(120, 12, 12).split(BATCH))[0]["scores"].shape == (120, 3)


def test_a_generative_model_says_what_to_use_instead():
    task = Task("faces", "pictures", (1, 16, 16), 0.0, 1.0)
    net = ["model.net.width=4", "model.net.layers=2", "model.latent=3"]
    with pytest.raises(UserError, match="generates images and does not classify them"):
        model_of(task, "model=autoencoder", *net).predict(np.zeros((16, 16), np.uint8))
