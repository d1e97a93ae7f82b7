"""What needs a process of its own: an interrupt from the keyboard, two processes that train together."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.conftest import PINNED
from tests.test_cli import RUN


def start(*words: str) -> subprocess.Popen[str]:
    call = [sys.executable, "-m", "dlcourse.train", *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # A shell without job control has its background jobs ignore Ctrl-C, and they hand that on to their children.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(call, env=environment, **piped)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.whole
@pytest.mark.parametrize(
    ("signum", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143)],
)
def test_an_interrupted_run_says_so_and_goes_on(tmp_path, command, signum, code):
    folder = tmp_path / "run"
    words = [*RUN, "trainer.max_epochs=2000", f"hydra.run.dir={folder}"]
    process = start(*words)
    deadline = time.monotonic() + 100
    while not (folder / "checkpoints" / "last.ckpt").exists():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.1)
    process.send_signal(signum)
    _, error = process.communicate(timeout=60)
    assert process.returncode == code and "Traceback" not in error
    assert f"resume with: python -m dlcourse.train run={folder}" in error
    interrupted = json.loads((folder / "result.json").read_text())
    assert interrupted["status"] == "interrupted" and interrupted["cpu_seconds"] > 0
    config = folder / "config.yaml"
    reached = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["epoch"]
    config.write_text(config.read_text().replace("max_epochs: 2000", f"max_epochs: {reached + 2}"))  # enough is enough
    ended, _, error = command("train", f"run={folder}")
    assert ended == 0, error
    whole = json.loads((folder / "result.json").read_text())
    assert whole["status"] == "completed" and whole["cpu_seconds"] > interrupted["cpu_seconds"]


@pytest.mark.slow
def test_two_processes_train_one_model(tmp_path):
    folder = tmp_path / "run"
    words = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", f"hydra.run.dir={folder}"]
    words += ["checkpoints.last.minutes=0"]  # both save within the epoch as well
    process = start(*[word for word in RUN if not word.startswith("trainer=")], *words)
    out, error = process.communicate(timeout=200)
    assert process.returncode == 0, error
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "completed" and out.count("Results saved to") == 1
    assert "sync_dist" not in error
    assert [path.name for path in Path.cwd().glob("outputs")] == []


@pytest.mark.slow
def test_a_sweep_of_jobs_of_two_processes_gives_what_one_process_gives():
    """The helpers of DDP start their command line again: neither the sweep once more, nor folders beside it."""
    net = ["model=mlp", "data=digits8", "data.validation=200", "trainer.max_epochs=2", "plots=false", *PINNED]
    two = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "data.batch_size=16"]
    process = start("-m", *net, *two, "seed=0,1", "name=both")
    out, error = process.communicate(timeout=500)
    assert process.returncode == 0, error
    assert out.count("Results saved to") + out.count("everything is in") == 3  # a job each, and the sweep
    assert sorted(path.name for path in Path("outputs/sweeps/both").iterdir() if path.is_dir()) == ["0", "1"]
    assert [path.name for path in Path("outputs").iterdir()] == ["sweeps"]
    process = start(*net, "trainer=cpu", "data.batch_size=32", "hydra.run.dir=alone")
    _, error = process.communicate(timeout=200)
    assert process.returncode == 0, error
    together, alone = (
        json.loads((Path(folder) / "result.json").read_text())["metrics"]
        for folder in ("outputs/sweeps/both/0", "alone")
    )
    assert together == pytest.approx(alone, rel=1e-3, abs=2e-3)
