"""XOR by gradient descent: the reported counts from the stated starts, and what the rule is held against."""

import numpy as np
import pytest
import torch

from dlcourse.commands.train import run
from dlcourse.config import compose
from dlcourse.models.build import build_data, build_model
from dlcourse.models.xor import draw_start
from dlcourse.nets.two_layer import TwoLayer, descend, from_units

X = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]], dtype=torch.float64)
D = torch.tensor([0.0, 1, 1, 0], dtype=torch.float64)


def trained(*words, epochs=1):
    cfg = compose("model=xor", "data=xor", *words)
    data = build_data(cfg)
    data.setup()
    model = build_model(cfg, data.task)
    with torch.no_grad():
        for _ in range(epochs):
            model.advance(X, D.long())
    return model


@pytest.mark.parametrize(
    ("words", "iterations"),
    [
        (["experiment=xor/b1"], 7899),
        (["experiment=xor/b1", "model.optimizer.lr=0.6"], 3950),
        (["experiment=xor/b1", "model.optimizer.lr=0.8"], 2963),
        (["experiment=xor/b2"], 5273),
    ],
)
def test_the_stated_starts_take_the_reported_iterations(tmp_path, words, iterations):
    result = run(compose(*words, "plots=false", "trainer=cpu"), folder=tmp_path / "run")
    assert result["metrics"]["test/iterations"] == iterations
    assert [row["value"] for row in result["references"]] == [iterations]
    assert result["metrics"]["test/solved"] == result["metrics"]["test/accuracy"] == 1


def test_the_starts_are_the_generator_s_draws():
    draws = np.random.RandomState(42)
    normal, uniform = draws.normal(0, 1, 9), draws.uniform(-1, 1, 9)
    assert np.array_equal(draw_start(42, "normal", 1, (3, 9))[0], normal)
    assert list(compose("experiment=xor/b2").model.start) == uniform.tolist()
    assert np.abs(draw_start(0, "uniform", 0.5, (100, 9))).max() <= 0.5


@pytest.mark.parametrize("hidden", [1, 2, 3, 7])
def test_the_rule_written_out_is_autograd_s_gradient(hidden):
    net = TwoLayer(torch.randn(4 * hidden + 1, 5, dtype=torch.float64), hidden)
    way, outputs = descend(net.weight.detach(), X, D, hidden, torch.tensor(0.7), 3)
    for step in range(3):
        torch.testing.assert_close(way[step], net.weight.detach())
        output = net(X).sigmoid()
        torch.testing.assert_close(outputs[step], output.detach())
        loss = (output - D[:, None]).square().mean(0).sum() / 2
        (gradient,) = torch.autograd.grad(loss, net.weight)
        with torch.no_grad():
            net.weight -= 0.7 * gradient
    torch.testing.assert_close(way[3], net.weight.detach())


def test_the_order_of_weights():
    """Bias, x1, x2 of the first hidden unit; the same of the second; bias, h1, h2 of the output."""
    weights = torch.tensor([[1.0, 2, 3, 4, 5, 6, 7, 8, 9]])
    units = torch.sigmoid(torch.tensor([1.0 + 3, 4 + 6]))  # at (0, 1)
    output = TwoLayer(from_units(weights, 2), 2)(torch.tensor([[0.0, 1]]))
    torch.testing.assert_close(output.detach()[0, 0], 7 + 8 * units[0] + 9 * units[1])


def test_nets_together_end_like_each_alone():
    together = trained("model.restarts=6", "model.chunk=4000", "model.optimizer.lr=0.8")
    weights = draw_start(0, "normal", 1, (6, 13))
    for i in (0, 3, 5):
        words = f"model.start=[{','.join(map(repr, map(float, weights[i])))}]"
        alone = trained(words, "model.chunk=4000", "model.optimizer.lr=0.8")
        assert alone.solved_at.item() == together.solved_at[i].item()
        torch.testing.assert_close(alone.net.weight[:, 0], together.net.weight[:, i])


def test_a_net_ends_where_it_is_solved_or_its_error_is_small():
    words = ["model.restarts=40", "model.optimizer.lr=0.8", "model.chunk=5000"]
    solved, small = trained(*words), trained(*words, "model.stop=mse")
    assert torch.equal(solved.solved_at, small.solved_at)
    assert torch.equal(solved.ended_at, solved.solved_at)
    assert (small.ended_at[small.ended_at > 0] > small.solved_at[small.ended_at > 0]).all()
    ended = small.ended_at > 0
    error = (small.net(X).sigmoid() - D[:, None]).square().mean(0)
    assert ended.sum() > 30 and (error[ended] < 0.01).all() and (error[ended] > 0.0098).all()
    right = ((solved.net(X) > 0) == (D[:, None] > 0)).all(0)
    assert torch.equal(right, solved.solved_at > 0)
    for model in (solved, small):
        mse, wrong = (model.record[name] for name in ("mse", "wrong"))
        assert len(mse) == len(wrong) == model.iteration
        final = (model.net(X).sigmoid() - D[:, None]).square().mean()
        torch.testing.assert_close(mse[-1, 0].double(), final.detach(), rtol=0.01, atol=1e-4)
        assert wrong[-1, 0] == pytest.approx(((model.net(X) > 0) != (D[:, None] > 0)).double().sum(0).mean().item())


def test_400_starts_solve_as_often_and_as_fast_as_reported():
    """Row B3 at rate 0.8; both samples are of 400 starts."""
    model = trained("model.init=[normal,uniform]", "model.optimizer.lr=0.8", "model.chunk=20000")
    for number, (share, median) in enumerate([(0.96, 1110), (0.985, 1600)]):
        iterations = model.solved_at[model.group == number].double()
        assert abs((iterations > 0).double().mean().item() - share) < 3 * (2 * share * (1 - share) / 400) ** 0.5
        assert iterations[iterations > 0].median().item() == pytest.approx(median, rel=0.1)


def test_rates_and_distributions_in_one_run_are_those_of_runs_of_their_own():
    words = ["model.restarts=5", "model.chunk=3000"]
    grid = trained(*words, "model.optimizer.lr=[0.6,0.8]", "model.init=[normal,uniform]")
    found = grid.compute_metrics({"logits": grid.net(X), "labels": D.long()})
    for number, (init, rate) in enumerate(grid.groups):
        own = trained(*words, f"model.optimizer.lr={rate}", f"model.init={init}")
        assert torch.equal(own.solved_at, grid.solved_at[grid.group == number])
        torch.testing.assert_close(own.record["mse"][:, 0], grid.record["mse"][: own.iteration, number])
        assert found.get(f"iterations_{init}_{rate}") == own.compute_metrics(
            {"logits": own.net(X), "labels": D.long()}
        ).get("iterations")
