"""Clock readers: a net, an encoding of the time, and metrics of the error in minutes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dlcourse.clocks.encodings import (
    MINUTES,
    RUNNER_UP_DISTANCE,
    Encoding,
    circular_error,
    clock_text,
    confidence,
    minutes_of,
)
from dlcourse.data.task import Task
from dlcourse.models.base import BaseModule


class ClockReader(BaseModule):
    """Reads the time from an image of a clock.

    Args:
        task: description of the data, of kind `time`.
        net: makes the net from (in_shape, outputs).
        encoding: how a time becomes a target and an output becomes a time.
        optimizer, schedule, seed: see `BaseModule`.
        scaling: see `BaseModule.scale_inputs`.
    """

    kind = "time"
    always_measured = ("val/loss", "val/error_minutes")

    def __init__(
        self,
        task: Task,
        net: Callable[..., nn.Module],
        encoding: Encoding,
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Callable[..., dict[str, Any]],
        seed: int = 0,
        scaling: str = "statistics",
    ):
        super().__init__(task, net, encoding.outputs, optimizer, schedule, seed)
        self.scale_inputs(scaling)
        self.encoding = encoding

    def loss(self, output: Tensor, labels: Tensor) -> Tensor:
        """The encoding's loss against labels [N, 2], hour and minute."""
        return self.encoding.loss(output, minutes_of(labels))

    def predictions(self, output: Tensor) -> dict[str, Tensor]:
        """`minutes` [N]; also `probabilities` [N, 720] if the encoding has a distribution."""
        answers = {"minutes": self.encoding.decode(output)}
        probabilities = self.encoding.probabilities(output)
        return answers if probabilities is None else answers | {"probabilities": probabilities}

    def compute_metrics(self, answers: dict[str, Tensor]) -> dict[str, float]:
        """Errors in minutes; shares of correct hours, minutes and both, and within 1 and 5 minutes, after rounding."""
        labels, minutes = answers["labels"], answers["minutes"]
        truth = minutes_of(labels)
        error = circular_error(minutes, truth)
        whole = minutes.round() % MINUTES
        whole_error = circular_error(whole, truth)
        shares = {
            "exact": whole_error < 0.5,
            "within_one_minute": whole_error < 1.5,
            "within_five_minutes": whole_error < 5.5,
            "hour_accuracy": whole // 60 == labels[:, 0],
            "minute_accuracy": whole % 60 == labels[:, 1],
        }
        found = {"error_minutes": error.mean(), "error_minutes_median": error.median()}
        return {
            name: value.item() for name, value in (found | {k: v.float().mean() for k, v in shares.items()}).items()
        }

    def judged_confidence(self) -> tuple[Tensor, Tensor] | None:
        """As in `BaseModule`: the probability of the time and its neighbours; right within a minute."""
        answers = self.last_predictions
        if "probabilities" not in answers:
            return None
        truth = minutes_of(answers["labels"])
        sure, _ = confidence(answers["probabilities"], answers["minutes"])
        return sure, circular_error(answers["minutes"], truth) <= 1

    def format_predictions(self, answers: dict[str, Tensor]) -> list[dict[str, Any]]:
        """Time; also confidence and runner-up if the encoding has a distribution."""
        rows: list[dict[str, Any]] = [{"time": clock_text(t)} for t in answers["minutes"].tolist()]
        if "probabilities" in answers:
            apart = max(RUNNER_UP_DISTANCE, getattr(self.encoding, "step", 1))
            sure, likeliest = confidence(answers["probabilities"], answers["minutes"], apart)
            second = self.encoding.decode(self.encoding.encode(likeliest))  # the time as this encoding predicts it
            for row, c, other in zip(rows, sure.tolist(), second.tolist(), strict=True):
                row |= {"confidence": round(c, 3), "runner_up": clock_text(other)}
        return rows
