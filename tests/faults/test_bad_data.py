"""Files of data that are wrong or damaged: one sentence with the file's name and the remedy, and the file untouched."""

import io
import random
import signal
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcourse.data import npz
from dlcourse.data.cifar import CIFAR10, CIFAR100
from dlcourse.data.clocks import Clocks
from dlcourse.data.clocks_course import ClocksCourse
from dlcourse.data.digits import Digits16
from dlcourse.data.faces import Faces
from dlcourse.data.mnist import MNIST, FashionMNIST
from dlcourse.data.module import DataModule
from dlcourse.data.toons import Toons
from dlcourse.errors import UserError
from tests.conftest import small_arrays, small_faces

MUTATIONS = 100  # a format


def write_images(name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        np.savez(folder / f"{name}.npz", **small_arrays(name, 200, 100))
        return folder / f"{name}.npz"

    return write


def write_digits(folder: Path) -> Path:
    draws = np.random.default_rng(0)
    arrays = {f"{s}_x": draws.uniform(-1, 1, (40, 256)).astype(np.float32) for s in ("train", "test")}
    np.savez(folder / "digits16.npz", **arrays, train_y=np.arange(40) % 10, test_y=np.arange(40) % 10)
    return folder / "digits16.npz"


def write_csv(folder: Path) -> Path:
    draws = np.random.default_rng(0)
    for split in ("train", "test"):
        np.savetxt(folder / f"{split}_in.csv", draws.uniform(-1, 1, (4, 256)), fmt="%.2f", delimiter=",")
        np.savetxt(folder / f"{split}_out.csv", np.arange(4), fmt="%d")
    return folder / "train_in.csv"


def write_clocks(folder: Path) -> Path:
    minutes = np.arange(40)
    np.save(folder / "labels.npy", np.stack([minutes % 12, minutes], 1))
    np.save(folder / "images.npy", np.random.default_rng(0).integers(0, 255, (40, 16, 16)).astype(np.uint8))
    return folder / "images.npy"


def write_faces(folder: Path) -> Path:
    np.savez(folder / "faces.npz", train_x=small_faces(40, 16))
    return folder / "faces.npz"


def write_pictures(folder: Path) -> Path:
    (folder / "pictures").mkdir()
    for number, image in enumerate(small_faces(12, 16)):
        Image.fromarray(image).save(folder / "pictures" / f"{number}.png")
    return folder / "pictures" / "3.png"


def rendered(data: DataModule) -> Path:
    data.prepare_data()
    return data.path  # ty: ignore[unresolved-attribute]


def clocks(folder: Path) -> Clocks:
    return Clocks(str(folder), count=60, size=16, fresh=False)


def toons(folder: Path) -> Toons:
    return Toons(str(folder), count=8, validation=2, test=2, size=16)


# How a small file of each format is written, and the data set that reads it.
FORMATS: dict[str, tuple[Callable[[Path], Path], Callable[[Path], DataModule]]] = {
    "mnist": (write_images("mnist"), lambda f: MNIST("mnist", str(f), validation=20)),
    "fashion_mnist": (write_images("fashion_mnist"), lambda f: FashionMNIST("fashion_mnist", str(f), validation=20)),
    "cifar10": (write_images("cifar10"), lambda f: CIFAR10("cifar10", str(f), validation=20)),
    "cifar100": (write_images("cifar100"), lambda f: CIFAR100("cifar100", str(f), validation=20)),
    "digits16": (write_digits, lambda f: Digits16("digits16", str(f))),
    "digits16 csv": (write_csv, lambda f: Digits16("digits16", path=str(f))),
    "clocks_course": (write_clocks, lambda f: ClocksCourse(str(f))),
    "clocks": (lambda f: rendered(clocks(f)), clocks),
    "toons": (lambda f: rendered(toons(f)), toons),
    "faces": (write_faces, lambda f: Faces("faces", str(f), str(f / "faces.npz"), size=16, batch_size=4)),
    "pictures": (write_pictures, lambda f: Faces("faces", str(f), str(f / "pictures"), size=16, batch_size=4)),
}
ARCHIVES = [name for name in FORMATS if name not in ("digits16 csv", "clocks_course", "pictures")]


@contextmanager
def within(seconds: int):
    """Nothing hangs."""

    def late(signum: int, frame: object) -> None:
        raise AssertionError(f"took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def refusal(data: DataModule, path: Path) -> str:
    """The sentence that a file is refused with; the file is as it was."""
    before = path.read_bytes()
    with within(30), pytest.raises(UserError) as error:
        data.setup()
    assert path.read_bytes() == before
    return str(error.value)


def first(arrays: dict[str, np.ndarray], ending: str) -> str:
    return next(name for name in arrays if name.endswith(ending))


def changed(path: Path, ending: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    with np.load(path) as file:
        arrays = dict(file)
    name = first(arrays, ending)
    np.savez(path, **arrays | {name: change(arrays[name])})


def enormous(path: Path) -> None:
    """The first images' header promises a million of them, which numpy would allocate."""
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, {"descr": "|u1", "fortran_order": False, "shape": (2**20, 28, 28)})
    with zipfile.ZipFile(path) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name in kept:
            archive.writestr(name, member.getvalue() if name == first(dict.fromkeys(kept), "_x.npy") else kept[name])


WRONG: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("<html>not found</html>"),
    "wrong shape": lambda path: changed(path, "_x", lambda x: x[..., :-1, None, None]),
    "wrong type": lambda path: changed(path, "_x", lambda x: x.astype(np.complex64)),
    "words": lambda path: changed(path, "_x", lambda x: x.astype(str)),
    "objects": lambda path: changed(path, "_x", lambda x: x.astype(object)),
    "nothing in it": lambda path: changed(path, "_x", lambda x: x[:0]),
    "enormous": enormous,
}
OF_LABELS: dict[str, Callable[[Path], object]] = {
    "out of range": lambda path: changed(path, "_y", lambda y: y + 200),
    "below zero": lambda path: changed(path, "_y", lambda y: y - 200),
    "not numbers": lambda path: changed(path, "_y", lambda y: np.full(y.shape, np.nan)),
    "too few": lambda path: changed(path, "_y", lambda y: y[:-1]),
    "of objects": lambda path: changed(path, "_y", lambda y: y.astype(object)),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", ARCHIVES)
def test_wrong_pictures_are_refused_by_the_files_name(tmp_path, name, wrong):
    write, make = FORMATS[name]
    path = write(tmp_path)
    WRONG[wrong](path)
    tracemalloc.start()
    said = refusal(make(tmp_path), path)
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.name in said and (": " in said or "; " in said)
    assert used < 300e6


@pytest.mark.parametrize("wrong", OF_LABELS)
@pytest.mark.parametrize("name", [name for name in ARCHIVES if name != "faces"])
def test_wrong_labels_are_refused_by_the_files_name(tmp_path, name, wrong):
    write, make = FORMATS[name]
    path = write(tmp_path)
    OF_LABELS[wrong](path)
    said = refusal(make(tmp_path), path)
    assert path.name in said or (wrong == "too few" and name in said)


def test_features_that_are_no_numbers_are_refused(tmp_path):
    path = write_digits(tmp_path)
    changed(path, "_x", lambda x: np.full_like(x, np.nan))
    assert "not finite" in refusal(FORMATS["digits16"][1](tmp_path), path)


def test_an_archive_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "SMALL", 2**20)
    path = write_faces(tmp_path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("train_x.npy", "w") as member:
        shape = (3_000, 32, 32)
        np.lib.format.write_array_header_1_0(member, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for _ in range(3):
            member.write(bytes(1000 * 32 * 32))
    assert "would expand to 3072" in refusal(FORMATS["faces"][1](tmp_path), path)


def mutated(content: bytes, draws: random.Random) -> bytes:
    """Some bytes changed, taken out, doubled, or all from some place on left out."""
    found = bytearray(content)
    for _ in range(draws.choice((1, 1, 2, 8))):
        place = draws.randrange(min(len(found), draws.choice((200, 10**9))) or 1)
        what = draws.choice(("flip", "flip", "byte", "cut", "double", "end"))
        if what == "flip" and found:
            found[place] ^= 1 << draws.randrange(8)
        elif what == "byte" and found:
            found[place] = draws.choice(b"\0\xff(),-9:e'{\n")
        elif what == "cut":
            del found[place : place + draws.randrange(1, 40)]
        elif what == "double":
            found[place:place] = found[place : place + draws.randrange(1, 40)]
        else:
            del found[place:]
    return bytes(found)


def within_archive(content: bytes, draws: random.Random) -> bytes:
    """An .npz one of whose members is mutated, with the right checksum, so that numpy is what reads it."""
    if not content.startswith(b"PK") or draws.random() < 0.3:
        return mutated(content, draws)
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(written, "w") as new:
        chosen = draws.choice(old.namelist())
        for name in old.namelist():
            new.writestr(name, mutated(old.read(name), draws) if name == chosen else old.read(name))
    return written.getvalue()


@pytest.mark.filterwarnings("ignore")  # of Pillow and numpy about what they read nevertheless
@pytest.mark.parametrize("name", FORMATS)
def test_a_hundred_damaged_files_of_each_format_crash_nothing(tmp_path, name):
    write, make = FORMATS[name]
    path, draws = write(tmp_path), random.Random(name)
    content, refused = path.read_bytes(), []
    for _ in range(MUTATIONS):
        damaged = within_archive(content, draws)
        path.write_bytes(damaged)
        with within(20):
            try:
                make(tmp_path).setup()
            except UserError as error:
                refused.append(str(error))
        assert path.read_bytes() == damaged
    assert all(said and "\n" not in said for said in refused)
    assert len(refused) > MUTATIONS // 4 or name == "pictures"  # a broken image is skipped and told
