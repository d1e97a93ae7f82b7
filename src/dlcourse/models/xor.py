"""Small nets that learn XOR by gradient descent, from many initial weights at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.batched_nets import ManyNets
from dlcourse.models.checks import above_zero, at_least_one, one_of
from dlcourse.nets.two_layer import TwoLayer, descend, from_units

INITS = ("normal", "uniform")
STOPS = ("solved", "mse")
NUMBERS = 2**20  # weights kept in one stretch of iterations: 8 MB


class XOR(ManyNets):
    """Trains 2-H-1 sigmoid nets by full-batch gradient descent on half the mean squared error (rows B1 to B3).

    The starting weights count as iteration 1. A net that has stopped keeps its final weights. Each combination of a
    rate and a distribution makes a group of nets; all groups train in one run.

    Args:
        task: two features and two classes.
        lr: learning rate, or a list of them.
        hidden: H.
        restarts: nets in a group, each from its own draw; groups of one distribution start from the same draws.
        init: `normal` or `uniform`, of every weight and bias, or a list of them.
        scale: standard deviation of the normal distribution, or half the width of the uniform one around 0.
        start: the weights of one net to start from instead, unit by unit and each with its bias first.
        stop: a net stops when it has `solved` all four points (outputs on the right side of 0.5), or when its `mse` is
            below the option `mse`.
        mse: mean squared error at which a net stops, for `stop=mse`.
        chunk: iterations of a Trainer step.
        seed: of numpy's RandomState, which the starting weights are drawn from, net by net.

    Raises:
        UserError: an argument is out of range, or does not fit the data.
    """

    kind = "classes"
    net: TwoLayer
    solved_at: Tensor
    ended_at: Tensor
    last: Tensor
    lr: Tensor
    group: Tensor

    def __init__(
        self,
        task: Task,
        lr: float | Sequence[float] = 0.3,
        hidden: int = 3,
        restarts: int = 400,
        init: str | Sequence[str] = "normal",
        scale: float = 1.0,
        start: Sequence[float] | None = None,
        stop: str = "solved",
        mse: float = 0.01,
        chunk: int = 1000,
        seed: int = 0,
    ):
        check_task(task)
        at_least_one(restarts=restarts, hidden=hidden)
        above_zero(scale=scale, mse=mse)
        one_of(STOPS, stop=stop)
        self.groups = groups(init, lr, start is not None)
        count = 4 * hidden + 1
        if start is not None and len(start) != count:
            raise UserError(f"model.start contains {len(start)} weights, but a 2-{hidden}-1 net has {count}")
        given = None if start is None else np.array([start], np.float64)
        draws = [
            draw_start(seed, name, scale, (restarts, count)) if given is None else given for name, _ in self.groups
        ]
        weights = from_units(torch.from_numpy(np.concatenate(draws)), hidden)
        super().__init__(task, TwoLayer(weights, hidden), weights.shape[1], chunk, seed)
        self.hidden, self.scale, self.stop, self.mse = hidden, scale, stop, mse
        self.size = self.count // len(self.groups)  # nets in a group
        rates = torch.tensor([rate for _, rate in self.groups], dtype=torch.float64)
        self.register_buffer("lr", rates.repeat_interleave(self.size), persistent=False)
        group = torch.arange(len(self.groups)).repeat_interleave(self.size)
        self.register_buffer("group", group, persistent=False)
        self.register_buffer("solved_at", torch.zeros(self.count, dtype=torch.int64))  # iteration, 0: not yet
        self.register_buffer("ended_at", torch.zeros(self.count, dtype=torch.int64))
        self.register_buffer("last", torch.zeros(2, self.count, dtype=torch.float64))  # error and wrong answers there
        # means over each group [iterations, groups]
        self.record = {name: torch.zeros(0, len(self.groups), dtype=torch.float32) for name in ("mse", "wrong")}

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
        left, curves = self.chunk, []
        while left and not self.finished:
            going = (self.ended_at == 0).nonzero()[:, 0]
            steps = max(1, min(left, 100, NUMBERS // (len(self.net.weight) * len(going))))
            before = self.iteration + self.chunk - left
            curves.append(self._stretch(going, inputs, labels.to(inputs.dtype), before, steps))
            left -= steps
        for name, parts in zip(("mse", "wrong"), zip(*curves, strict=True), strict=True):
            self.record[name] = torch.cat([self.record[name], *parts])
        return {"loss": self.record["mse"][-1].mean() / 2, "solved": (self.solved_at > 0).double().mean()}

    def _stretch(self, going: Tensor, inputs: Tensor, targets: Tensor, before: int, steps: int) -> tuple[Tensor, ...]:
        """Run some iterations of the nets `going` [G]; returns both curves [steps, groups]."""
        way, outputs = descend(self.net.weight[:, going], inputs, targets, self.hidden, self.lr[going], steps)
        wanted = targets[:, None]
        mse = (outputs - wanted).square().mean(1)  # [steps, G]
        wrong = ((outputs > 0.5) != (wanted > 0.5)).sum(1)
        solved = _first(wrong == 0)
        end = solved if self.stop == "solved" else _first(mse < self.mse)
        fresh = (self.solved_at[going] == 0) & (solved < steps) & (solved <= end)
        self.solved_at[going[fresh]] = before + 1 + solved[fresh]
        self.ended_at[going[end < steps]] = before + 1 + end[end < steps]
        self.net.weight[:, going] = way[end, :, torch.arange(len(going), device=end.device)].T
        # The curves continue with a net's final values.
        held, curves = end.clamp_max(steps - 1), []
        late = torch.arange(steps, device=end.device)[:, None] > held
        for values, last in zip((mse, wrong.to(mse.dtype)), self.last, strict=True):
            final = values.gather(0, held[None])
            total = last.view(len(self.groups), self.size).sum(1).expand(steps, -1).to(mse.dtype)
            total = total.index_add(1, self.group[going], torch.where(late, final, values))
            curves.append((total / self.size).float().cpu())
            last[going] = torch.where(end < steps, final[0], 0).to(last.dtype)
        return tuple(curves)

    def plots(self) -> tuple[str, ...]:
        """Its own plots only: a confusion matrix of four points is not informative."""
        return ("xor",)

    def loss(self, output: Tensor, labels: Tensor) -> Tensor:
        """Half the mean squared error over points and nets."""
        return (output.sigmoid() - labels[:, None]).square().mean() / 2

    def predictions(self, output: Tensor) -> dict[str, Tensor]:
        """`logits` [N, R] of all nets; above 0 they say 1."""
        return {"logits": output}

    def compute_metrics(self, answers: dict[str, Tensor]) -> dict[str, float]:
        """Accuracy over points and nets, the share of nets that solved all, median and mean of their iterations.

        Of several groups also each one's share and median, named as in `solved_normal_0.3`.
        """
        right = (answers["logits"] > 0) == (answers["labels"][:, None] > 0)
        found = {"accuracy": right.double().mean().item()} | _figures(self.solved_at)
        for number, (init, rate) in enumerate(self.groups if len(self.groups) > 1 else ()):
            figures = _figures(self.solved_at[self.group == number])
            found |= {f"{name}_{init}_{rate:g}": figures[name] for name in ("solved", "iterations") if name in figures}
        return found

    def format_predictions(self, answers: dict[str, Tensor]) -> list[dict[str, Any]]:
        """The class that most nets predict."""
        share = (answers["logits"] > 0).double().mean(1)
        return [{"class": self.task.classes[int(s > 0.5)], "share": max(s, 1 - s)} for s in share.tolist()]


def check_task(task: Task) -> None:
    """Refuse tasks other than two features and two classes.

    Raises:
        UserError: the task has other shapes.
    """
    if task.kind == "classes" and (task.in_shape != (2,) or len(task.classes) != 2):
        asked = f"{task.shape_text()} and {len(task.classes)} classes"
        raise UserError(f"the nets need 2 features and 2 classes, but {task.data} has {asked}: use data=xor")


def draw_start(seed: int, init: str, scale: float, size: tuple[int, int]) -> np.ndarray:
    """Starting weights [R, P], net by net, as the course's own code draws them."""
    draws = np.random.RandomState(seed)
    return draws.normal(0, scale, size) if init == "normal" else draws.uniform(-scale, scale, size)


