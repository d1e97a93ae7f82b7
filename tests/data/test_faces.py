"""Faces: folders of any images and prepared files."""

import logging
import re

import numpy as np
import pytest
import torch
from PIL import Image

from dlcourse.data.faces import Faces
from dlcourse.data.images import mean_picture
from dlcourse.errors import UserError
from tests.conftest import small_faces


def make(path, tmp_path, **options):
    settings = {"size": 32, "batch_size": 8, "path": str(path) if path else None} | options
    return Faces("faces", str(tmp_path / "cache"), **settings)


def loaded(path, tmp_path, **options):
    data = make(path, tmp_path, **options)
    data.setup()
    return data


@pytest.fixture
def folder(tmp_path):
    """Forty images of two sizes, and one each of other modes."""
    found = tmp_path / "pictures"
    (found / "below").mkdir(parents=True)
    for i, image in enumerate(small_faces(40)):
        image = Image.fromarray(image).resize((50, 40) if i % 2 else (30, 70))
        image.save(found / ("below" if i % 3 else ".") / f"{i}.png")
    return found


def test_a_folder_of_mixed_sizes_is_cut_square_and_kept(folder, tmp_path):
    data = loaded(folder, tmp_path)
    assert data.task.kind == "pictures" and data.task.in_shape == (1, 32, 32)
    assert {split: len(x) for split, (x, _) in data.arrays.items()} == {"train": 32, "val": 4, "test": 4}
    assert all(x.dtype == torch.uint8 and not y.any() for x, y in data.arrays.values())
    (cached,) = (tmp_path / "cache").iterdir()
    stamp = cached.stat().st_mtime_ns
    again = loaded(folder, tmp_path)
    assert torch.equal(again.arrays["train"][0], data.arrays["train"][0])
    assert [p.stat().st_mtime_ns for p in (tmp_path / "cache").iterdir()] == [stamp]
    loaded(folder, tmp_path, size=16)
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_one_picture_with_colour_makes_all_of_them_colour(folder, tmp_path):
    Image.new("RGBA", (30, 30), (255, 0, 0, 255)).save(folder / "red.png")
    Image.new("P", (30, 30)).save(folder / "palette.gif")
    data = loaded(folder, tmp_path)
    assert data.task.in_shape == (3, 32, 32) and len(data.task.mean) == 3
    assert sum(len(x) for x, _ in data.arrays.values()) == 42
    assert loaded(folder, tmp_path, colour=False).task.in_shape == (1, 32, 32)


def test_broken_files_are_skipped_by_name_and_counted(folder, tmp_path, caplog):
    (folder / "broken.png").write_bytes(b"no image")
    (folder / "notes.txt").write_text("neither")
    marked = Image.new("RGB", (20, 20))
    exif = marked.getexif()
    exif[0x112], exif[0x10F] = 6, "maker"  # turned, and one more, whose type is then made nonsense
    marked.save(folder / "turned.jpg", exif=exif)
    data = bytearray((folder / "turned.jpg").read_bytes())
    data[data.index(b"Exif") + 17] = 0
    (folder / "turned.jpg").write_bytes(data)
    with caplog.at_level(logging.WARNING, "dlcourse"):
        data = loaded(folder, tmp_path)
    assert sum(len(x) for x, _ in data.arrays.values()) == 40
    assert all(re.search(rf"skipped .*{name}: ", caplog.text) for name in ("broken.png", "notes.txt", "turned.jpg"))
    assert "3 of 43 files skipped" in caplog.text


def test_a_prepared_file_is_grey_where_all_pictures_are(tmp_path):
    grey, colour = small_faces(60), small_faces(20, colour=True)
    np.savez(tmp_path / "grey.npz", train_x=np.repeat(grey[..., None], 3, 3))
    assert loaded(tmp_path / "grey.npz", tmp_path).task.in_shape == (1, 32, 32)
    np.savez(tmp_path / "mixed.npz", train_x=grey, test_x=colour)
    data = loaded(tmp_path / "mixed.npz", tmp_path)
    assert all(x.shape[1:] == (32, 32, 3) for x, _ in data.arrays.values())


def test_a_prepared_file_keeps_its_own_test_split_and_is_resized(tmp_path):
    np.savez(tmp_path / "own.npz", train_x=small_faces(60, 48, colour=True), test_x=small_faces(20, 48, colour=True))
    data = loaded(tmp_path / "own.npz", tmp_path)
    assert data.task.in_shape == (3, 32, 32)
    assert [len(data.arrays[s][0]) for s in ("train", "val", "test")] == [54, 6, 20]
    grey = loaded(tmp_path / "own.npz", tmp_path, colour=False, size=48, validation=0)
    assert grey.task.in_shape == (1, 48, 48) and set(grey.arrays) == {"train", "test"}


def test_the_split_is_by_its_own_seed(faces, tmp_path):
    first, other = loaded(faces, tmp_path, seed=1), loaded(faces, tmp_path, seed=2)
    assert torch.equal(first.arrays["test"][0], other.arrays["test"][0])
    drawn_anew = loaded(faces, tmp_path, split_seed=1)
    assert not torch.equal(first.arrays["test"][0], drawn_anew.arrays["test"][0])
    together = np.concatenate([x.numpy().reshape(len(x), -1) for x, _ in first.arrays.values()])
    assert len(np.unique(together, axis=0)) == 120  # no image is in two splits


def test_the_mean_picture_is_exact():
    images = torch.randint(256, (50, 4, 4), dtype=torch.uint8)
    assert torch.equal(mean_picture(images), images.float().mean(0).round().byte())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"path": "nowhere"}, "data.path=nowhere not found: set data.path to a folder of images"),
        ({"path": None}, "not found: set data.path to a folder of images"),
        ({"size": 4}, "data.size=4 is too small"),
        ({"test": 0}, "data.test=0"),
    ],
)
def test_bad_settings_get_a_sentence(faces, tmp_path, options, words):
    with pytest.raises(UserError, match=words):
        loaded(options.pop("path", faces), tmp_path, **options)


def test_bad_files_get_a_sentence(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match="is an empty folder"):
        loaded(empty, tmp_path)
    (empty / "a.png").write_bytes(b"x")
    with pytest.raises(UserError, match="does not contain an image that can be decoded"):
        loaded(empty, tmp_path)
    assert not list((tmp_path / "cache").iterdir())
    for arrays, words in (
        ({"x": small_faces(20)}, "does not contain train_x"),
        ({"train_x": small_faces(20).astype(float)}, "must be uint8"),
        ({"train_x": small_faces(5)}, "has 5 images, too few for a test split"),
    ):
        np.savez(tmp_path / "bad.npz", **arrays)
        with pytest.raises(UserError, match=words):
            loaded(tmp_path / "bad.npz", tmp_path)
