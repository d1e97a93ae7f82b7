"""Own arrays of any labels and channels, and the published sets in the forms of other programs."""

import gzip
import struct

import numpy as np
import pytest
import torch

from dlcourse.data.arrays import ImageArrays
from dlcourse.data.cifar import CIFAR10
from dlcourse.data.mnist import MNIST, FashionMNIST
from dlcourse.data.published_files import DIGESTS, digest
from dlcourse.errors import UserError

DRAWS = np.random.default_rng(0)
X = DRAWS.integers(0, 255, (60, 12, 10, 5), dtype=np.uint8)
Y = np.arange(60) % 3


def own(tmp_path, arrays, **options) -> ImageArrays:
    np.savez(tmp_path / "own.npz", **arrays)
    data = ImageArrays("arrays", str(tmp_path / "own.npz"), **options)
    data.setup()
    return data


@pytest.mark.parametrize(
    ("labels", "names", "classes"),
    [
        (Y, None, ("0", "1", "2")),
        (Y * 10 - 4, None, ("-4", "6", "16")),
        (np.array(["b", "a", "c"])[Y], None, ("a", "b", "c")),
        (Y[:, None].astype(np.uint8), ["x", "y", "z", "unused"], ("x", "y", "z", "unused")),
    ],
)
def test_any_labels_are_classes(tmp_path, labels, names, classes):
    arrays = {"x": X, "y": labels} | ({"class_names": names} if names else {})
    data = own(tmp_path, arrays)
    assert data.task.classes == classes and data.task.in_shape == (5, 12, 10) and data.task.picture_shape() is None
    assert {s: len(x) for s, (x, _) in data.arrays.items()} == {"train": 42, "val": 9, "test": 9}
    assert not data.is_published


def test_given_splits_and_floats(tmp_path):
    x = X[..., 0].astype(np.float32) / 255
    data = own(tmp_path, {"x_train": x, "y_train": Y, "x_test": x[:9], "y_test": Y[:9]}, validation=6)
    assert data.task.in_shape == (1, 12, 10) and data.task.levels == (0.0, 1.0)
    test = {image.numpy().tobytes(): label for image, label in zip(*data.arrays["test"], strict=True)}
    assert test == {image.tobytes(): label for image, label in zip(x[:9], Y[:9], strict=True)}
    assert len(data.arrays["val"][0]) == 6


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"a": X}, "does not contain train_x: give x and y, .* \\(found: a\\)"),
        ({"x": X}, "does not contain train_y"),
        ({"x": X.transpose(0, 3, 1, 2), "y": Y}, "channels first .NCHW.: give channels last, x.transpose"),
        ({"x": X.transpose(1, 2, 3, 0), "y": Y}, "its last dimension fits, so use np.moveaxis"),
        ({"x": X[:50], "y": Y}, "has 50 images but train_y 60 labels: give one for each"),
        ({"x": X.astype(np.float64), "y": Y}, "has the type float64: convert it to uint8"),
        ({"x": X.reshape(60, -1), "y": Y}, "has the shape .*: give images .N, H, W. or"),
        ({"x": X, "y": np.eye(3)[Y]}, "give one label for each image, for example train_y.argmax"),
        ({"x": X, "y": Y.astype(float)}, "whole numbers or names"),
        ({"x": np.full((60, 9, 9), np.nan, np.float32), "y": Y}, "not finite"),
        ({"x": X, "y": Y * 0}, "has one class, 0"),
        ({"x": X, "y": Y, "class_names": ["a", "b"]}, "labels are 0 to 2, but class_names has the shape"),
        ({"train_x": X, "train_y": Y, "test_x": X[:, :9], "test_y": Y}, "different shape or type"),
    ],
)
def test_wrong_arrays_get_a_sentence(tmp_path, arrays, words):
    with pytest.raises(UserError, match=words):
        own(tmp_path, arrays)


def write_idx(folder, count=60, suffix=".gz"):
    folder.mkdir(parents=True)
    x, y = DRAWS.integers(0, 255, (count, 28, 28), dtype=np.uint8), (np.arange(count) % 10).astype(np.uint8)
    for split in ("train", "t10k"):
        for kind, array in (("images-idx3", x), ("labels-idx1", y)):
            content = struct.pack(">HBB" + "I" * array.ndim, 0, 8, array.ndim, *array.shape) + array.tobytes()
            name = folder / f"{split}-{kind}-ubyte{suffix}"
            name.write_bytes(gzip.compress(content) if suffix else content)
    return {"train_x": x, "train_y": y, "test_x": x, "test_y": y}


@pytest.mark.parametrize(("kind", "place"), [(MNIST, "MNIST/raw"), (FashionMNIST, "FashionMNIST/raw"), (MNIST, "")])
def test_idx_files_are_read_where_they_are(tmp_path, monkeypatch, kind, place):
    arrays = write_idx(tmp_path / "files" / place, suffix=".gz" if place else "")
    name = "mnist" if kind is MNIST else "fashion_mnist"
    data = kind(name, "nowhere", str(tmp_path / "files"), validation=10)
    data.setup()
    assert torch.equal(data.arrays["test"][0], torch.from_numpy(arrays["test_x"])) and not data.is_published
    monkeypatch.setitem(DIGESTS, name, digest(arrays))
    cached = kind(name, str(tmp_path / "files"), validation=10)  # torchvision's data_dir
    cached.setup()
    assert cached.is_published and (tmp_path / "files" / f"{name}.npz").exists()


def test_files_of_another_data_set_with_the_same_names_are_not_taken(tmp_path, monkeypatch):
    def no_network(self, folder):
        raise OSError("no network")

    write_idx(tmp_path / "raw")
    monkeypatch.setattr(FashionMNIST, "download", no_network)
    with pytest.raises(UserError, match="the download failed"):
        FashionMNIST("fashion_mnist", str(tmp_path), validation=10).setup()
    assert not (tmp_path / "fashion_mnist.npz").exists()


def test_keras_names_are_known_and_the_order_does_not_matter(tmp_path, monkeypatch):
    x, y = DRAWS.integers(0, 255, (60, 28, 28), dtype=np.uint8), Y.astype(np.uint8)
    np.savez(tmp_path / "keras.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    other = {"train_x": x[::-1], "train_y": y[::-1], "test_x": x, "test_y": y}
    monkeypatch.setitem(DIGESTS, "mnist", digest(other))
    data = MNIST("mnist", "nowhere", str(tmp_path / "keras.npz"), validation=10)
    data.setup()
    assert data.is_published and digest(other | {"test_y": 1 - y}) != digest(other)


def test_other_files_are_refused_without_advice_that_destroys(tmp_path):
    (tmp_path / "pets" / "cat").mkdir(parents=True)
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"no archive")
    write_idx(tmp_path / "idx")
    (tmp_path / "idx" / "t10k-labels-idx1-ubyte.gz").write_bytes(b"no file")
    for kind, name, words in (
        (MNIST, "pets", "does not contain the files of data: .*use data=folder for your own images"),
        (CIFAR10, "pets", "use data=folder for your own images"),
        (CIFAR10, "cifar-10-python.tar.gz", "is not the published CIFAR10 .its MD5 checksum differs"),
        (MNIST, "idx", "t10k-labels-idx1-ubyte.gz could not be read as an IDX file"),
    ):
        with pytest.raises(UserError, match=words) as error:
            kind("data", "nowhere", str(tmp_path / name)).setup()
        assert "delete" not in str(error.value)
    (tmp_path / "idx" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(UserError, match="lacks the IDX file of test_y"):
        MNIST("mnist", "nowhere", str(tmp_path / "idx")).setup()
