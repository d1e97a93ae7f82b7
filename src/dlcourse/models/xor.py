"""Small nets that learn the exclusive or by gradient descent, from many starting weights at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.many import ManyNets, above_zero, at_least_one, one_of
from dlcourse.nets.two_layer import TwoLayer, descend, from_units

INITS = ("normal", "uniform")
STOPS = ("solved", "mse")
NUMBERS = 2**19  # weights of a stretch of iterations that are kept: 4 MB, which stay in the cache


class XOR(ManyNets):
    """Trains 2-H-1 sigmoid nets by full-batch gradient descent on half the mean squared error (rows B1 to B3).

    An iteration is counted where its outputs are looked at, so the starting weights are iteration 1. A net that has
    reached its end keeps the weights that it had there.

    Args:
        task: two features and two classes.
        lr: learning rate.
        hidden: H.
        restarts: nets, each from its own draw.
        init: `normal` or `uniform`, of every weight and bias.
        scale: standard deviation of the normal distribution, or half the width of the uniform one around 0.
        start: the weights of one net to start from instead, unit by unit and each with its bias first.
        stop: a net ends when it has `solved` all four points, outputs on the right side of 0.5, or when its `mse` is
            below the number of that name.
        mse: mean squared error at which a net ends, for `stop=mse`.
        chunk: iterations of a Trainer step.
        seed: of numpy's RandomState, which the starting weights are drawn from, a net after the other.
    """

    kind = "classes"
    net: TwoLayer
    solved_at: Tensor
    ended_at: Tensor
    last: Tensor

    def __init__(
        self,
        task: Task,
        lr: float = 0.3,
        hidden: int = 3,
        restarts: int = 400,
        init: str = "normal",
        scale: float = 1.0,
        start: Sequence[float] | None = None,
        stop: str = "solved",
        mse: float = 0.01,
        chunk: int = 1000,
        seed: int = 0,
    ):
        check_task(task)
        at_least_one(restarts=restarts, hidden=hidden)
        above_zero(lr=lr, scale=scale, mse=mse)
        one_of(INITS, init=init)
        one_of(STOPS, stop=stop)
        count = 4 * hidden + 1
        if start is not None and len(start) != count:
            raise UserError(f"model.start holds {len(start)} weights, but a 2-{hidden}-1 net has {count}")
        weights = np.array([start]) if start is not None else draw_start(seed, init, scale, (restarts, count))
        net = TwoLayer(from_units(torch.from_numpy(weights.astype(np.float64)), hidden), hidden)
        super().__init__(task, net, len(weights), chunk, seed)
        self.lr, self.hidden, self.stop, self.mse = lr, hidden, stop, mse
        self.register_buffer("solved_at", torch.zeros(self.count, dtype=torch.int64))  # iteration, 0: not yet
        self.register_buffer("ended_at", torch.zeros(self.count, dtype=torch.int64))
        self.register_buffer("last", torch.zeros(2, self.count, dtype=torch.float64))  # error and wrong answers there
        self.record = {"mse": torch.zeros(0), "wrong": torch.zeros(0)}  # means over the nets, by iteration

    @property
    def finished(self) -> bool:
        """Whether every net has ended."""
        return bool((self.ended_at > 0).all())

    @property
    def iteration(self) -> int:
        """Iterations done by the nets that have not ended."""
        return len(self.record["mse"])

    def advance(self, inputs: Tensor, labels: Tensor) -> dict[str, Any]:
        """Up to `chunk` iterations of all nets that have not ended."""
        left = self.chunk
        while left and not self.finished:
            going = (self.ended_at == 0).nonzero()[:, 0]
            steps = max(1, min(left, 100, NUMBERS // (len(self.net.weight) * len(going))))
            self._stretch(going, inputs, labels.to(inputs.dtype), steps)
            left -= steps
        return {"loss": self.record["mse"][-1] / 2, "solved": (self.solved_at > 0).double().mean()}

    def _stretch(self, going: Tensor, inputs: Tensor, targets: Tensor, steps: int) -> None:
        way, outputs = descend(self.net.weight[:, going], inputs, targets, self.hidden, self.lr, steps)
        wanted, before = targets[:, None], self.iteration
        mse = (outputs - wanted).square().mean(1)  # [steps, G]
        wrong = ((outputs > 0.5) != (wanted > 0.5)).sum(1)
        solved = _first(wrong == 0)
        end = solved if self.stop == "solved" else _first(mse < self.mse)
        fresh = (self.solved_at[going] == 0) & (solved < steps) & (solved <= end)
        self.solved_at[going[fresh]] = before + 1 + solved[fresh]
        self.ended_at[going[end < steps]] = before + 1 + end[end < steps]
        self.net.weight[:, going] = way[end, :, torch.arange(len(going), device=end.device)].T
        # The curves go on with what a net had at its end.
        held, ended = end.clamp_max(steps - 1), self.last.sum(1)
        late = torch.arange(steps, device=end.device)[:, None] > held
        for row, (name, values) in enumerate({"mse": mse, "wrong": wrong.to(mse.dtype)}.items()):
            final = values.gather(0, held[None])
            mean = (torch.where(late, final, values).sum(1) + ended[row]) / self.count
            self.record[name] = torch.cat([self.record[name], mean.cpu()])
            self.last[row, going] = torch.where(end < steps, final[0], 0).to(self.last.dtype)

    def pictures(self) -> tuple[str, ...]:
        """Its own alone: there is nothing to see in a confusion of four points."""
        return ("xor",)

    def loss(self, output: Tensor, labels: Tensor) -> Tensor:
        """Half the mean squared error over points and nets."""
        return (output.sigmoid() - labels[:, None]).square().mean() / 2

    def answer(self, output: Tensor) -> dict[str, Tensor]:
        """`logits` [N, R] of all nets; above 0 they say 1."""
        return {"logits": output}

    def measure(self, answers: dict[str, Tensor]) -> dict[str, float]:
        """Accuracy over points and nets, the share of nets that solved all, median and mean of their iterations."""
        right = (answers["logits"] > 0) == (answers["labels"][:, None] > 0)
        iterations = self.solved_at[self.solved_at > 0].double()
        found = {"accuracy": right.double().mean(), "solved": (self.solved_at > 0).double().mean()}
        if len(iterations):
            found |= {"iterations": iterations.quantile(0.5), "iterations_mean": iterations.mean()}
        return {name: value.item() for name, value in found.items()}

    def describe(self, answers: dict[str, Tensor]) -> list[dict[str, Any]]:
        """The class that most nets say."""
        share = (answers["logits"] > 0).double().mean(1)
        return [{"class": self.task.classes[int(s > 0.5)], "share": max(s, 1 - s)} for s in share.tolist()]


def check_task(task: Task) -> None:
    """Refuse what is not two features and two classes.

    Raises:
        UserError: the task is another one.
    """
    if task.kind == "classes" and (task.in_shape != (2,) or len(task.classes) != 2):
        asked = f"{task.shape_text()} and {len(task.classes)} classes"
        raise UserError(f"the nets take 2 features and 2 classes, but {task.data} has {asked}: take data=xor")


def draw_start(seed: int, init: str, scale: float, size: tuple[int, int]) -> np.ndarray:
    """Starting weights [R, P], net by net, as the course's own code draws them."""
    draws = np.random.RandomState(seed)
    return draws.normal(0, scale, size) if init == "normal" else draws.uniform(-scale, scale, size)


def _first(hits: Tensor) -> Tensor:
    """Where each column [steps, G] is first true, steps where it never is."""
    return torch.where(hits.any(0), hits.to(torch.uint8).argmax(0), len(hits))
