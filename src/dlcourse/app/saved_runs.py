"""The runs that the tabs offer: found in folders, loaded once, used by one visitor at a time."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from torch import Tensor

from dlcourse.data.digits import Digits8
from dlcourse.data.images import LabelledImages
from dlcourse.data.module import DataModule
from dlcourse.data.rendered import Rendered
from dlcourse.errors import UserError
from dlcourse.models.base import BaseModule
from dlcourse.models.build import build_data, load_run, target
from dlcourse.models.generative import Generative
from dlcourse.reporting.collect import Run, collect
from dlcourse.runs.folders import weights_file
from dlcourse.runs.metrics import figure, leading_metric
from dlcourse.runs.result import CONFIG, RESULT
from dlcourse.runs.stored_config import read_stored

KEPT = 4  # models in memory
IMAGES = 500  # of a data set that the tabs look at
Fits = Callable[[type, Run], bool]


@dataclass
class Loaded:
    """A run in memory.

    Attributes:
        cfg: its config.
        model: with the best weights, in evaluation mode.
        images: stored test images [N, ...]; None until they are asked for.
        labels: of them.
        notes: what a tab has computed for the run.
    """

    cfg: DictConfig
    model: Any
    images: Tensor | None = None
    labels: Tensor | None = None
    notes: dict[str, Any] = field(default_factory=dict)


class SavedRuns:
    """The runs below some folders.

    Args:
        folders: to search; those that do not exist are ignored.
        trust: packages or full class names outside dlcourse that a stored run may build.
    """

    def __init__(self, folders: Sequence[Path], trust: str | Iterable[str] | None = ()):
        self.folders, self.trust = list(folders), trust
        self._kinds: dict[tuple[Path, float], type | None] = {}
        self._loaded: OrderedDict[tuple[Path, float], Loaded] = OrderedDict()
        self._lock = threading.RLock()  # hooks and modes of a shared net allow one visitor at a time

    def choices(self, fits: Fits) -> list[tuple[str, str]]:
        """Label and folder of the trained runs that fit, newest first, those without a checkpoint last.

        Args:
            fits: whether a tab can use a run, given the class of its model.
        """
        found = collect([folder for folder in self.folders if folder.is_dir()], published=False).runs
        usable = [run for run in found if run.folder is not None and run.result.verb == "train"]
        rows = []
        for run in usable:
            assert run.folder is not None
            kind = self._kind(run.folder)
            if kind is not None and fits(kind, run):
                there = checkpoint(run.folder) is not None
                rows.append((there, _modified(run.folder / RESULT), label(run, there), str(run.folder)))
        return [(name, folder) for *_, name, folder in sorted(rows, reverse=True)]

    def _kind(self, folder: Path) -> type | None:
        """The class of a run's model; None where its config cannot be read or builds what is not trusted."""
        key = folder, _modified(folder / CONFIG)
        if key not in self._kinds:
            kind = None
            with suppress(UserError):
                node = read_stored(folder / CONFIG, self.trust).get("model")
                kind = target(node) if node is not None else None  # a model object that was passed to `run`
            # assigned once: other tabs read it at the same time
            self._kinds[key] = kind if isinstance(kind, type) and issubclass(kind, BaseModule) else None
        return self._kinds[key]

    @contextmanager
    def use(self, folder: str | None) -> Generator[Loaded]:
        """A loaded run, for one visitor at a time.

        Raises:
            UserError: no run is chosen, or it cannot be loaded.
        """
        if not folder:
            raise UserError("no run is chosen: choose one from the list, or train one")
        path = Path(folder)
        with self._lock:
            key = path, _modified(checkpoint(path) or path)
            if key not in self._loaded:
                self._loaded[key] = Loaded(*load_run(path, self.trust))
                while len(self._loaded) > KEPT:
                    self._loaded.popitem(last=False)
            self._loaded.move_to_end(key)
            yield self._loaded[key]

    def images(self, loaded: Loaded) -> Tensor:
        """The first test images of a run's data set, as its model takes them.

        Raises:
            UserError: the data set is not on this machine, or cannot be read.
        """
        if loaded.images is None:
            data = build_data(loaded.cfg)
            # Rendering and downloads take minutes, in which the other tabs wait.
            stored = isinstance(data, Rendered | LabelledImages) and not isinstance(data, Digits8)
            if stored and not data.path.exists():
                raise UserError(f"{data.path} not found: prepare the data set with python -m dlcourse.evaluate run=DIR")
            data.setup()
            loaded.images, loaded.labels = _test_split(data, loaded.model)
        return loaded.images


def _test_split(data: DataModule, model: BaseModule) -> tuple[Tensor, Tensor]:
    if isinstance(model, Generative):
        data.as_pictures()
    images, labels = data.arrays["test" if "test" in data.arrays else "train"]
    return images[:IMAGES], labels[:IMAGES]


def checkpoint(folder: Path) -> Path | None:
    """The weights of a run, None where they are missing."""
    file = weights_file(folder)
    return file if file.is_file() else None


def label(run: Run, complete: bool = True) -> str:
    """A run's name in a list: `fast_cnn on mnist, test accuracy 98.5 % (outputs/2026-11-29/...)`."""
    words = f"{run.result.model} on {run.result.data}"
    name = leading_metric(run.metrics, run.result.references)
    if name is not None and not run.trial:
        words += f", {name.replace('/', ' ').replace('_', ' ')} {figure(name, run.metrics[name])}"
    return f"{words} ({run.folder}{'' if complete else '; checkpoint missing'})"


def generative(kind: type, run: Run) -> bool:
    """Whether a run draws images from a latent vector."""
    return issubclass(kind, Generative)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
