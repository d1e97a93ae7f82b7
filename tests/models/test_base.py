"""What all families share: scaling, schedules, optimisers, precision, a loss that is no number."""

import copy

import pytest
import torch
from torch import nn

from dlcourse.config import compose
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.build import build_model
from dlcourse.training.optimizers import Muon, orthogonalize
from dlcourse.training.precision import choose_precision
from dlcourse.training.schedules import one_cycle, plateau
from tests.conftest import NET

TASK = Task("clocks", "time", (1, 48, 48), 120.0, 50.0)


def model(*overrides):
    return build_model(compose("model=clock_multihead", "data=clocks", *NET, *overrides), TASK).eval()


def test_scaling_is_in_the_model_and_saved_with_it():
    reader = model()
    assert {"mean", "std"} <= set(reader.state_dict())
    seen = []
    reader.net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    reader(torch.full((2, 48, 48), 170, dtype=torch.uint8))
    torch.testing.assert_close(seen[0], torch.ones(2, 1, 48, 48))


def test_a_picture_of_another_size_is_resized():
    assert model()(torch.zeros(1, 96, 96, dtype=torch.uint8)).shape == (1, 204)


def test_a_task_of_another_kind_is_refused():
    with pytest.raises(UserError, match="needs time, but pets has classes"):
        build_model(compose("model=clock_cyclic", "data=clocks"), Task("pets", "classes", (1, 48, 48), 0.0, 1.0))


def test_one_cycle_rises_to_the_rate_and_ends_at_zero():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
    schedule = one_cycle(optimizer, 100, warmup=0.2)["scheduler"]
    rates = []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert max(rates) == pytest.approx(0.5) and rates.index(max(rates)) == 20
    assert rates[0] == pytest.approx(0.02) and rates[-1] < 0.001


def test_plateau_lowers_the_rate_when_the_metric_stays():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    entry = plateau(optimizer, 100, patience=2)
    rates = []
    for loss in (1.0, 0.9, 0.9, 0.9, 0.9):  # a best in the second epoch, then two without progress, twice
        entry["scheduler"].step(loss)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([1, 1, 1, 0.1, 0.1]) and entry["monitor"] == "val/loss"
    with pytest.raises(UserError, match="patience=0 is less than 1"):
        plateau(optimizer, 100, patience=0)


def test_muon_orthogonalises_and_learns():
    matrix = torch.randn(20, 50, generator=torch.Generator().manual_seed(0))
    for shape in (matrix, matrix.T):
        values = torch.linalg.svdvals(orthogonalize(shape))
        assert values.min() > 0.5 and values.max() < 1.4
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(16, 3))
    x, y = torch.randn(30, 1, 4, 4), torch.randint(0, 3, (30,))
    optimizer = Muon(net.parameters(), lr=0.02)
    losses = []
    for _ in range(60):
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    with pytest.raises(ValueError, match="lr=0 must be above 0"):
        Muon(net.parameters(), lr=0)


def test_precision_is_measured_on_a_copy_without_touching_random_state():
    reader = model().train()
    before, state = copy.deepcopy(reader.state_dict()), torch.get_rng_state()
    batch = torch.zeros(40, 48, 48, dtype=torch.uint8), torch.zeros(40, 2, dtype=torch.int64)
    assert choose_precision(reader, batch, torch.device("cpu")) in ("32-true", "bf16-mixed")
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(value, before[name]) for name, value in reader.state_dict().items())
    assert all(p.grad is None for p in reader.parameters())


def test_a_loss_that_is_no_number_ends_with_the_remedy(tiny_run):
    said = r"the loss became (nan|inf) at step 2 \(epoch 1, batch 2\); the last finite loss was [\d.]+ at step 1 "
    with pytest.raises(UserError, match=f"{said}.*no checkpoint was saved before it: lower model.optimizer.lr"):
        tiny_run(
            "model.optimizer.lr=1e30", "model/schedule=constant", "model/optimizer=sgd", "trainer.limit_train_batches=4"
        )


def test_values_recorded_before_a_resume_join_those_on_another_device():
    task = Task("blobs", "classes", (4,), 0.0, 1.0, ("a", "b"))
    model = build_model(compose("model=mlp", "data=digits8"), task)
    model.on_load_checkpoint({"dlcourse": {"noted": {"loss": torch.ones(2)}}})
    model.to("meta")
    model.note("loss", torch.ones((), device="meta"))
    found = model._recorded()["loss"]
    assert found.shape == (3,) and found.device.type == "meta"
