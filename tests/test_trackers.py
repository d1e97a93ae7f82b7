"""Trackers: what they log, and that a run continues without them."""

import json
import threading
import time
from pathlib import Path

import pytest

from dlcourse.errors import UserError
from dlcourse.runs.result import Result
from dlcourse.training.trackers.base import Tracker
from dlcourse.training.trackers.mlflow import MLflow

RUN = ["model=nearest_centroid", "data=digits8", "trainer=cpu", "plots=false"]


class Fake(Tracker):
    """Records its calls; raises in one of them."""

    raises = ""

    def __init__(self, save_dir, patience=30.0):
        super().__init__(save_dir, patience)
        self.got = []

    def _take(self, name, *what):
        if self.raises == name:
            raise ConnectionError("the server is\ndown")
        self.got.append((name, *what))

    def begin(self, parameters):
        self._take("begin", parameters)

    def figures(self, values, step):
        self._take("figures", values, step)

    def end(self, result):
        self._take("end", result.status)


def _use(tracker: Tracker) -> None:
    for step in range(3):
        tracker.log_metrics({"train/loss": 1.0, "epoch": step}, step)
    tracker.finish(Result("train", "completed"))


def test_a_tracker_is_given_parameters_figures_and_the_end_in_order(tmp_path):
    (tmp_path / "config.yaml").write_text("seed: 3\nmodel: {name: cnn}\nbegun: {overrides: []}\n")
    tracker = Fake(tmp_path)
    _use(tracker)
    assert tracker.got[0] == ("begin", {"seed": "3", "model.name": "cnn"})
    assert tracker.got[1:4] == [("figures", {"train/loss": 1.0}, step) for step in range(3)]
    assert tracker.got[4] == ("end", "completed") and tracker.failed is None


@pytest.mark.parametrize("place", ["begin", "figures", "end"])
def test_a_tracker_that_raises_costs_one_warning(tmp_path, caplog, place):
    tracker = Fake(tmp_path)
    tracker.raises = place
    _use(tracker)
    assert tracker.failed == "ConnectionError: the server is down"
    assert [record.message for record in caplog.records] == [
        "Fake failed (ConnectionError: the server is down); the run continues without it"
    ]
    assert len(tracker.got) == {"begin": 0, "figures": 1, "end": 4}[place]


def test_a_tracker_that_never_answers_does_not_stall_the_run(tmp_path, caplog):
    released = threading.Event()

    class Silent(Fake):
        def figures(self, values, step):
            released.wait(30)

    tracker = Silent(tmp_path, patience=0.3)
    start = time.monotonic()
    _use(tracker)
    assert time.monotonic() - start < 5 and tracker.failed == "no answer for 0.3 s"
    released.set()


def test_a_run_that_never_started_is_not_tracked(tmp_path):
    tracker = Fake(tmp_path)
    tracker.finish(Result("train", "failed"))
    assert tracker.got == []


def test_a_package_that_is_not_installed_gets_the_command(monkeypatch, tmp_path, command):
    monkeypatch.setattr("dlcourse.training.trackers.base.find_spec", lambda name: None)
    with pytest.raises(UserError, match="uv sync --extra mlflow"):
        MLflow(tmp_path)
    code, _, error = command("train", *RUN, "logger=[csv,wandb]")
    assert code == 1 and error.startswith("error: logger=wandb requires a package") and len(error.splitlines()) == 1


def test_a_mode_that_is_unknown_is_refused(tmp_path):
    pytest.importorskip("wandb")
    from dlcourse.training.trackers.wandb import Wandb

    with pytest.raises(UserError, match="use offline or online"):
        Wandb(tmp_path, mode="disabeld")


def _only_result() -> dict:
    (path,) = Path("outputs").glob("*/*/result.json")
    return json.loads(path.read_text())


@pytest.mark.whole
@pytest.mark.filterwarnings("ignore")  # of the clients' own
@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "sqlite:////proc/nowhere/mlflow.db", "nonsense://x"])
def test_an_mlflow_that_is_down_costs_a_run_one_sentence(command, uri):
    pytest.importorskip("mlflow")
    start = time.monotonic()
    code, out, error = command("train", *RUN, "logger=[csv,mlflow]", f"logger.mlflow.uri={uri}")
    assert code == 0, error
    assert _only_result()["status"] == "completed" and time.monotonic() - start < 45
    said = [line for line in (out + error).splitlines() if "continues without it" in line]
    log = next(Path("outputs").rglob("train.log")).read_text()
    assert log.count("continues without it") == 1 and len(said) <= 1


@pytest.mark.whole
@pytest.mark.filterwarnings("ignore")
def test_mlflow_holds_a_sweep_and_its_jobs(command):
    pytest.importorskip("mlflow")
    words = [*RUN[:-1], "logger=[csv,mlflow]", "name=tracked", "plots=true"]
    code, _, error = command("train", "-m", *words, "model.dtype=float64,float32")
    assert code == 0, error
    from mlflow.tracking import MlflowClient

    client = MlflowClient("sqlite:///outputs/mlflow.db")
    experiment = client.get_experiment_by_name("dlcourse")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"tracked", "tracked/0", "tracked/1"}
    for number, dtype in enumerate(("float64", "float32")):
        run = runs[f"tracked/{number}"]
        assert run.data.tags["mlflow.parentRunId"] == runs["tracked"].info.run_id
        assert run.info.status == "FINISHED" and run.data.params["model.dtype"] == dtype
        assert run.data.metrics["test/accuracy"] > 0.8
        kept = {item.path for item in client.list_artifacts(run.info.run_id)}
        assert {"result.json", "config.yaml", "plots", "checkpoints"} <= kept
        assert any(item.path.endswith("confusion.png") for item in client.list_artifacts(run.info.run_id, "plots"))


@pytest.mark.filterwarnings("ignore")
def test_wandb_works_offline(command):
    pytest.importorskip("wandb")
    code, _, error = command("train", *RUN, "logger=[csv,wandb]")
    assert code == 0, error
    assert _only_result()["status"] == "completed"
    assert list(Path("outputs").rglob("wandb/offline-run-*/*.wandb"))
    assert "continues without it" not in next(Path("outputs").rglob("train.log"), Path("/dev/null")).read_text()
