"""Experiment trackers that a run can do without: MLflow and Weights & Biases.

Their clients work in a thread of their own, in order. Whatever one of them raises, or does not answer for too long, is
said once and ends the tracking, never the run; what was measured is in the run folder all the same.
"""

import logging
import os
import queue
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import OmegaConf

from dlcourse.errors import UserError
from dlcourse.results import CONFIG, RESULT

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
    def end(self, result: Mapping[str, Any]) -> None:
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
    def finish(self, result: Mapping[str, Any]) -> None:
        """Hand on what came of the run, and wait for the tracker, but not for ever."""
        if self._thread is None and self.failed is None and result.get("status") != "completed":
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


class MLflow(Tracker):
    """MLflow, in a local file or on a server: parameters, figures, pictures, checkpoint; a sweep holds its jobs.

    Args:
        save_dir, patience: see `Tracker`.
        uri: `sqlite:///FILE`, or a server's `http://...`.
        experiment: that the runs go into.
        checkpoint: keep best.ckpt there too.
        timeout: seconds for one request to a server.
    """

    package = "mlflow"

    def __init__(
        self,
        save_dir: str | Path,
        uri: str = "sqlite:///outputs/mlflow.db",
        experiment: str = "dlcourse",
        checkpoint: bool = True,
        timeout: int = 10,
        patience: float = 30.0,
    ):
        super().__init__(save_dir, patience)
        self.uri, self.experiment, self.checkpoint, self.timeout = uri, experiment, checkpoint, timeout
        self.sweep = sweep_folder()
        self.run_id = ""
        self.client: Any = None

    def begin(self, parameters: dict[str, str]) -> None:
        """Find the folder's run, or create it, under its sweep where it is a job of one."""
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(self.timeout))
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # seven of them wait for minutes
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        from mlflow.entities import Param
        from mlflow.tracking import MlflowClient

        if self.uri.startswith("sqlite:///"):
            Path(self.uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        self.client = MlflowClient(self.uri)
        self.experiment_id = self._experiment()
        tags = {"dlcourse.folder": str(self.folder)}
        if self.sweep is not None:
            tags["mlflow.parentRunId"] = self._parent(self.sweep)
        self.run_id = self._find(self.key) or self._create(self.key, self._title(), tags)
        self.client.update_run(self.run_id, status="RUNNING")
        known = self.client.get_run(self.run_id).data.params
        new = [Param(name, value[:500]) for name, value in parameters.items() if name not in known]
        for start in range(0, len(new), 100):  # as many as a request may have
            self.client.log_batch(self.run_id, params=new[start : start + 100])

    def _title(self) -> str:
        return f"{self.sweep.name}/{self.folder.name}" if self.sweep is not None else self.folder.name

    def _experiment(self) -> str:
        for _ in range(3):
            found = self.client.get_experiment_by_name(self.experiment)
            if found is not None:
                return found.experiment_id
            try:
                local = self.uri.startswith("sqlite:///")
                beside = Path(self.uri.removeprefix("sqlite:///")).absolute().with_name("mlartifacts")
                return self.client.create_experiment(self.experiment, beside.as_uri() if local else None)
            except Exception:  # a job beside this one was quicker
                time.sleep(0.5)
        raise RuntimeError(f"the experiment {self.experiment} can neither be found nor made")

    def _find(self, key: str) -> str | None:
        found = self.client.search_runs([self.experiment_id], f"tags.`dlcourse.key` = '{key}'", max_results=1)
        return found[0].info.run_id if found else None

    def _create(self, key: str, title: str, tags: dict[str, str]) -> str:
        more = {"dlcourse.key": key, "mlflow.runName": title}
        return self.client.create_run(self.experiment_id, tags=tags | more, run_name=title).info.run_id

    def _parent(self, folder: Path) -> str:
        """The sweep's own run; of jobs that start at once the one that makes a folder first makes it."""
        key = sha256(str(folder).encode()).hexdigest()[:16]
        try:
            (folder / ".mlflow").mkdir(parents=True)
        except FileExistsError:
            for _ in range(20):
                if found := self._find(key):
                    return found
                time.sleep(0.5)
        found = self._find(key) or self._create(key, folder.name, {"dlcourse.folder": str(folder)})
        self.client.set_terminated(found)
        return found

    def figures(self, values: dict[str, float], step: int) -> None:
        """One request for all of them."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self.client.log_batch(self.run_id, metrics=[Metric(name, value, now, step) for name, value in values.items()])

    def end(self, result: Mapping[str, Any]) -> None:
        """The result's figures, the files, and the status."""
        self.figures({k: float(v) for k, v in result["metrics"].items() if v is not None}, int(result["epochs"] or 0))
        for path in self.files():
            self.client.log_artifact(self.run_id, str(path))
        for path in self.pictures():
            self.client.log_artifact(self.run_id, str(path), "plots")
        best = self.folder / "checkpoints" / "best.ckpt"
        if self.checkpoint and best.exists():
            self.client.log_artifact(self.run_id, str(best), "checkpoints")
        status = {"completed": "FINISHED", "interrupted": "KILLED"}.get(result["status"], "FAILED")
        self.client.set_terminated(self.run_id, status)


class Wandb(Tracker):
    """Weights & Biases: parameters, figures, pictures, checkpoint; a sweep's jobs in a group.

    Args:
        save_dir, patience: see `Tracker`.
        project: that the runs go into.
        mode: `offline` writes into the run folder, for `wandb sync` later; `online` wants WANDB_API_KEY.
        checkpoint: keep best.ckpt there too.
        timeout: seconds for the start.
    """

    package = "wandb"

    def __init__(
        self,
        save_dir: str | Path,
        project: str = "dlcourse",
        mode: str = "offline",
        checkpoint: bool = True,
        timeout: int = 20,
        patience: float = 60.0,
    ):
        super().__init__(save_dir, patience)
        if mode not in ("offline", "online"):
            raise UserError(f"logger.wandb.mode={mode} is unknown: take offline or online")
        self.project, self.mode, self.checkpoint, self.timeout = project, mode, checkpoint, timeout
        self.sweep = sweep_folder()
        self.run: Any = None

    def begin(self, parameters: dict[str, str]) -> None:
        """One run, without a question on the terminal."""
        os.environ.setdefault("WANDB_SILENT", "true")
        wandb: Any = import_module("wandb")
        if self.mode == "online" and not (os.environ.get("WANDB_API_KEY") or wandb.api.api_key):
            raise RuntimeError("no API key: set WANDB_API_KEY, or take logger.wandb.mode=offline")
        self.run = wandb.init(
            project=self.project, name=self.folder.name, id=self.key, resume="allow", mode=self.mode,
            dir=str(self.folder), config=parameters, group=self.sweep.name if self.sweep else None, reinit="create_new",
            settings=wandb.Settings(init_timeout=self.timeout, console="off", silent=True),
        )  # fmt: skip

    def figures(self, values: dict[str, float], step: int) -> None:
        """With their step as a figure, since a resumed run may go back in steps."""
        self.run.log(values | {"trainer/global_step": step})

    def end(self, result: Mapping[str, Any]) -> None:
        """Figures into the summary, pictures, files and checkpoint."""
        wandb: Any = import_module("wandb")
        self.run.summary.update({name: value for name, value in result["metrics"].items() if value is not None})
        if pictures := self.pictures():
            self.run.log({f"plots/{path.stem}": wandb.Image(str(path)) for path in pictures})
        best = self.folder / "checkpoints" / "best.ckpt"
        for path in [*self.files(), *([best] if self.checkpoint and best.exists() else [])]:
            self.run.save(str(path), base_path=str(self.folder), policy="now")
        self.run.finish(exit_code=0 if result["status"] == "completed" else 1)
