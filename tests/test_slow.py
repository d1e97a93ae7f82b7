"""Trainings of minutes: `pytest -m slow`."""

import pytest
import torch

from dlcourse.commands.train import run
from dlcourse.config import compose


@pytest.mark.slow
def test_the_main_job_reads_clocks_within_a_minute(tmp_path):
    torch.set_num_threads(2)
    result = run(compose("model=clock_multihead", "data=clocks"), folder=tmp_path / "main")
    assert result["metrics"]["test/error_minutes"] < 1.0
    assert sum(result["seconds"].values()) < 720
