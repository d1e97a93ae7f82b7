"""No more threads than cores, and a note where somebody asks for more."""

import pytest
import torch

from dlcourse.training import threads
from dlcourse.training.threads import advice, check_side_by_side, resolve_threads, usable_cores


@pytest.fixture
def cores(monkeypatch):
    """`cores(2)` makes this a machine of two cores, without OMP_NUM_THREADS."""

    def pretend(count):
        monkeypatch.setattr(threads, "usable_cores", lambda: count)
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    return pretend


def test_cores_are_those_of_the_process(monkeypatch):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert usable_cores() == 1


def test_torch_takes_no_more_threads_than_cores_of_its_own_accord(cores, monkeypatch):
    cores(2)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    assert resolve_threads(None) == 2
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert resolve_threads(None) is None


@pytest.mark.parametrize("through_environment", [False, True])
def test_too_many_threads_are_said_and_kept(cores, monkeypatch, caplog, through_environment):
    cores(2)
    if through_environment:
        monkeypatch.setenv("OMP_NUM_THREADS", "8,1")
    assert resolve_threads(None if through_environment else 8) == (None if through_environment else 8)
    assert [r.message for r in caplog.records] == [
        "8 threads on 2 cores wait for each other, which may take many times as long: take threads=2"
    ]


def test_enough_cores_are_not_worth_a_word(cores, caplog):
    cores(4)
    resolve_threads(4)
    check_side_by_side(2, 2)
    check_side_by_side(-1, None)
    assert not caplog.records and advice(1, 1) is None


def test_jobs_side_by_side_count_together(cores, caplog):
    cores(4)
    check_side_by_side(-1, 2)
    check_side_by_side(2, 3)
    assert [r.message.partition(" wait")[0] for r in caplog.records] == [
        "up to 4 jobs at a time with 2 threads each on 4 cores",
        "up to 2 jobs at a time with 3 threads each on 4 cores",
    ]
    assert [r.message.rpartition(" ")[2] for r in caplog.records] == ["threads=1", "threads=2"]


def test_a_sweep_side_by_side_says_so_before_it_starts(cores, caplog, tmp_path):
    from omegaconf import OmegaConf

    from dlcourse.sweeps.summary import SweepSummary

    cores(4)
    launcher = {"_target_": "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher", "n_jobs": 4}
    hydra = {"launcher": launcher, "sweep": {"dir": str(tmp_path / "new")}}
    SweepSummary().on_multirun_start(OmegaConf.create({"hydra": hydra, "threads": 2}))
    assert len(caplog.records) == 1
