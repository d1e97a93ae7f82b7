"""What a training step must not spend its time on."""

import copy
from pathlib import Path

import pytest
import torch

from dlcourse.data.batches import reseed
from dlcourse.models.base import BaseModule
from dlcourse.models.build import load_run
from dlcourse.training.optimizers import skip_graph_capture_check


def test_reseeding_draws_what_torch_would_draw():
    torch.manual_seed(5)
    expected = torch.rand(4)
    reseed(5, torch.device("cpu"))
    assert torch.equal(torch.rand(4), expected)


def test_a_step_on_the_cpu_neither_looks_for_a_gpu_nor_seeds_one(tiny_run, monkeypatch):
    looked = []
    within = [False]
    step = BaseModule.training_step

    def stepping(self, batch, batch_idx):
        within[0] = True
        return step(self, batch, batch_idx)

    def ended(self):
        within[0] = False

    def look(name, original):
        def call(*args, **more):
            if within[0]:
                looked.append(name)
            return original(*args, **more)

        return call

    monkeypatch.setattr(BaseModule, "training_step", stepping)
    monkeypatch.setattr(BaseModule, "on_train_epoch_end", ended)
    monkeypatch.setattr(torch.cuda, "is_available", look("is_available", torch.cuda.is_available))
    monkeypatch.setattr(torch.cuda, "manual_seed_all", look("manual_seed_all", torch.cuda.manual_seed_all))
    tiny_run("model/optimizer=adam")
    assert looked == []


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.SGD])
def test_an_optimizer_that_is_spared_the_search_steps_and_copies_as_before(kind):
    weight = torch.nn.Parameter(torch.ones(3))
    other = torch.nn.Parameter(torch.ones(3))
    spared, plain = kind([weight], lr=0.1), kind([other], lr=0.1)
    skip_graph_capture_check(spared)
    copy.deepcopy(spared).load_state_dict(spared.state_dict())
    for parameter, optimizer in ((weight, spared), (other, plain)):
        for _ in range(3):
            (parameter**2).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    assert torch.equal(weight, other)


def test_scaling_leaves_the_stored_inputs_alone(tiny_run):
    _, model = load_run(Path(tiny_run()["folder"]))
    for stored in (torch.full((2, 48, 48), 7, dtype=torch.uint8), torch.full((2, 48, 48), 7.0)):
        before = stored.clone()
        assert torch.allclose(model.normalize(stored), (before[:, None].float() - model.mean) / model.std)
        assert torch.equal(stored, before)


def test_muon_moves_gains_and_biases_as_adamw_without_decay_does():
    from dlcourse.training.optimizers import Muon

    ours, theirs = ([torch.nn.Parameter(torch.linspace(-1, 1, n)) for n in (3, 5)] for _ in range(2))
    pair = Muon(ours, lr=0.01), torch.optim.AdamW(theirs, lr=0.01, betas=(0.9, 0.99), weight_decay=0)
    for _ in range(4):
        for parameters, optimizer in zip((ours, theirs), pair, strict=True):
            optimizer.zero_grad()
            sum((p**3).sum() for p in parameters).backward()
            optimizer.step()
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(ours, theirs, strict=True))
