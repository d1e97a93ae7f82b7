"""The branches for a CUDA device, without one: torch's answers are those of a machine that has it.

Tensors that go there go to the meta device; see `tests/test_meta_device.py` for what runs on it.
"""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from omegaconf import OmegaConf

from dlcourse.commands.experiment import Experiment
from dlcourse.data.batches import reseed
from dlcourse.training import devices, precision
from dlcourse.training.trainer import make_trainer
from tests.test_meta_device import made_up, tasks

CUDA = torch.device("cuda")


@pytest.fixture
def calls(monkeypatch):
    """What was asked of the device: copies, waits, seeds."""
    found, real = [], torch.Tensor.to

    def to(tensor, *args, **kwargs):
        if args and isinstance(args[0], torch.device) and args[0].type == "cuda":
            found.append("copied ahead" if kwargs.get("non_blocking") else "copied")
            args = ("meta", *args[1:])
        return real(tensor, *args, **kwargs)

    monkeypatch.setattr(torch.Tensor, "to", to)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: found.append("pinned") or tensor)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device=None: found.append("waited"))
    seeds = [SimpleNamespace(manual_seed=lambda seed: found.append(f"seed {seed}"))]
    monkeypatch.setattr(torch.cuda, "default_generators", seeds)
    return found


@pytest.mark.parametrize(("accelerator", "kind"), [("auto", "cuda"), ("gpu", "cuda"), ("cuda", "cuda"), ("cpu", "cpu")])
def test_the_device_of_a_run(accelerator, kind, calls):
    settings = OmegaConf.create({"accelerator": accelerator})
    devices.check_accelerator(settings)
    assert devices.likely_device(settings).type == kind
    assert precision.has_bfloat16(CUDA)


def test_arrays_stay_on_the_device_if_they_fit_else_batches_are_pinned(calls, monkeypatch):
    data = made_up(tasks("classes")[0])
    data.setup()
    monkeypatch.setattr(type(data), "device", CUDA)
    size = data.arrays["train"][0].nbytes
    for free, placed in ((3 * size, "meta"), (size, "cpu")):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, free))
        data._on_device.clear()
        assert {part.device.type for part in data.placed("train")} == {placed}
    calls.clear()
    images, labels = data._take("train", None)(torch.arange(2), 0, 0)
    assert calls == ["pinned", "copied ahead"] * 2 and images.is_meta and labels.is_meta


def test_steps_are_seeded_on_the_device_as_well(calls):
    reseed(7, CUDA)
    assert calls == ["seed 7"] and torch.default_generator.initial_seed() == 7


def test_precision_is_measured_on_the_device(calls, monkeypatch):
    class Net(torch.nn.Linear):
        def training_loss(self, inputs, labels):
            assert inputs.is_meta and self.weight.is_meta
            return self(inputs).mean()

    kinds, taken = [], iter((2.0, 1.0))
    monkeypatch.setattr(torch, "autocast", lambda kind, dtype: kinds.append((kind, dtype)) or nullcontext())
    monkeypatch.setattr(torch.random, "fork_rng", lambda found: kinds.append(found) or nullcontext())
    monkeypatch.setattr(precision, "_seconds", lambda step: step() or next(taken))
    net = Net(3, 2)
    assert precision.choose_precision(net, (torch.ones(4, 3), torch.ones(4)), CUDA) == "bf16-mixed"
    assert kinds == [[CUDA], ("cuda", torch.bfloat16)] and calls.count("waited") == 2
    assert net.weight.device.type == "cpu"  # a copy was measured


def test_a_small_net_on_the_device_keeps_all_threads(calls, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    run = SimpleNamespace(cfg=OmegaConf.create({"threads": "auto", "trainer": {"accelerator": "auto"}}))
    Experiment._choose_threads(run)
    assert run.cfg.threads == 4


def test_the_trainer_takes_the_device_and_its_precision(calls, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"card {device.index}")
    settings = {"accelerator": "auto", "devices": 1, "precision": "bf16-mixed"}
    trainer = make_trainer(OmegaConf.create(settings), logger=False)
    assert trainer.strategy.root_device == torch.device("cuda", 0)
    assert trainer.precision_plugin.device == "cuda" and devices.device_name(trainer) == "card 0"
