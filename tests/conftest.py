"""What the tests share: a small clock data set, and a run made once.

What takes seconds to import is imported where it is used: the process that hands out the tests runs none of them.
"""

import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

TINY = ["data=clocks", "data.count=120", "data.size=48", "data.batch_size=24", "debug=fast", "trainer=cpu"]
NET = [f"model.net.{option}" for option in ("width=4", "first=4", "read=2", "steps=[1]", "radii=8", "angles=24")]
PINNED = ["trainer.precision=32-true"]
REAL_DATA = Path(os.environ["DLCOURSE_REAL_DATA"]).absolute() if os.environ.get("DLCOURSE_REAL_DATA") else None


def pytest_configure() -> None:
    """Keep compiled modules, also where PYTHONDONTWRITEBYTECODE is set: compiling is most of an import of torch."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


@pytest.fixture(scope="session", autouse=True)
def _threads() -> None:
    import torch

    torch.set_num_threads(1)  # nets this small gain nothing by a second one, and wait for it on a busy machine


@pytest.fixture(scope="session", autouse=True)
def _compositions() -> None:
    """Compositions take most of the time of the short tests."""
    from tests.composing import keep_compositions

    keep_compositions()


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where every test's rendered pictures are kept."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test in a folder of its own, with the shared data and the same random numbers in any order."""
    import torch

    torch.manual_seed(0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLCOURSE_DATA", str(data_dir))
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)


@pytest.fixture
def real_data(monkeypatch: pytest.MonkeyPatch):
    """`real_data("mnist")` lets a test use the published files, or skips it where they are not at hand."""

    def use(name: str) -> Path:
        folder = REAL_DATA
        if folder is None or not (folder / f"{name}.npz").exists():
            pytest.skip(f"{name}.npz is not in $DLCOURSE_REAL_DATA")
        monkeypatch.setenv("DLCOURSE_DATA", str(folder))
        return folder

    return use


def _tiny_run(folder: Path, *overrides: str, **more: Any) -> dict[str, Any]:
    """The tiny clock model, without pictures."""
    from dlcourse.commands.train import run
    from dlcourse.config import compose

    words = ["model=clock_multihead", *TINY, *NET, *PINNED, "plots=false", *overrides]
    return run(compose(*words), folder=folder, overrides=words, **more)


@pytest.fixture
def tiny_run(tmp_path: Path):
    """Trains the tiny clock model; `tiny_run("model=clock_cyclic", folder="a")` gives its result."""

    def start(*overrides: str, folder: str = "run", **more: Any) -> dict[str, Any]:
        return _tiny_run(tmp_path / folder, *overrides, **more)

    return start


@pytest.fixture(scope="session")
def _trained(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLCOURSE_DATA", str(data_dir))
        return Path(_tiny_run(tmp_path_factory.mktemp("trained") / "run")["folder"])


@pytest.fixture
def run_folder(_trained: Path, tmp_path: Path) -> Path:
    """A copy of the folder of a finished run of the tiny clock model, trained once."""
    return Path(shutil.copytree(_trained, tmp_path / "run"))


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs a command in this process: `command("train", "model=...")` gives exit code, stdout and stderr."""
    from dlcourse.config import use_config_dir

    def start(verb: str, *arguments: str) -> tuple[int, str, str]:
        from importlib import import_module

        from hydra.core.global_hydra import GlobalHydra

        from dlcourse.cli.launch import launch

        GlobalHydra.instance().clear()
        monkeypatch.setattr(sys, "argv", [f"dlcourse.{verb}", *arguments])
        code = 0
        try:
            launch(verb, import_module(f"dlcourse.{verb}").task)
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
            if isinstance(stop.code, str):
                print(stop.code, file=sys.stderr)
        finally:
            monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    yield start
    use_config_dir(None)  # what a command was given does not hold for the next test


SHAPES = {"mnist": (28, 28), "fashion_mnist": (28, 28), "cifar10": (32, 32, 3), "cifar100": (32, 32, 3)}


def small_arrays(name: str, train: int = 300, test: int = 60) -> dict[str, np.ndarray]:
    """Made-up pictures in the shape of a published set, their classes visible as brightness."""
    from dlcourse.data.cifar import CIFAR100

    draws = np.random.default_rng(0)
    found = {}
    for split, count in (("train", train), ("test", test)):
        classes = 100 if name == "cifar100" else 10
        labels = np.arange(count) % classes
        levels = (labels * 200 // classes).reshape(-1, *[1] * len(SHAPES[name]))
        found[f"{split}_x"] = (draws.integers(0, 56, (count, *SHAPES[name])) + levels).astype(np.uint8)
        pairs = np.stack([labels, np.asarray(CIFAR100.GROUP_OF)[labels % 100]], 1)
        found[f"{split}_y"] = (pairs if name == "cifar100" else labels).astype(np.int64)
    return found


@pytest.fixture(scope="session")
def image_sets(data_dir: Path) -> Path:
    """The folder of prepared data sets, with small made-up ones under the published names."""
    from dlcourse.data.published_files import DIGESTS, digest

    for name in SHAPES:
        arrays = small_arrays(name)
        np.savez(data_dir / f"{name}.npz", **arrays)
        DIGESTS[name] = digest(arrays)  # so that they stand for the published files
    return data_dir


@pytest.fixture
def stopped_in_epoch(monkeypatch):
    """`with stopped_in_epoch(2): run(...)`: the run breaks off when that epoch begins."""

    from dlcourse.models.base import BaseModule

    class Stop(Exception):
        pass

    @contextmanager
    def stopped(epoch):
        def stop(self):
            if self.current_epoch == epoch:
                raise Stop

        with monkeypatch.context() as patch, pytest.raises(Stop):
            patch.setattr(BaseModule, "on_train_epoch_start", stop, raising=False)
            yield

    return stopped


def small_faces(count: int = 120, size: int = 32, colour: bool = False) -> np.ndarray:
    """Made-up pictures with something to learn: a bright disc on dark, its place and size drawn."""
    draws = np.random.default_rng(0)
    (x, y), r = draws.uniform(0.3, 0.7, (2, count, 1, 1)), draws.uniform(0.15, 0.3, (count, 1, 1))
    rows, columns = np.mgrid[:size, :size] / size
    discs = np.where((rows - y) ** 2 + (columns - x) ** 2 < r**2, 200, 40) + draws.integers(0, 30, (count, size, size))
    grey = discs.astype(np.uint8)
    return np.stack([grey, grey // 2, 255 - grey], 3) if colour else grey


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """An .npz of made-up pictures, 32x32 and grey."""
    path = tmp_path / "faces.npz"
    np.savez(path, train_x=small_faces())
    return path


FACES = ["data=faces", "data.size=32", "data.batch_size=16", "trainer=cpu", "trainer.max_epochs=2", *PINNED]
FACE_NET = ["model.net.width=4", "model.net.layers=3", "model.latent=6", "model.features=random"]


@pytest.fixture
def face_run(tmp_path: Path, faces: Path):
    """Runs a small generative model; `face_run("vae", "model.beta=2", folder="a")` gives its result."""

    from dlcourse.commands.train import run
    from dlcourse.config import compose

    def start(model: str, *overrides: str, folder: str = "run", **more: Any) -> dict[str, Any]:
        net = ["model.discriminator.width=4"] if model == "gan" else []
        words = [f"model={model}", *FACES, f"data.path={faces}", *FACE_NET, *net, *overrides]
        return run(compose(*words), folder=tmp_path / folder, overrides=words, **more)

    return start
