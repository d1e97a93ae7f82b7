"""The same seed gives the same figures in another process, alone or as a job of a sweep.

tests/test_checkpoints.py compares runs of one seed, and of two, in one process.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlcourse.commands.train import run
from dlcourse.config import compose
from tests.families import COMMON, DENSE


def metrics(folder: Path) -> dict[str, float]:
    return json.loads((folder / "result.json").read_text())["metrics"]


@pytest.mark.slow
def test_the_third_job_of_a_sweep_in_another_process_is_the_run_alone(tmp_path):
    words = [*DENSE, *COMMON, "callbacks=ema"]
    run(compose(*words, "seed=3"), folder=tmp_path / "alone")
    call = [sys.executable, "-m", "dlcourse.train", "-m", *words, "seed=1,2,3", "name=three"]
    subprocess.run(call, cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True, capture_output=True)
    jobs = [metrics(tmp_path / "outputs" / "sweeps" / "three" / str(number)) for number in range(3)]
    assert jobs[2] == metrics(tmp_path / "alone")
    assert jobs[0] != jobs[1] != jobs[2] != jobs[0]
