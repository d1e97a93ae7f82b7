"""Threads by the size of a step, at most as many as cores, and a warning if the user asks for more."""

import math

import pytest
import torch

from dlcourse.training import threads
from dlcourse.training.step_size import step_work
from dlcourse.training.threads import SMALL_STEP, advice, check_side_by_side, resolve_threads, threads_for, usable_cores


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


def test_by_default_torch_uses_at_most_as_many_threads_as_cores(cores, monkeypatch):
    cores(2)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    assert resolve_threads(None) == 2
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert resolve_threads(None) is None


def test_auto_leaves_the_choice_to_the_size_of_a_step(cores, monkeypatch):
    cores(2)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert resolve_threads("auto") is None
    assert (threads_for(SMALL_STEP / 2), threads_for(2 * SMALL_STEP), threads_for(math.inf)) == (1, 2, 2)
    assert (threads_for(SMALL_STEP / 2, ahead=True), threads_for(2 * SMALL_STEP, ahead=True)) == (1, 1)


def test_the_work_of_a_step_is_that_of_its_dense_and_convolutional_layers():
    class Net(torch.nn.Sequential):
        def training_loss(self, inputs, labels):
            return self(inputs).mean()

    up = torch.nn.ConvTranspose2d(4, 2, 2, stride=2)  # 3x3 to 6x6
    net = Net(torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), up, torch.nn.Flatten(), torch.nn.Linear(72, 5))
    once = 2 * (4 * 9 * 9 + 9 * 4 * 2 * 4 + 72 * 5)  # multiplications and additions of a sample, 3x3 pixels at first
    batch = torch.rand(9, 1, 5, 5), torch.zeros(9)
    state, weights = torch.get_rng_state(), net[1].running_mean.clone()
    assert step_work(net, batch, 64) == 3 * 64 * once
    assert torch.equal(state, torch.get_rng_state()) and torch.equal(weights, net[1].running_mean)


def test_a_run_stores_the_number_that_it_used(tiny_run, monkeypatch):
    from omegaconf import OmegaConf

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "usable_cores", lambda: 2)
    torch.set_num_threads(2)
    try:
        result = tiny_run()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert OmegaConf.load(f"{result['folder']}/config.yaml").threads == 1


@pytest.mark.parametrize("through_environment", [False, True])
def test_too_many_threads_are_kept_with_a_warning(cores, monkeypatch, caplog, through_environment):
    cores(2)
    if through_environment:
        monkeypatch.setenv("OMP_NUM_THREADS", "8,1")
    assert resolve_threads(None if through_environment else 8) == (None if through_environment else 8)
    assert [r.message for r in caplog.records] == [
        "8 threads on 2 cores slow each other down, often many times: use threads=2"
    ]


def test_enough_cores_give_no_warning(cores, caplog):
    cores(4)
    resolve_threads(4)
    check_side_by_side(2, 2)
    check_side_by_side(-1, None)
    assert not caplog.records and advice(1, 1) is None


def test_threads_of_parallel_jobs_are_added(cores, caplog):
    cores(4)
    check_side_by_side(-1, 2)
    check_side_by_side(2, 3)
    assert [r.message.partition(" slow")[0] for r in caplog.records] == [
        "up to 4 parallel jobs with 2 threads each on 4 cores",
        "up to 2 parallel jobs with 3 threads each on 4 cores",
    ]
    assert [r.message.rpartition(" ")[2] for r in caplog.records] == ["threads=1", "threads=2"]


def test_a_parallel_sweep_warns_before_it_starts(cores, caplog, tmp_path):
    from omegaconf import OmegaConf

    from dlcourse.sweeps.summary import SweepSummary

    cores(4)
    launcher = {"_target_": "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher", "n_jobs": 4}
    hydra = {"launcher": launcher, "sweep": {"dir": str(tmp_path / "new")}}
    SweepSummary().on_multirun_start(OmegaConf.create({"hydra": hydra, "threads": 2}))
    assert len(caplog.records) == 1
