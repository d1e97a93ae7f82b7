"""MLflow as a tracker."""

import logging
import os
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

from dlcourse.runs.result import Result
from dlcourse.training.trackers.base import Tracker, sweep_folder


class MLflow(Tracker):
    """MLflow, in a local file or on a server: parameters, metrics, plots, checkpoint; jobs are nested in their sweep.

    Args:
        save_dir, patience: see `Tracker`.
        uri: `sqlite:///FILE`, or a server's `http://...`.
        experiment: name of the MLflow experiment.
        checkpoint: whether to log best.ckpt.
        timeout: of one request to a server, in seconds.
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
        self.last_step = 0
        self.client: Any = None

    def begin(self, parameters: dict[str, str]) -> None:
        """Find or create the MLflow run of the folder; the run of a job is nested in its sweep."""
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(self.timeout))
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # the default of seven retries takes minutes
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
        for start in range(0, len(new), 100):  # the limit of one request
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
            except Exception:  # a parallel job has created it
                time.sleep(0.5)
        raise RuntimeError(f"experiment {self.experiment} could neither be found nor created")

    def _find(self, key: str) -> str | None:
        found = self.client.search_runs([self.experiment_id], f"tags.`dlcourse.key` = '{key}'", max_results=1)
        return found[0].info.run_id if found else None

    def _create(self, key: str, title: str, tags: dict[str, str]) -> str:
        more = {"dlcourse.key": key, "mlflow.runName": title}
        return self.client.create_run(self.experiment_id, tags=tags | more, run_name=title).info.run_id

    def _parent(self, folder: Path) -> str:
        """The MLflow run of the sweep; of parallel jobs the one that creates the folder .mlflow creates it."""
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
        """Log all metrics in one request."""
        from mlflow.entities import Metric

        self.last_step = max(self.last_step, step)
        now = int(time.time() * 1000)
        self.client.log_batch(self.run_id, metrics=[Metric(name, value, now, step) for name, value in values.items()])

    def end(self, result: Result) -> None:
        """Log the metrics of the result, the files and the status."""
        values = {k: float(v) for k, v in result.metrics.items() if v is not None}
        self.figures(values, max(self.last_step, int(result.epochs or 0)))  # after the curves of the same names
        for path in self.files():
            self.client.log_artifact(self.run_id, str(path))
        for path in self.plots():
            self.client.log_artifact(self.run_id, str(path), "plots")
        best = self.folder / "checkpoints" / "best.ckpt"
        if self.checkpoint and best.exists():
            self.client.log_artifact(self.run_id, str(best), "checkpoints")
        status = {"completed": "FINISHED", "interrupted": "KILLED"}.get(result.status, "FAILED")
        self.client.set_terminated(self.run_id, status)
