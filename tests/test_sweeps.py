"""A multirun ends with a table and a picture, one failing job does not end it, and it goes on where it was left."""

import csv
import json
import warnings
from pathlib import Path

import pytest

from dlcourse.data import memory_cache
from dlcourse.data.npz import read_npz
from tests.conftest import PINNED
from tests.test_cli import RUN

XOR = ["-m", "model=xor", "data=xor", "model.restarts=8", "trainer.max_epochs=1", "trainer=cpu", "plots=false"]
SOME = Path("outputs/sweeps/some")


def rows(folder=SOME):
    """The rows of sweep.csv in the order of the jobs' numbers."""
    found = list(csv.DictReader((folder / "sweep.csv").read_text().splitlines()))
    return sorted(found, key=lambda row: int(row["job"]))


def stamps(folder=SOME):
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("*/result.json")}


def test_a_sweep_ends_with_csv_table_and_picture(command):
    words = ["-m", *RUN, "model=clock_classification", "model.num_classes=24,720", "name=classes"]
    code, out, error = command("train", *words)
    folder = Path("outputs/sweeps/classes")
    assert code == 0, error
    found = rows(folder)
    assert [row["model.num_classes"] for row in found] == ["24", "720"]
    assert all(row["status"] == "completed" and float(row["test/error_minutes"]) >= 0 for row in found)
    assert (folder / "sweep.png").stat().st_size > 5000
    assert (folder / "sweep.md").read_text().count("\n|") == 4
    assert "model.num_classes" in out and "Results saved to outputs/sweeps/classes" in out
    code, _, error = command("train", *words)
    assert code == 1 and "already contains a sweep" in error


def test_a_job_refused_before_it_began_has_its_row_and_its_log_too(command):
    code, _, error = command("train", "-m", *RUN, "data.count=5,120", "name=some")
    assert code == 1 and "1 job failed: 0" in error
    found = rows()
    assert "data.count=5 is too small" in found[0]["status"] and found[1]["status"] == "completed"
    assert "failed: data.count=5 is too small" in (SOME / "0" / "train.log").read_text()


def test_a_failing_job_is_reported_and_the_others_go_on(command):
    code, _, error = command("train", *XOR, "model.stop=never,solved", "seed=0,1", "name=some")
    assert code == 1 and "2 jobs failed: 0, 1" in error
    found = rows()
    assert [row["status"] == "completed" for row in found] == [False, False, True, True]
    assert "never" in found[0]["status"] and (SOME / "sweep.png").exists()
    code, _, error = command("train", *XOR, "model.stop=never,solved", "seed=0,1", "name=some", "resume=true")
    assert code == 1 and "2 jobs failed: 0, 1" in error


@pytest.mark.whole
def test_going_on_runs_what_is_missing_in_any_order(command):
    assert command("train", *XOR, "model.optimizer.lr=0.5,0.8", "seed=0", "name=some")[0] == 0
    (SOME / "1" / "result.json").unlink()  # as if it had been killed
    before = stamps()
    code, out, error = command(
        "train", *XOR, "seed=0", "model.optimizer.lr=1.2,0.8,5e-1", "name=some", "resume=true"
    )  # fmt: skip
    assert code == 0, error
    assert "1 of 3 jobs of outputs/sweeps/some are already finished" in out
    assert [row["model.optimizer.lr"] for row in rows()] == ["0.5", "0.8", "1.2"]
    assert stamps()["0"] == before["0"] and "resume" not in rows()[0]
    # with nothing but its name a sweep goes on with its own jobs; finished, it draws its summary
    before = stamps()
    (SOME / "sweep.png").unlink()
    code, out, error = command("train", "-m", "name=some", "resume=true")
    assert code == 0 and "3 of 3 jobs" in out, error
    assert stamps() == before and (SOME / "sweep.png").exists()


def test_presets_are_swept_by_a_pattern(command):
    code, out, error = command(
        "train", "-m", "experiment=glob(xor/b?,exclude=[*3,*4])", *XOR[3:], "trainer.max_epochs=1", "name=some"
    )
    assert code == 0, error
    assert "experiment=xor/b? matches xor/b1, xor/b2" in out
    assert [row["experiment"] for row in rows()] == ["xor/b1", "xor/b2"]


