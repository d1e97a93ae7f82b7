"""The benchmarks' one command: names, table, JSON; every benchmark at a tiny size where slow tests run."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import clock_time, gpu, table
from benchmarks.__main__ import main
from dlcourse.errors import UserError

ROOT = Path(__file__).parents[1]


def command(*words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]), "OMP_NUM_THREADS": "1"}
    call = [sys.executable, "-m", *words]
    return subprocess.run(call, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def here(monkeypatch, capfd):
    """Runs a benchmark's command in this process: exit code, stdout and stderr."""

    def start(program: Callable[[list[str]], int], *words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["benchmarks", *words])
        with pytest.raises(SystemExit) as stop:
            table.leave_with(program)
        said = capfd.readouterr()
        return int(stop.value.code or 0), said.out, said.err

    return start


def only_json() -> dict:
    (path,) = Path("outputs/benchmarks").glob("*.json")
    return json.loads(path.read_text())


def test_a_wrong_name_is_answered_in_one_sentence_with_the_nearest(here):
    code, _, error = here(main, "mnist_dens")
    assert code == 1 and not Path("outputs").exists()
    (line,) = error.splitlines()
    assert "mnist_dens" in line and "mnist_dense" in line


def test_the_list_has_each_benchmark_with_what_it_measures(capsys):
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(table.names()) > 15
    assert all(line.partition("  ")[2].strip() for line in lines)
    by_name = [line.split()[0] for line in lines if "by name alone" in line]
    assert by_name == ["clock_time", "long_sweep", "preset_times"]


def test_a_run_leaves_a_table_and_a_json_with_the_machine():
    done = command("benchmarks", "report", "--quick")
    assert done.returncode == 0, done.stderr
    found = only_json()
    assert found["quick"] and found["machine"]["cores"] == os.cpu_count() and found["machine"]["versions"]["torch"]
    assert found["benchmarks"]["report"]["rows"][0]["what"] == "a report over 4 runs"
    assert "report: a report over 4 runs" in done.stdout and "outputs/benchmarks/" in done.stdout


def test_a_benchmark_that_fails_is_said_and_the_exit_code_is_not_0(here):
    code, _, error = here(main, "clock_time")
    assert code == 1 and "clock_time failed: clock_time wants two run folders" in error
    assert "Traceback" not in error
    assert "wants two run folders" in only_json()["benchmarks"]["clock_time"]["error"]


@pytest.mark.parametrize(
    ("row", "held"),
    [
        (table.rate("a", 60, "b", 10, "x/s", least=6), True),
        (table.rate("a", 50, "b", 10, "x/s", least=6), False),
        (table.spent("a", 1, "b", 10, least=6), True),
        (table.Row("a", 5, "s", "b", 4, 1, most=1.5), True),
        (table.Row("a", 5, "s", "b", 3, 2, most=1.5), False),
        (table.Row("a", 5), None),
    ],
)
def test_goals_are_held_or_missed(row, held):
    assert row.held is held
    text = table.text_table([row.as_dict()])
    assert ("held" in text, "MISSED" in text) == (held is True, held is False)


def run_folder(folder: Path, errors: list[float], seconds: float) -> Path:
    folder.mkdir()
    lines = ["epoch,step,val/error_minutes"] + [f"{i},{100 * i + 99},{error}" for i, error in enumerate(errors)]
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
    (folder / "result.json").write_text(json.dumps({"seconds": {"fit": seconds}}))
    return folder


def test_time_to_a_minute_is_the_fits_share_until_then(tmp_path):
    ours = run_folder(tmp_path / "ours", [9, 0.9, 0.5, 0.4], 400)
    theirs = run_folder(tmp_path / "theirs", [9, 3, 2, 1.0], 800)
    (row,) = clock_time.rows(False, str(ours), str(theirs))
    assert (row.ours, row.theirs, row.value, row.held) == (200, 800, 4, True)
    never = run_folder(tmp_path / "never", [9, 3], 1000)
    (row,) = clock_time.rows(False, str(ours), str(never))
    assert (row.theirs, row.value, "not there after 1000 s" in row.against) == (1000, 5, True)
    with pytest.raises(UserError, match="did not reach"):
        list(clock_time.rows(False, str(never), str(ours)))
    with pytest.raises(UserError, match="is not a finished run"):
        clock_time.seconds_to(tmp_path, 1.0)


def test_trustworthiness_is_scikit_learns():
    from sklearn.manifold import trustworthiness

    from benchmarks.maps import NEIGHBOURS
    from benchmarks.maps import trustworthiness as ours

    draws = np.random.default_rng(0)
    x = draws.normal(size=(120, 6)).astype(np.float32)
    places = x[:, :2] + draws.normal(size=(120, 2)) / 3
    expected = trustworthiness(x, places, n_neighbors=NEIGHBOURS)
    assert ours(x, places, np.arange(120)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_without_a_gpu_its_figures_are_refused_in_one_sentence(here):
    code, _, error = here(gpu.main)
    assert code == 1
    assert error.splitlines() == [
        "error: torch sees no CUDA device here: run it where there is one, or with --device cpu --quick"
    ]


@pytest.mark.slow
def test_the_gpus_figures_at_a_tiny_size_on_the_cpu():
    done = command("benchmarks.gpu", "--device", "cpu", "--quick")
    assert done.returncode == 0, done.stderr
    drawn = {"clocks of 75 pixels", "clocks of 150 pixels", "cartoon faces of 64 pixels"}
    trained = {f"{preset}: {part}" for preset in gpu.TRAININGS for part in ("what happens once", "first step to last")}
    assert {row["what"] for row in only_json()["rows"]} == drawn | trained and not only_json()["problems"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in table.names() if name != "clock_time"])
def test_every_benchmark_at_a_tiny_size(name):
    done = command("benchmarks", name, "--quick")
    assert done.returncode == 0, done.stderr
    found = only_json()["benchmarks"][name]
    assert found["rows"] and found["error"] is None
