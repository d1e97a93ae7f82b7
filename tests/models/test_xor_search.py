"""Random search: its solutions solve the problem, and its tries follow a geometric distribution."""

import torch

from dlcourse.config import compose
from dlcourse.data.batches import seeded
from dlcourse.models import xor_search
from dlcourse.models.build import build_data, build_model
from dlcourse.models.xor_search import BLOCK, search

X = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])


def searched(*words, epochs=1):
    cfg = compose("model=xor_search", "data=xor", *words)
    data = build_data(cfg)
    data.setup()
    model = build_model(cfg, data.task)
    with torch.no_grad():
        for _ in range(epochs):
            model.advance(X, torch.tensor([0, 1, 1, 0]))
    return model


WIDE = ("model.init=uniform", "model.scale=10", "model.hidden=3")


def test_the_tries_of_wide_weights_are_as_reported_and_geometric():
    """U(-10, 10), 2-3-1: about 820 on average (row B4)."""
    tries = searched(*WIDE, "model.attempts=4000").tries.double()
    assert (tries > 0).all() and abs(tries.mean() - 820) < 4 * 820 / 4000**0.5
    assert abs(tries.std() / tries.mean() - 1) < 0.08
    order = tries.sort().values
    law = 1 - torch.exp(-order / tries.mean())
    assert (law - torch.arange(1, 4001) / 4000).abs().max() < 1.6 / 4000**0.5  # Kolmogorov and Smirnov


def test_what_is_found_is_all_that_solves_it_among_the_draws():
    """The same draws judged plainly, by outputs in double precision."""
    places, weights = search(seeded(1), 2**17, 2, "normal", 3.0)
    draws, plain = seeded(1), []
    for _ in range(16):
        w = torch.empty(9, 2**13).normal_(0, 3, generator=draws).double()
        hidden = [torch.sigmoid(w[:2] + a * w[2:4] + b * w[4:6]) for a, b in X.tolist()]
        output = torch.stack([torch.sigmoid(w[6] + (h * w[7:]).sum(0)) for h in hidden])
        plain.append(((output > 0.5) == torch.tensor([[0], [1], [1], [0]])).all(0))
    assert torch.equal(places, torch.cat(plain).nonzero()[:, 0]) and len(places) > 5
    assert weights.shape == (9, len(places))


def test_the_tries_add_up_to_the_sequence_of_draws():
    model = searched(*WIDE, "model.attempts=1500")
    ends = model.tries.cumsum(0) - 1
    places = torch.cat([search(seeded(0, 5, b), BLOCK, 3, "uniform", 10.0)[0] + b * BLOCK for b in range(3)])
    assert torch.equal(ends, places[:1500])
    assert ((model.net(X) > 0) == (X[:, :1] != X[:, 1:])).all()


def test_neither_threads_nor_steps_change_what_is_drawn(monkeypatch):
    monkeypatch.setattr(xor_search, "BLOCK", 2**15)
    one, two = (searched(*WIDE, "model.attempts=200", f"model.chunk={n}", epochs=9 // n) for n in (9, 3))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    five = searched(*WIDE, "model.attempts=200", "model.chunk=9")
    assert torch.equal(one.tries, two.tries) and torch.equal(one.tries, five.tries)
    assert searched(*WIDE, "model.attempts=200", "model.chunk=9", "seed=1").tries[0] != one.tries[0]


def test_attempts_that_are_not_ended_say_so():
    model = searched("model.attempts=1000", "model.chunk=1")
    found = model.record["found"]
    assert 0 < found < 30 and not model.finished and (model.tries[found:] == 0).all()
    assert model.record["since"] == BLOCK - model.tries.sum().item()
