"""Runs killed at random moments and gone on with."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.families import FAMILIES


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_runs_killed_at_random_moments_end_as_if_they_never_had_been(family):
    call = [sys.executable, "-m", "tests.faults.kills", "5", "1", family]
    done = subprocess.run(call, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0 and f"{family}: 5 of 5 held" in done.stdout, done.stdout + done.stderr