def groups(init: str | Sequence[str], lr: float | Sequence[float], given: bool = False) -> list[tuple[str, float]]:
    """A distribution and a rate for each group of nets.

    Args:
        init, lr: see `XOR`.
        given: whether the starting weights are given instead of drawn.

    Raises:
        UserError: the distribution is unknown, or a rate is not above 0.
    """
    inits = [init] if isinstance(init, str) else list(init)
    rates = list(lr) if isinstance(lr, Sequence) and not isinstance(lr, str) else [lr]
    if not inits or not rates:
        raise UserError(
            "model.init and model.optimizer.lr are empty lists: give at least one distribution and one rate"
        )
    for name in inits:
        one_of(INITS, init=name)
    for rate in rates:
        above_zero(lr=rate)
    return [(name, rate) for name in (["given"] if given else inits) for rate in rates]


def _figures(solved_at: Tensor) -> dict[str, float]:
    iterations = solved_at[solved_at > 0].double()
    found = {"solved": len(iterations) / len(solved_at)}
    if len(iterations):
        found |= {"iterations": iterations.quantile(0.5).item(), "iterations_mean": iterations.mean().item()}
    return found


def _first(hits: Tensor) -> Tensor:
    """Where each column [steps, G] is first true, steps where it never is."""
    return torch.where(hits.any(0), hits.to(torch.uint8).argmax(0), len(hits))
