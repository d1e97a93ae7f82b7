"""Random search for XOR: draw all weights again until a net solves it."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from dlcourse.data.batches import seeded
from dlcourse.data.task import Task
from dlcourse.models.batched_nets import ManyNets
from dlcourse.models.checks import above_zero, at_least_one, one_of
from dlcourse.models.xor import INITS, check_task
from dlcourse.nets.two_layer import TwoLayer

BLOCK = 2**19  # tries that one generator draws
PIECE = 2**13  # tries at once on the CPU: their weights stay in the cache, and torch does not split them over threads

Solutions = tuple[Tensor, Tensor]  # their places in the block [K], and their weights [P, K]


class XORSearch(ManyNets):
    """Draws random 2-H-1 nets until one solves XOR, repeatedly (row B4).

    The tries are one sequence of independent draws of all weights of a net; an attempt ends at the next solution, so
    its number of tries has a geometric distribution.

    Args:
        task: two features and two classes.
        hidden: H.
        attempts: number of solutions to find.
        init: `normal` or `uniform`, of every weight and bias.
        scale: standard deviation of the normal distribution, or half the width of the uniform one around 0.
        chunk: iterations of a Trainer step; one is a block of 524,288 tries.
        seed: of the draws; those of a block are a function of it and of the block's number.

    Raises:
        UserError: an argument is out of range, or does not fit the data.
    """

    kind = "classes"
    precision = "32-true"
    precisions = ("32-true",)
    threads = None  # it starts its own threads
    net: TwoLayer
    tries: Tensor

    def __init__(
        self,
        task: Task,
        hidden: int = 2,
        attempts: int = 1000,
        init: str = "normal",
        scale: float = 1.0,
        chunk: int = 32,
        seed: int = 0,
    ):
        check_task(task)
        at_least_one(hidden=hidden, attempts=attempts)
        above_zero(scale=scale)
        one_of(INITS, init=init)
        super().__init__(task, TwoLayer(torch.zeros(4 * hidden + 1, attempts), hidden), attempts, chunk, seed)
        self.hidden, self.init, self.scale = hidden, init, scale
        self.register_buffer("tries", torch.zeros(attempts, dtype=torch.int64))  # of each attempt, 0: none found yet
        self.record = {"blocks": 0, "found": 0, "since": 0, "seconds": 0.0}  # since the last solution: tries

    @property
    def finished(self) -> bool:
        """Whether every attempt has found its solution."""
        return self.record["found"] == self.count

    @property
    def iteration(self) -> int:
        """Blocks drawn."""
        return self.record["blocks"]

    def advance(self, inputs: Tensor, labels: Tensor) -> dict[str, Any]:
        """Draw up to `chunk` blocks, one per thread."""
        start, first = time.perf_counter(), self.iteration
        threads = torch.get_num_threads() if self.device.type == "cpu" else 1
        with ThreadPoolExecutor(threads) as pool:
            # One block per thread at a time, so that few draws are wasted at the end.
            for begin in range(first, first + self.chunk, threads):
                for solutions in pool.map(self._block, range(begin, min(begin + threads, first + self.chunk))):
                    self._count(*solutions)
                if self.finished:
                    break
        self.record["seconds"] += time.perf_counter() - start
        # The loss is the share of attempts without a solution.
        return {"loss": 1 - self.record["found"] / self.count, "tries_per_second": self.tries_per_second}

    @property
    def tries_per_second(self) -> float:
        """Mean tries per second so far."""
        return self.record["blocks"] * BLOCK / self.record["seconds"] if self.record["seconds"] else float("nan")

    def _block(self, number: int) -> Solutions:
        with torch.inference_mode():
            draws = seeded(self.seed, 5, number, device=self.device)
            return search(draws, BLOCK, self.hidden, self.init, self.scale)

    def _count(self, places: Tensor, weights: Tensor) -> None:
        """Record the solutions of a block, up to the number of attempts."""
        record, places = self.record, places[: self.count - self.record["found"]]
        record["blocks"] += 1
        if not len(places):
            record["since"] += BLOCK
            return
        entered = slice(record["found"], record["found"] + len(places))
        before = torch.cat([places.new_tensor([-1 - record["since"]]), places[:-1]])
        self.tries[entered] = places - before
        self.net.weight[:, entered] = weights[:, : len(places)]
        record |= {"found": entered.stop, "since": BLOCK - 1 - int(places[-1])}

    def plots(self) -> tuple[str, ...]:
        """Its own plots only: a confusion matrix of four points is not informative."""
        return ("xor_search",)

    def loss(self, output: Tensor, labels: Tensor) -> Tensor:
        """Half the mean squared error over points and nets."""
        return (output.sigmoid() - labels[:, None]).square().mean() / 2

    def predictions(self, output: Tensor) -> dict[str, Tensor]:
        """`logits` [N, R] of the nets that were found; above 0 they say 1."""
        return {"logits": output}

    def compute_metrics(self, answers: dict[str, Tensor]) -> dict[str, float]:
        """Accuracy of the nets, share of solved attempts, mean and standard deviation of their tries."""
        right = (answers["logits"] > 0) == (answers["labels"][:, None] > 0)
        tries = self.tries[self.tries > 0].double()
        found = {"accuracy": right.double().mean(), "solved": (self.tries > 0).double().mean()}
        if len(tries) > 1:
            found["tries_sd"] = tries.std()
        if len(tries):
            found["tries"] = tries.mean()
        return {name: value.item() for name, value in found.items()}

    def format_predictions(self, answers: dict[str, Tensor]) -> list[dict[str, Any]]:
        """The class that the first net predicts."""
        return [{"class": self.task.classes[int(z > 0)]} for z in answers["logits"][:, 0].tolist()]


def search(draws: torch.Generator, count: int, hidden: int, init: str, scale: float) -> Solutions:
    """Draw the weights of `count` nets and return those that solve XOR.

    An output is above 0.5 where its argument is above 0, so the last sigmoid is never taken.

    Args:
        draws: generator, on the device that draws.
        count: of tries, a multiple of 8,192.
        hidden, init, scale: see `XORSearch`.
    """
    piece = PIECE if draws.device.type == "cpu" else count
    found = list(_pieces(draws, count // piece, piece, hidden, init, scale))
    places = torch.cat([place + i * piece for i, (place, _) in enumerate(found)])
    return places, torch.cat([weights for _, weights in found], 1)


def _pieces(
    draws: torch.Generator, pieces: int, size: int, hidden: int, init: str, scale: float
) -> Iterator[Solutions]:
    weights = torch.empty(4 * hidden + 1, size, device=draws.device)
    bias, first, second = weights[: 3 * hidden].view(3, hidden, size)
    out = weights[3 * hidden :]
    both, active = torch.empty_like(bias), torch.empty_like(bias)
    z00, z01, z10, z11 = torch.empty(4, size, device=draws.device)

    def output(argument: Tensor, z: Tensor) -> None:
        torch.sigmoid(argument, out=active)
        torch.addcmul(out[0], out[1], active[0], out=z)
        for i in range(1, hidden):
            z.addcmul_(out[i + 1], active[i])

    for _ in range(pieces):
        if init == "normal":
            weights.normal_(0, scale, generator=draws)
        else:
            weights.uniform_(-scale, scale, generator=draws)
        output(bias, z00)
        output(torch.add(bias, first, out=both), z10)
        output(both.add_(second), z11)
        output(torch.add(bias, second, out=both), z01)
        low, high = torch.maximum(z00, z11, out=z00), torch.minimum(z01, z10, out=z01)
        places = ((low <= 0) & (high > 0)).nonzero()[:, 0]
        yield places, weights[:, places]
