"""Batches of arrays that are already on the device: a permutation and a slice, without worker processes."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

Batch = tuple[Tensor, Tensor]
Augment = Callable[[Tensor, torch.Generator, Tensor, int], Tensor]  # images, generator, indices, epoch


def seeded(seed: int, *step: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A random generator that depends on a seed and a position in the training only, not on earlier random numbers."""
    return torch.Generator(device).manual_seed(mix(seed, *step))


def reseed(seed: int, device: torch.device) -> None:
    """`torch.manual_seed` for the CPU and one device, a hundred times as fast.

    Without a GPU, each call of the original formats and stores the call stack in case a GPU is used later.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


def mix(*numbers: int) -> int:
    """Hash several numbers to one of 63 bits (splitmix64, Steele et al., 2014)."""
    state = 0
    for number in numbers:
        state = (state + number + 0x9E3779B97F4A7C15) % 2**64
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB % 2**64
        state ^= state >> 31
    return state >> 1


class Batches:
    """An iterable of (images, labels) that can resume within an epoch and is split over processes by rank.

    The content of a batch depends on (seed, epoch, batch number) only, so a resumed run sees the same batches.

    Args:
        count: number of samples.
        take: returns the batch of some indices [B], int64, given the epoch and the batch number.
        batch_size: samples a batch on this process; the last one is smaller, or dropped when shuffling.
        shuffle_seed: seed of the order; None keeps the stored order.
        weights: of the samples [N]: a shuffled pass draws as many, with replacement, in proportion to them.
        rank, world: this process's rank and the number of processes.
        epoch: returns the epoch of a pass.
        start: returns how many batches of the epoch to skip when a run resumes within it.
            (Lightning restores a loader's state_dict only if the number of steps was not requested before.)
        place: returns the device on which `take` needs its indices: they are copied once an epoch, not at each step.
        ahead: take the next batch in a thread of its own during each step; for a `take` that is slow.
    """

    def __init__(
        self,
        count: int,
        take: Callable[[Tensor, int, int], Batch],
        batch_size: int,
        shuffle_seed: int | None = None,
        weights: Tensor | None = None,
        rank: int = 0,
        world: int = 1,
        epoch: Callable[[], int] = lambda: 0,
        start: Callable[[], int] = lambda: 0,
        place: Callable[[], torch.device | str] = lambda: "cpu",
        ahead: bool = False,
    ):
        self.count, self.take, self.batch_size, self.shuffle_seed = count, take, batch_size, shuffle_seed
        self.weights, self.ahead = weights, ahead
        self.rank, self.world, self.epoch, self.start, self.place = rank, world, epoch, start, place

    def __len__(self) -> int:
        mine = self.count // self.world if self.shuffle_seed is not None else -(-self.count // self.world)
        full, rest = divmod(mine, self.batch_size)
        # A shuffled set drops its last, smaller batch: those samples are in the batches of other epochs.
        return full + bool(rest) if self.shuffle_seed is None or not full else full

    def __iter__(self) -> Iterator[Batch]:
        epoch = self.epoch()
        if self.shuffle_seed is None:
            order = torch.arange(self.count)
        elif self.weights is not None:
            order = torch.multinomial(
                self.weights, self.count, replacement=True, generator=seeded(self.shuffle_seed, epoch)
            )
        else:
            order = torch.randperm(self.count, generator=seeded(self.shuffle_seed, epoch))
        order = order[self.rank :: self.world].to(self.place())
        numbers = range(self.start(), len(self))

        def take(number: int) -> Batch:
            return self.take(order[number * self.batch_size :][: self.batch_size], epoch, number)

        if not self.ahead or not numbers:
            yield from map(take, numbers)
            return
        threads = torch.get_num_threads()
        with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(threads,)) as pool:
            following = pool.submit(take, numbers[0])
            for number in numbers[1:]:
                batch, following = following.result(), pool.submit(take, number)
                yield batch
            yield following.result()

    def state_dict(self) -> dict[str, Any]:
        """Empty: its presence tells Lightning that a pass can resume within an epoch; `start` does that."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Do nothing, see `start`."""
