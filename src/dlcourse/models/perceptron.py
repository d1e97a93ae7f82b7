"""Multi-class perceptron trained by the Adaline rule, with several seeds at once."""

import math
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcourse.data.task import Task, fine
from dlcourse.models.batched_nets import ManyNets
from dlcourse.models.checks import above_zero, at_least_one, one_of
from dlcourse.nets.perceptrons import OnlinePass, Perceptrons, batch_pass

UPDATES = ("batch", "online")


class Perceptron(ManyNets):
    """Learns classes by dW = lr x (d - out) with sigmoid outputs and without their derivative (rows A4 and A5).

    A net stops when it classifies all training samples correctly, or after `patience` passes without a new best. It
    keeps the weights of its best pass, by training accuracy. The nets differ in their starting weights only: net i of
    seed s is net 0 of seed s + i.

    Args:
        task: classes.
        lr: learning rate.
        update: the weights after each whole `batch` of training samples, or `online`, after each sample.
        seeds: nets.
        scale: standard deviation of the starting weights.
        average: evaluate and keep the mean of the weights over all updates (Freund & Schapire, 1999).
        patience: passes without a new best.
        chunk: passes of a Trainer step.
        seed: of numpy's RandomState, which the starting weights are drawn from.

    Raises:
        UserError: an argument is out of range, or does not fit the data.
    """

    kind = "classes"
    extra_plots = ("perceptron",)
    net: Perceptrons
    weight: Tensor
    total: Tensor
    best: Tensor
    best_pass: Tensor
    passes: Tensor

    def __init__(
        self,
        task: Task,
        lr: float = 0.2,
        update: str = "batch",
        seeds: int = 1,
        scale: float = 5.0,
        average: bool = False,
        patience: int = 15,
        chunk: int = 10,
        seed: int = 0,
    ):
        at_least_one(seeds=seeds, patience=patience)
        above_zero(lr=lr, scale=scale)
        one_of(UPDATES, update=update)
        size = (math.prod(task.in_shape) + 1, len(task.classes))
        # numpy's old generator gives the same draws in every version.
        draws = [np.random.RandomState(seed + i).normal(0, scale, size) for i in range(seeds)]
        start = torch.from_numpy(np.concatenate(draws, 1)).contiguous()
        super().__init__(task, Perceptrons(start, size[1]), seeds, chunk, seed)
        self.classes = size[1]
        self.lr, self.update, self.average, self.patience = lr, update, average, patience
        self.register_buffer("weight", start.clone())  # current weights; the net keeps the best ones
        self.register_buffer("total", torch.zeros_like(start))  # of the weights after each update
        self.register_buffer("best", torch.full((seeds,), -1.0, dtype=torch.float64))  # training accuracy
        self.register_buffer("best_pass", torch.zeros(seeds, dtype=torch.int64))
        self.register_buffer(
            "passes", torch.zeros(seeds, dtype=torch.int64)
        )  # pass at which a net stopped, 0: still running
        self.record = {"accuracy": torch.zeros(0, seeds), "seconds": []}  # by pass, the start first

    @property
    def finished(self) -> bool:
        """Whether every net has stopped."""
        return bool((self.passes > 0).all())

    @property
    def iteration(self) -> int:
        """Passes over the training set."""
        return max(len(self.record["seconds"]) - 1, 0)

    def advance(self, inputs: Tensor, labels: Tensor) -> dict[str, Any]:
        """Up to `chunk` passes of the nets that have not stopped before."""
        truth, seconds = fine(labels), self.record["seconds"]
        x = torch.cat([inputs, inputs.new_ones(len(inputs), 1)], 1)
        nets = (self.passes == 0).nonzero()[:, 0]
        columns = (nets[:, None] * self.classes + torch.arange(self.classes, device=nets.device)).flatten()
        weight, total = self.weight[:, columns], self.total[:, columns]
        targets = torch.nn.functional.one_hot(truth, self.classes).to(x.dtype).repeat(1, len(nets))
        step = batch_pass if self.update == "batch" else OnlinePass(targets.shape[1], x)
        outputs = x @ weight
        if not seconds:
            self._judge(outputs, truth, nets, weight)
            seconds.append(0.0)
        for _ in range(self.chunk):
            if self.finished:
                break
            start = time.perf_counter()
            total += step(weight, x, targets, self.lr, outputs)
            updates = len(seconds) * (len(x) if self.update == "online" else 1)
            outputs = x @ weight if self.update == "batch" or not self.average else outputs
            if self.average:
                self._judge(x @ total, truth, nets, total / updates)
            else:
                self._judge(outputs, truth, nets, weight)
            seconds.append(time.perf_counter() - start)
        self.weight[:, columns], self.total[:, columns] = weight, total
        return {"loss": self.loss(self.net(inputs), labels), "accuracy": self.best.mean()}

    def _judge(self, outputs: Tensor, truth: Tensor, nets: Tensor, weight: Tensor) -> None:
        """Record training accuracies after a pass, keep the best weights, stop nets without improvement.

        Args:
            outputs: arguments of the sigmoids, or a multiple of them [N, G K].
            truth: classes [N].
            nets: indices of the evaluated nets [G].
            weight: weights of these nets [F + 1, G K].
        """
        answers = outputs.view(len(outputs), -1, self.classes).argmax(2)
        accuracy = self.best.clone()  # of nets that have stopped
        fresh = (answers == truth[:, None]).to(self.best.dtype).mean(0)
        accuracy[nets] = torch.where(self.passes[nets] == 0, fresh, self.best[nets])  # a net may stop within a chunk
        number, going = len(self.record["seconds"]), self.passes == 0
        better = going & (accuracy > self.best)
        chosen = better.repeat_interleave(self.classes)
        self.net.weight[:, chosen] = weight[:, better[nets].repeat_interleave(self.classes)]
        self.best[better], self.best_pass[better] = accuracy[better], number
        self.passes[going & ((self.best == 1) | (number - self.best_pass >= self.patience))] = max(number, 1)
        self.record["accuracy"] = torch.cat([self.record["accuracy"], accuracy[None].cpu()])

    def loss(self, output: Tensor, labels: Tensor) -> Tensor:
        """Half the mean squared error of outputs [N, S, K] over samples, nets and classes."""
        wanted = torch.nn.functional.one_hot(fine(labels), self.classes)
        return (output.sigmoid() - wanted[:, None]).square().mean() / 2

    def predictions(self, output: Tensor) -> dict[str, Tensor]:
        """`classes` [N] of the first net, shown in the plots, and `each` [N, S] of all nets."""
        each = output.argmax(2)
        return {"classes": each[:, 0], "each": each}

    def compute_metrics(self, answers: dict[str, Tensor]) -> dict[str, float]:
        """Mean, standard deviation and maximum of the accuracy over the nets; mean passes until they stopped."""
        accuracy = (answers["each"] == fine(answers["labels"])[:, None]).double().mean(0)
        found = {"accuracy": accuracy.mean().item()}
        if self.count > 1:
            found |= {"accuracy_sd": accuracy.std().item(), "accuracy_max": accuracy.max().item()}
        passes = torch.where(self.passes > 0, self.passes, self.iteration)
        return found | {"passes": passes.double().mean().item()}

    def format_predictions(self, answers: dict[str, Tensor]) -> list[dict[str, Any]]:
        """The class that the first net predicts."""
        return [{"class": self.task.classes[i]} for i in answers["classes"].tolist()]
