"""Batches: every sample once, the same after a stop, shared out by rank."""

import torch

from dlcourse.data.batches import Batches, mix, seeded
from dlcourse.data.module import rows


def make(count=23, size=5, seed=None, **more):
    return Batches(count, lambda index, epoch, number: (index, index), size, seed, **more)


def indices(batches):
    return torch.cat([x for x, _ in batches])


def test_in_order_every_sample_comes_once():
    batches = make()
    assert len(batches) == 5
    assert indices(batches).tolist() == list(range(23))


def test_shuffled_epochs_differ_and_drop_only_the_rest():
    epoch = 0
    batches = make(seed=1, epoch=lambda: epoch)
    first = indices(batches)
    again = indices(batches)
    epoch = 1
    second = indices(batches)
    assert len(first) == 20 and len(set(first.tolist())) == 20
    assert torch.equal(first, again) and not torch.equal(first, second)
    assert torch.equal(indices(make(seed=1)), first) and not torch.equal(indices(make(seed=2)), first)


def test_a_pass_goes_on_where_it_stopped():
    whole = list(make(seed=1))
    done = 2
    rest = list(make(seed=1, start=lambda: done))
    assert [x.tolist() for x, _ in rest] == [x.tolist() for x, _ in whole[2:]]


def test_ranks_share_the_samples():
    parts = [indices(make(count=24, size=4, seed=3, rank=rank, world=2)) for rank in range(2)]
    assert len(parts[0]) == len(parts[1]) == 12
    assert sorted(torch.cat(parts).tolist()) == list(range(24))


def test_seeds_are_a_function_of_every_number():
    found = {mix(a, b) for a in range(30) for b in range(30)}
    assert len(found) == 900
    assert mix(1, 2) == mix(1, 2) and 0 <= mix(2**63) < 2**63
    assert torch.equal(torch.rand(3, generator=seeded(1, 2)), torch.rand(3, generator=seeded(1, 2)))


def test_the_order_goes_to_the_arrays_device_once_an_epoch():
    moved = []

    def place():
        moved.append(1)
        return "meta"

    found = [index for index, _ in make(10, 3, seed=0, place=place)]
    assert [index.device.type for index in found] == ["meta"] * 3 and len(moved) == 1


def test_rows_are_those_of_plain_indexing():
    array, index = torch.arange(24).reshape(6, 2, 2), torch.tensor([5, 0, 0])
    assert torch.equal(rows(array, index, torch.device("cpu")), array[index])
