"""Inherited variables and files do not change or end a run, and a finished run stays finished."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from dlcourse.commands.train import run
from dlcourse.config import compose
from dlcourse.errors import UserError
from dlcourse.models.build import load_checkpoint
from dlcourse.training.devices import LEADER, check_launcher, ddp_environment, process_rank

RUN = ["model=mlp", "data=digits8", "trainer=cpu", "trainer.max_epochs=1", "trainer.precision=32-true"]
DDP = OmegaConf.create({"devices": 2, "strategy": "ddp"})


def test_a_run_in_an_environment_full_of_foreign_settings(tmp_path):
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\n")
    foreign = {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "RANK": "1", "LOCAL_RANK": "1",
               "WORLD_SIZE": "2", "SLURM_JOB_ID": "7", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2",
               "SLURM_PROCID": "1", "SLURM_LOCALID": "1", "SLURM_NODEID": "0", "SLURM_JOB_NAME": "packed",
               "HOME": "/proc/nowhere", "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}  # fmt: skip
    call = [sys.executable, "-m", "dlcourse.train", *RUN, "hydra.run.dir=out"]
    done = subprocess.run(call, env=os.environ | foreign, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "could not be drawn" not in done.stderr
    assert json.loads(Path("out/result.json").read_text())["status"] == "completed"
    assert Path("out/plots/curves.png").exists() and Path("out/checkpoints/best.ckpt").exists()


def test_only_processes_of_this_run_have_a_rank(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert process_rank() == 0
    with ddp_environment(DDP):
        assert os.environ[LEADER] == str(os.getpid()) and "LOCAL_RANK" not in os.environ
    assert os.environ["LOCAL_RANK"] == "1" and LEADER not in os.environ
    monkeypatch.setenv(LEADER, str(os.getppid()))  # as in a process that Lightning has started
    assert process_rank() == 1


@pytest.mark.parametrize(("name", "launcher"), [("TORCHELASTIC_RUN_ID", "torchrun"), ("SLURM_PROCID", "srun")])
def test_ddp_under_another_launcher_is_refused(monkeypatch, name, launcher):
    monkeypatch.setenv(name, "3")
    with pytest.raises(UserError, match=f"trainer=ddp does not support {launcher}"):
        check_launcher(DDP)
    check_launcher(OmegaConf.create({"devices": 1, "strategy": "auto"}))


def test_a_plot_that_fails_is_a_warning(tmp_path, monkeypatch, caplog):
    def fail(*_):
        raise ZeroDivisionError("no plot")

    monkeypatch.setattr("dlcourse.plots.dispatch.draw", fail)
    result = run(compose(*RUN, "plots=true"), folder=tmp_path / "run")
    assert result["status"] == "completed"
    assert json.loads((tmp_path / "run" / "result.json").read_text())["status"] == "completed"
    assert "plots of the run could not be drawn (ZeroDivisionError: no plot)" in caplog.text


def test_a_closed_terminal_does_not_end_a_finished_run(tmp_path, monkeypatch):
    class Closed:
        def write(self, text):
            raise OSError(5, "Input/output error")

        def flush(self):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(sys, "stdout", Closed())
    assert run(compose(*RUN, "plots=false"), folder=tmp_path / "run")["status"] == "completed"


def test_a_script_without_logging_sees_each_epoch_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    for folder in "ab":
        run(compose(*RUN, "plots=false"), folder=tmp_path / folder)
        assert capsys.readouterr().err.count("epoch 1/1") == 1
    assert not logging.getLogger("dlcourse").handlers


def test_ema_helps_in_a_short_run(tmp_path):
    words = [*RUN, "plots=false", "trainer.max_epochs=4"]
    plain = run(compose(*words), folder=tmp_path / "plain")["metrics"]["test/accuracy"]
    averaged = run(compose(*words, "callbacks=ema"), folder=tmp_path / "ema")["metrics"]["test/accuracy"]
    assert averaged > plain - 0.01


@pytest.mark.parametrize("words", ["+checkpoints.best.save_top_k=3", "checkpoints.best.filename=mine"])
def test_the_best_checkpoint_is_tested_whatever_its_file(tmp_path, words):
    rates = ["model.optimizer.lr=0.05", "trainer.max_epochs=5", "data.validation=200", "plots=false"]
    run(compose(*RUN, *rates), folder=tmp_path / "one")
    run(compose(*RUN, *rates, words), folder=tmp_path / "other")
    one, other = (load_checkpoint(tmp_path / name / "checkpoints" / "best.ckpt") for name in ("one", "other"))
    assert one["epoch"] == other["epoch"]
    assert all(torch.equal(value, other["state_dict"][name]) for name, value in one["state_dict"].items())
