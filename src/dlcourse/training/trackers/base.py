"""Experiment trackers that a run can do without: MLflow and Weights & Biases.

Their clients work in a thread of their own, in order. Whatever one of them raises, or does not answer for too long, is
said once and ends the tracking, never the run; what was measured is in the run folder all the same.
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
    """What is common to them: a queue of calls, and the end of it.

    Args:
        save_dir: the run folder.
        patience: seconds that the end of a run waits for the tracker at most.

    Raises:
        UserError: its package is not installed.
    """

    package = ""

    def __init__(self, save_dir: str | Path, patience: float = 30.0):
        super().__init__()
        if self.package and find_spec(self.package) is None:
            raise UserError(
                f"logger={self.package} needs a package that is not installed: uv sync --extra {self.package}"
                f" (or pip install {self.package})"
            )
        self.folder, self.patience = Path(save_dir).absolute(), patience
        self.failed: str | None = None
        self._calls: queue.SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    @abstractmethod
    def begin(self, parameters: dict[str, str]) -> None:
        """Start, or go on with, the folder's run; in the thread."""

    @abstractmethod
    def figures(self, values: dict[str, float], step: int) -> None:
        """Take figures of a step; in the thread."""

    @abstractmethod
    def end(self, result: Result) -> None:
        """Take the result, the pictures and the checkpoint, and close; in the thread."""

    @property
    def name(self) -> str:
        return self.package or type(self).__name__

    @property
    def version(self) -> str:
        return ""

    @property
    def key(self) -> str:
        """The same for the same folder, so that a resumed run goes on in its own."""
        return sha256(str(self.folder).encode()).hexdigest()[:16]

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """They are taken from config.yaml."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Hand figures on."""
        values = {name: float(value) for name, value in metrics.items() if name != "epoch"}
        if values:
            self._hand_on(self.figures, values, step or 0)

    @rank_zero_only
    def finish(self, result: Result) -> None:
        """Hand on what came of the run, and wait for the tracker, but not for ever."""
        if self._thread is None and self.failed is None and result.status != "completed":
            return  # a run that did not begin
        self._hand_on(self.end, result)
        self._calls.put(None)
        if self._thread is not None:
            self._thread.join(self.patience)
            if self._thread.is_alive():
                self._give_up(f"no answer for {self.patience:g} s")

    def _hand_on(self, call: Callable[..., None], *arguments: Any) -> None:
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
                except BaseException as error:  # some clients leave by SystemExit
                    self._give_up(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")

    def _give_up(self, reason: str) -> None:
        if self.failed is None:
            self.failed = reason
            log.warning("%s cannot be reached or used (%s); the run goes on without it", self.name, reason)

    def _parameters(self) -> dict[str, str]:
        """Every option of the run by its dotted name."""
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

    def pictures(self) -> list[Path]:
        """What was drawn."""
        return sorted((self.folder / "plots").glob("*.png"))

    def files(self) -> list[Path]:
        """The run in short: result, config and curves."""
        return [path for name in (RESULT, CONFIG, "metrics.csv") if (path := self.folder / name).exists()]


def sweep_folder() -> Path | None:
    """The folder of the sweep that this run is a job of."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return None
    return Path(HydraConfig.get().sweep.dir).absolute()
