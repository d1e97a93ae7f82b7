"""The base class of the experiment trackers, MLflow and Weights & Biases.

A tracker's client runs in its own thread. An error or a timeout prints one warning and ends the tracking, never the
run; all results are in the run folder anyway.
"""

import logging
import queue
import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import OmegaConf

from dlcourse.errors import UserError
from dlcourse.runs.result import CONFIG, RESULT, Result

log = logging.getLogger(__name__)


class Tracker(Logger):
    """A logger that passes its calls on to a client in another thread, in order.

    Args:
        save_dir: the run folder.
        patience: longest time in seconds that the end of a run waits for the tracker.

    Raises:
        UserError: its package is not installed.
    """

    package = ""

    def __init__(self, save_dir: str | Path, patience: float = 30.0):
        super().__init__()
        if self.package and find_spec(self.package) is None:
            raise UserError(
                f"logger={self.package} requires a package that is not installed: uv sync --extra {self.package}"
                f" (or pip install {self.package})"
            )
        self.folder, self.patience = Path(save_dir).absolute(), patience
        self.failed: str | None = None
        self._calls: queue.SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    @abstractmethod
    def begin(self, parameters: dict[str, str]) -> None:
        """Start or resume the tracker's run for the folder; called in the thread."""

    @abstractmethod
    def figures(self, values: dict[str, float], step: int) -> None:
        """Log the metrics of a step; called in the thread."""

    @abstractmethod
    def end(self, result: Result) -> None:
        """Log the result, the plots and the checkpoint, and close; called in the thread."""

    @property
    def name(self) -> str:
        return self.package or type(self).__name__

    @property
    def version(self) -> str:
        return ""

    @property
    def key(self) -> str:
        """An identifier of the folder, so that a resumed run continues in the same run of the tracker."""
        return sha256(str(self.folder).encode()).hexdigest()[:16]

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing to do: parameters are read from config.yaml."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Pass metrics on."""
        values = {name: float(value) for name, value in metrics.items() if name != "epoch"}
        if values:
            self._enqueue(self.figures, values, step or 0)

    @rank_zero_only
    def finish(self, result: Result) -> None:
        """Pass the result on, and wait for the tracker for at most `patience` seconds."""
        if self._thread is None and self.failed is None and result.status != "completed":
            return  # the run never started
        self._enqueue(self.end, result)
        self._calls.put(None)
        if self._thread is not None:
            self._thread.join(self.patience)
            if self._thread.is_alive():
                self._give_up(f"no answer for {self.patience:g} s")

    def _enqueue(self, call: Callable[..., None], *arguments: Any) -> None:
        if self.failed is not None:
            return
        if self._thread is None:
            self._calls.put((self.begin, (self._parameters(),)))
            self._thread = threading.Thread(target=self._work, name=f"{self.name} tracker", daemon=True)
            self._thread.start()
        self._calls.put((call, arguments))

    def _work(self) -> None:
        while (found := self._calls.get()) is not None:
            call, arguments = found
            if self.failed is None:
                try:
                    call(*arguments)
                except BaseException as error:  # some clients raise SystemExit
                    self._give_up(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")

    def _give_up(self, reason: str) -> None:
        if self.failed is None:
            self.failed = reason
            log.warning("%s failed (%s); the run continues without it", self.name, reason)

    def _parameters(self) -> dict[str, str]:
        """All options of the run by their dotted names."""
        stored = self.folder / CONFIG
        if not stored.exists():
            return {}
        found: dict[str, str] = {}

        def walk(node: Any, prefix: str) -> None:
            if isinstance(node, dict) and node:
                for name, value in node.items():
                    walk(value, f"{prefix}{name}.")
            else:
                found[prefix.rstrip(".")] = str(node)

        walk(OmegaConf.to_container(OmegaConf.load(stored)), "")
        return {name: value for name, value in found.items() if not name.startswith(("begun.", "hydra."))}

    def plots(self) -> list[Path]:
        """The PNG files of the run's plots."""
        return sorted((self.folder / "plots").glob("*.png"))

    def files(self) -> list[Path]:
        """result.json, config.yaml and metrics.csv."""
        return [path for name in (RESULT, CONFIG, "metrics.csv") if (path := self.folder / name).exists()]


def sweep_folder() -> Path | None:
    """The folder of the sweep if this run is a job of one."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return None
    return Path(HydraConfig.get().sweep.dir).absolute()
