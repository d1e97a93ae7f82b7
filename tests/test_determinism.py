"""The same seed gives the same figures: twice in one process, in another, alone or as a job of a sweep."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlcourse.commands.train import run
from dlcourse.config import compose
from tests.families import COMMON, DENSE, FAMILIES


def metrics(folder: Path) -> dict[str, float]:
    return json.loads((folder / "result.json").read_text())["metrics"]


@pytest.mark.parametrize("family", FAMILIES)
def test_one_seed_twice_is_one_result_and_another_seed_another(tmp_path, family):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        run(compose(*FAMILIES[family], *COMMON, f"seed={seed}"), folder=tmp_path / name)
    first, second, other = (metrics(tmp_path / name) for name in "abc")
    assert first == second != other
    tables = [(tmp_path / name / "metrics.csv").read_bytes() for name in "abc"]
    assert tables[0] == tables[1] != tables[2]


@pytest.mark.slow
def test_the_third_job_of_a_sweep_in_another_process_is_the_run_alone(tmp_path):
    words = [*DENSE, *COMMON, "callbacks=ema"]
    run(compose(*words, "seed=3"), folder=tmp_path / "alone")
    call = [sys.executable, "-m", "dlcourse.train", "-m", *words, "seed=1,2,3", "name=three"]
    subprocess.run(call, cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True, capture_output=True)
    jobs = [metrics(tmp_path / "outputs" / "sweeps" / "three" / str(number)) for number in range(3)]
    assert jobs[2] == metrics(tmp_path / "alone")
    assert jobs[0] != jobs[1] != jobs[2] != jobs[0]