@pytest.mark.whole
def test_data_sets_stay_in_memory_between_jobs_within_a_limit(command, image_sets, monkeypatch):
    read = []
    monkeypatch.setattr("dlcourse.data.images.cached_npz", lambda path, *_: read.append(path) or read_npz(path))
    words = ["-m", "model=mlp", "data=mnist", "data.validation=50", "debug=fast", "trainer=cpu", "plots=false", *PINNED]
    memory_cache._kept.clear()
    assert command("train", *words, "seed=0,1", "data.batch_size=10,20", "name=some")[0] == 0
    assert len(read) == 1
    first, second = (json.loads((SOME / job / "result.json").read_text())["metrics"] for job in ("0", "2"))
    assert first != second
    monkeypatch.setattr(memory_cache, "LIMIT", 10)
    memory_cache._kept.clear()
    assert command("train", *words, "seed=0,1", "name=bounded")[0] == 0
    assert len(read) == 3 and not memory_cache._kept


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model.optimizer.lrr=1,2"], "unknown key model.optimizer.lrr; did you mean model.optimizer.lr?"),
        (["seed="], "seed= has an empty value"),
        (["seed=range(3,3)"], "seed=range(3,3) is an empty range"),
        (["name=a,b"], "name cannot be swept"),
        (["resume=true,false"], "resume cannot be swept"),
        (["hydra.sweep.subdir=a,b"], "hydra.sweep.subdir"),
        (["hydra.sweeper.max_batch_size=1,2"], "hydra.sweeper.max_batch_size"),
        (["seed=1,1"], "the sweep contains the same job twice"),
        (["experiment=mnits/*"], "experiment=mnits/* does not match any experiment"),
        (["experiment=xor/b1,xor/b9"], "experiment=xor/b9 is unknown"),
        (["model=xor,xorr"], "model=xorr is unknown; did you mean xor"),
        (["hydra/launcher=paralel"], "hydra/launcher=paralel is unknown; did you mean parallel?"),
        (["seed=0,1", "hydra.sweep.dir=mine"], "mine is not a sweep folder and contains other files"),
        (["seed=0,1", "hydra.sweep.dir=mine", "resume=true"], "mine is not a sweep folder and contains other files"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_in_one_sentence_and_leaves_nothing(command, words, said):
    Path("mine").mkdir()
    Path("mine/letter.txt").write_text("dear")
    code, out, error = command("train", *XOR, *words)
    assert code == 1 and said in error and "Traceback" not in error, out
    assert error.startswith("error: ") and len(error.strip().splitlines()) == 1
    assert not Path("outputs").exists() or not list(Path("outputs").rglob("*"))


def test_nothing_cannot_be_gone_on_with(command):
    code, _, error = command("train", "-m", "name=nothing", "resume=true")
    assert code == 1 and "outputs/sweeps/nothing does not contain a sweep to continue" in error
    assert len(error.strip().splitlines()) == 1 and not list(Path("outputs").rglob("*"))


def test_a_launcher_that_is_not_installed_is_named_with_the_command_that_installs_it(command):
    try:
        import ray  # noqa: F401
    except ImportError:
        code, _, error = command("train", *XOR, "seed=0,1", "hydra/launcher=ray_here")
        assert (
            code == 1
            and "this launcher needs the extra ray: uv sync --extra ray" in error
            and len(error.strip().splitlines()) == 1
        )
    else:
        pytest.skip("Ray is installed")


def test_a_summary_that_fails_is_an_error(command, monkeypatch):
    def fail(*_):
        raise ValueError("no picture")

    monkeypatch.setattr("dlcourse.sweeps.summary.summarise", fail)
    with warnings.catch_warnings():
        code, _, error = command("train", *XOR, "seed=0,1")
    assert code == 1 and "the summary of outputs/sweeps" in error and "no picture" in error
