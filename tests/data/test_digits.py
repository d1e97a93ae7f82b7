"""The digits data sets: splits and views that never change, and one sentence for each broken csv file."""

import numpy as np
import pytest
import torch

from dlcourse.config import compose
from dlcourse.data.digits import Digits8, Digits16
from dlcourse.errors import UserError
from dlcourse.models.build import build_data

SHIPPED = ("train_in.csv", "train_out.csv", "test_in.csv", "test_out.csv")


def digits8(**more):
    data = Digits8("digits8", **more)
    data.setup()
    return data


@pytest.fixture
def folder(tmp_path):
    """The four files, small."""
    draws = np.random.default_rng(0)
    for split, count in (("train", 6), ("test", 4)):
        np.savetxt(tmp_path / f"{split}_in.csv", draws.uniform(-1, 1, (count, 256)).round(3), "%g", ",")
        np.savetxt(tmp_path / f"{split}_out.csv", np.arange(count), "%d")
    return tmp_path


def test_digits8_is_split_once_and_for_all():
    data = digits8()
    (x, y), (test_x, test_y) = data.arrays["train"], data.arrays["test"]
    assert set(data.arrays) == {"train", "test"}
    assert x.shape == (1437, 64) and test_x.shape == (360, 64) and x.dtype == torch.float32
    assert y.bincount().tolist() == [136, 138, 146, 150, 148, 142, 145, 146, 141, 145]
    assert test_y.bincount().tolist() == [42, 44, 31, 33, 33, 40, 36, 33, 33, 35]
    assert test_y[:8].tolist() == [2, 3, 8, 4, 5, 5, 0, 7] and data.task.levels == (0, 16)
    assert len(torch.cat([x, test_x]).unique(dim=0)) == 1797


def test_views_hold_the_same_numbers():
    features, image = digits8(validation=100), digits8(validation=100, view="picture")
    assert features.task.in_shape == (64,) and image.task.in_shape == (1, 8, 8)
    assert features.task.mean == image.task.mean and len(image.arrays["val"][0]) == 100
    for split, (x, y) in image.arrays.items():
        assert x.shape[1:] == (8, 8)
        assert torch.equal(x.flatten(1), features.arrays[split][0]) and torch.equal(y, features.arrays[split][1])


def test_the_courses_files_are_what_they_were(real_data):
    data = Digits16("digits16", str(real_data("digits16")))
    data.setup()
    assert {split: x.shape for split, (x, _) in data.arrays.items()} == {"train": (1707, 256), "test": (1000, 256)}
    assert data.arrays["train"][1].bincount().tolist() == [319, 252, 202, 131, 122, 88, 151, 166, 144, 132]
    assert data.task.levels == (data.arrays["train"][0].min(), data.arrays["train"][0].max()) == (-1, 1)


def test_the_courses_digits_in_a_frame_are_stored_like_mnists(folder):
    plain = build_data(compose("data=digits16", f"data.path='{folder}'", "data.view=picture"))
    framed = build_data(compose("data=digits28", f"data.path='{folder}'"))
    plain.setup()
    framed.setup()
    x, y = framed.arrays["test"]
    assert x.shape == (4, 28, 28) and x.dtype == torch.uint8 and torch.equal(y, plain.arrays["test"][1])
    inside = x[:, 6:22, 6:22]
    assert x.sum() == inside.sum() and inside.max() > 250
    assert (inside / 127.5 - 1 - plain.arrays["test"][0]).abs().max() < 1 / 127
    assert framed.task.in_shape == (1, 28, 28) and framed.task.levels == (0, 255) and framed.task.mean[0] < 127


def test_a_folder_of_csv_files_or_an_npz_is_read(folder, tmp_path):
    data = build_data(compose("data=digits16", f"data.path='{folder}'", "data.view=picture"))
    data.setup()
    assert data.arrays["train"][0].shape == (6, 16, 16) and data.arrays["test"][1].tolist() == [0, 1, 2, 3]
    first = np.loadtxt(folder / "train_in.csv", delimiter=",")[0]
    np.testing.assert_allclose(data.arrays["train"][0][0].flatten(), first, rtol=1e-6)
    np.savez(
        tmp_path / "own.npz",
        **{f"{s}_{k}": a.numpy() for s, (x, y) in data.arrays.items() for k, a in zip("xy", (x, y), strict=True)},
    )
    own = Digits16("digits16", path=str(tmp_path / "own.npz"))
    own.setup()
    assert torch.equal(own.arrays["test"][0], data.arrays["test"][0].flatten(1))


def edit(file, change):
    def spoil(folder):
        lines = (folder / file).read_text().splitlines()
        (folder / file).write_text("\n".join(change(lines)) + "\n")

    return spoil


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (edit("train_in.csv", lambda a: [a[0], a[1].rpartition(",")[0], *a[2:]]), "row 2 has 255 columns, not 256"),
        (edit("test_in.csv", lambda a: ["a" + a[0][a[0].index(",") :], *a[1:]]), "row 1 contains .a., which is not a"),
        (edit("test_in.csv", lambda a: ["nan" + a[0][a[0].index(",") :], *a[1:]]), "row 1 contains a value"),
        (edit("train_out.csv", lambda a: [*a[:3], "10", *a[4:]]), "row 4 contains 10, but labels are 0 to 9"),
        (edit("train_out.csv", lambda a: [*a[:3], "2.5", *a[4:]]), "row 4 contains 2.5, but labels are 0 to 9"),
        (edit("train_out.csv", lambda a: [*a[:3], "-1", *a[4:]]), "row 4 contains -1, but labels are 0 to 9"),
        (edit("train_out.csv", lambda a: a[:-1]), "has 6 rows but train_out.csv 5"),
        (lambda folder: (folder / "test_out.csv").unlink(), "test_out.csv not found"),
        (lambda folder: (folder / "test_out.csv").write_text(""), "is empty"),
    ],
)  # fmt: skip
def test_a_broken_csv_is_named(folder, spoil, words):
    spoil(folder)
    with pytest.raises(UserError, match=words):
        Digits16("digits16", path=str(folder)).setup()


def test_other_mistakes_are_named(tmp_path):
    with pytest.raises(UserError, match=r"data\.view=pictures is unknown: use features or picture"):
        Digits8("digits8", view="pictures")
    with pytest.raises(UserError, match="not found: give a folder with train_in.csv"):
        Digits16("digits16", path=str(tmp_path / "nothing")).setup()
    x, y = np.zeros((3, 255), np.float32), np.zeros(3, np.int64)
    np.savez(tmp_path / "narrow.npz", train_x=x, train_y=y, test_x=x, test_y=y)
    with pytest.raises(UserError, match=r"train_x must be numbers \[N, 256\], not float32 \[3, 255\]"):
        Digits16("digits16", path=str(tmp_path / "narrow.npz")).setup()


def test_a_download_is_compared_with_its_checksum(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(Digits16, "URL", f"{folder.as_uri()}/")
    with pytest.raises(UserError, match=r"the download failed \(.*a different checksum from the course's file\)"):
        Digits16("digits16", str(tmp_path / "cache")).setup()
    digests = {name: _digest(folder / name) for name in SHIPPED}
    monkeypatch.setattr(Digits16, "SHA256", digests)
    data = Digits16("digits16", str(tmp_path / "cache"))
    data.setup()
    assert len(data.arrays["train"][0]) == 6 and (tmp_path / "cache" / "digits16.npz").exists()


def _digest(path):
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()
