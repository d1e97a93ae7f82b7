"""A sweep of 20 jobs, 3 of which cannot succeed, is killed in the middle and goes on."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

FOLDER = Path("outputs/sweeps/twenty")
WRONG = {"3", "9", "14"}  # restarts that there cannot be
COUNTS = [f"-{n}" if str(n) in WRONG else str(n) for n in range(1, 21)]


def start(*words: str) -> subprocess.Popen[str]:
    xor = ["model=xor", "data=xor", "trainer=cpu", "plots=false", "trainer.max_epochs=3", "model.stop=mse"]
    call = [sys.executable, "-m", "dlcourse.train", "-m", *xor, f"model.restarts={','.join(COUNTS)}", *words]
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(call, env=os.environ | {"OMP_NUM_THREADS": "1"}, **piped)


def results() -> dict[str, dict]:
    return {path.parent.name: json.loads(path.read_text()) for path in FOLDER.glob("*/result.json")}


@pytest.mark.slow
def test_twenty_jobs_with_three_failures_killed_in_the_middle_and_resumed():
    process = start("name=twenty")
    deadline = time.monotonic() + 200
    while not (FOLDER / "10" / "checkpoints" / "last.ckpt").exists():  # job 10 has begun and has not ended
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    killed, stamps = results(), {path: path.stat().st_mtime_ns for path in FOLDER.glob("*/result.json")}
    assert 10 <= len(killed) < 20
    with (FOLDER / "sweep.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 20  # those to come are listed as well

    process = start("name=twenty", "resume=true")
    out, error = process.communicate(timeout=300)
    assert process.returncode == 1 and "3 jobs failed: 2, 8, 13" in error
    done = {name for name, result in killed.items() if result["status"] == "completed"}
    assert f"{len(done)} of 20 jobs of {FOLDER} are already finished" in out
    found = results()
    assert sorted(found, key=int) == [str(n) for n in range(20)]
    assert sum(result["status"] == "completed" for result in found.values()) == 17
    lost = [result for result in found.values() if result["status"] == "failed"]
    assert len(lost) == 3 and all("restarts" in result["error"] for result in lost)
    # nothing that had ended was run again: its result is untouched, and its log has one fit
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items() if path.parent.name in done)
    assert "resuming from" in (FOLDER / "10" / "train.log").read_text() or "10" in done
    with (FOLDER / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20 and sum(row["status"] == "completed" for row in rows) == 17
    assert (FOLDER / "sweep.png").exists() and (FOLDER / "sweep.md").read_text().count("\n- job ") == 3
