"""Batches of arrays that are already where they are needed: a permutation and a slice, no worker processes."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

Batch = tuple[Tensor, Tensor]
Augment = Callable[[Tensor, torch.Generator, Tensor, int], Tensor]  # pictures, draws, their numbers, epoch


def seeded(seed: int, *step: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A random generator that is a function of a seed and a place in the training, not of what was drawn before."""
    return torch.Generator(device).manual_seed(mix(seed, *step))


def reseed(seed: int, device: torch.device) -> None:
    """`torch.manual_seed` for the CPU and one device alone, in a hundredth of its time.

    Without a GPU the original formats the call stack and keeps it, in case a GPU is used later: at each call.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


def mix(*numbers: int) -> int:
    """One 63-bit number from several, well spread (splitmix64, Steele et al., 2014)."""
    state = 0
    for number in numbers:
        state = (state + number + 0x9E3779B97F4A7C15) % 2**64
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB % 2**64
        state ^= state >> 31
    return state >> 1


class Batches:
    """An iterable of (pictures, labels) that can stop and go on within an epoch and is split over processes by rank.

    What a batch holds is a function of (seed, epoch, its number), so a resumed run sees what it would have seen.

    Args:
        count: number of samples.
        take: gives the batch of some indices [B], int64, in a given epoch at a given batch number.
        batch_size: samples a batch on this process; the last one is smaller, or dropped when shuffling.
        shuffle_seed: seed of the order, None to keep it as stored.
        rank, world: this process's number and how many there are.
        epoch: tells the epoch that a pass belongs to.
        start: tells how many batches of it were given before the pass begins, when a run goes on within an epoch.
            (Lightning restores a loader's state_dict only where nothing has asked for the number of steps before.)
        place: tells the device that `take` wants its indices on: they go there once an epoch, not at each step.
    """

    def __init__(
        self,
        count: int,
        take: Callable[[Tensor, int, int], Batch],
        batch_size: int,
        shuffle_seed: int | None = None,
        rank: int = 0,
        world: int = 1,
        epoch: Callable[[], int] = lambda: 0,
        start: Callable[[], int] = lambda: 0,
        place: Callable[[], torch.device | str] = lambda: "cpu",
    ):
        self.count, self.take, self.batch_size, self.shuffle_seed = count, take, batch_size, shuffle_seed
        self.rank, self.world, self.epoch, self.start, self.place = rank, world, epoch, start, place

    def __len__(self) -> int:
        mine = self.count // self.world if self.shuffle_seed is not None else -(-self.count // self.world)
        full, rest = divmod(mine, self.batch_size)
        # A shuffled set drops its ragged rest: those samples are in another epoch's batches.
        return full + bool(rest) if self.shuffle_seed is None or not full else full

    def __iter__(self) -> Iterator[Batch]:
        epoch = self.epoch()
        if self.shuffle_seed is None:
            order = torch.arange(self.count)
        else:
            order = torch.randperm(self.count, generator=seeded(self.shuffle_seed, epoch))
        order = order[self.rank :: self.world].to(self.place())
        for number in range(self.start(), len(self)):
            yield self.take(order[number * self.batch_size :][: self.batch_size], epoch, number)

    def state_dict(self) -> dict[str, Any]:
        """Nothing, but Lightning takes it as the promise that a pass can go on within an epoch: `start` keeps that."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to do, see `start`."""
