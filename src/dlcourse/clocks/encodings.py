"""Encodings of time: from a time of the dial to a target, and from a net's output to a time.

Times are minutes of the dial, 0 (12:00) to 719 (11:59). An encoding defines how many outputs the net has
(`outputs`, one entry for each head), the loss against the true minutes and how an output is decoded. Some also give a
distribution over the 720 times, from which confidence and runner-up follow.
"""

from typing import ClassVar, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

MINUTES = 720  # of the dial, 12 hours
RUNNER_UP_DISTANCE = 5  # smallest distance in minutes of a runner-up from the predicted time


def minutes_of(labels: Tensor) -> Tensor:
    """Hour and minute, the first two of the labels [N, 2 or more], as minutes of the dial [N]."""
    return labels[:, 0] * 60 + labels[:, 1]


def time_labels(minutes: Tensor) -> Tensor:
    """Minutes of the dial [N] as hour 0-11 and minute 0-59 [N, 2]."""
    return torch.stack([minutes // 60, minutes % 60], 1)


def circular_difference(a: Tensor, b: Tensor, period: float = MINUTES) -> Tensor:
    """a - b along the shorter arc, in [-period / 2, period / 2), elementwise."""
    return torch.remainder(a - b + period / 2, period) - period / 2


def circular_error(a: Tensor, b: Tensor) -> Tensor:
    """The "common sense" error in minutes: |a - b| along the shorter arc of the dial, 0 to 360."""
    return circular_difference(a, b).abs()


def table_on(encoding: object, name: str, device: torch.device) -> Tensor:
    """A table of an encoding, on a device. It moves there once: a copy in each step would keep a GPU waiting.

    Args:
        encoding: has the table as an attribute.
        name: of the attribute.
        device: of the outputs or times that are looked up.
    """
    table: Tensor = getattr(encoding, name)
    if table.device != device:
        with torch.inference_mode(False):  # else a table that validation moves could not be used in training
            table = table.to(device)
        setattr(encoding, name, table)
    return table


class Encoding(Protocol):
    """Interface of the encodings; N images, K = sum(outputs) numbers for each image."""

    outputs: tuple[int, ...]

    def encode(self, minutes_N: Tensor) -> Tensor:
        """The output [N, K] of a perfect net for these times."""
        ...

    def loss(self, output_NK: Tensor, minutes_N: Tensor) -> Tensor:
        """Mean loss of a batch, a scalar."""
        ...

    def decode(self, output_NK: Tensor) -> Tensor:
        """The time of each image in minutes [N], float, 0 <= t < 720."""
        ...

    def probabilities(self, output_NK: Tensor) -> Tensor | None:
        """A distribution over the 720 times [N, 720], or None if the encoding does not define one."""
        ...


class Regression:
    """One number, the time that has passed since 12:00 (rows G1, G2 and G5-regression).

    Args:
        loss: `mse` and `mae`, plain squared and absolute error (11:59 and 12:00 are far apart), or `circular`, the
            squared error along the shorter arc.
        unit: of the number and its error: `dial`, the fraction of the dial's 12 hours, 0 to 1; `hours`, 0 to 12.

    Raises:
        ValueError: an argument is out of range, or does not fit the data.
    """

    PERIODS: ClassVar = {"dial": 1.0, "hours": 12.0}  # the whole dial in each unit
    outputs = (1,)

    def __init__(self, loss: str = "circular", unit: str = "dial"):
        if loss not in ("mse", "mae", "circular"):
            raise ValueError(f"loss={loss} is unknown: use circular, mse or mae")
        if unit not in self.PERIODS:
            raise ValueError(f"unit={unit} is unknown: use {' or '.join(self.PERIODS)}")
        self.kind, self.period = loss, self.PERIODS[unit]

    def encode(self, minutes_N: Tensor) -> Tensor:
        return minutes_N.float()[:, None] / (MINUTES / self.period)

    def loss(self, output_NK: Tensor, minutes_N: Tensor) -> Tensor:
        target = self.encode(minutes_N)
        circular = self.kind == "circular"
        difference = circular_difference(output_NK, target, self.period) if circular else output_NK - target
        return (difference.abs() if self.kind == "mae" else difference.square()).mean()

    def decode(self, output_NK: Tensor) -> Tensor:
        return _on_the_dial(output_NK[:, 0].float() * (MINUTES / self.period))

    def probabilities(self, output_NK: Tensor) -> Tensor | None:
        return None


class Classification:
    """The dial cut into equal classes (row G3).

    Args:
        num_classes: 1 to 720; 720 is one class for each minute. If it does not divide 720, some classes are a minute
            wider than others: 480 classes are alternately two minutes and one minute wide.
        decode: the time that represents a class: the `middle` of its minutes, or the `first` of them, as G3's training
            figures suggest (14.6 minutes for 24 classes; a perfect classifier has an error of 14.5 minutes with the
            first minute and 7.5 with the middle).

    Raises:
        ValueError: an argument is out of range, or does not fit the data.
    """

    def __init__(self, num_classes: int = 720, decode: str = "middle"):
        if decode not in ("middle", "first"):
            raise ValueError(f"decode={decode} is unknown: use middle or first")
        if not 1 <= num_classes <= MINUTES:
            raise ValueError(f"num_classes={num_classes} is out of range for a dial of 720 minutes: use 1 to 720")
        self.outputs = (num_classes,)
        self.step = -(-MINUTES // num_classes)  # minutes of the widest class
        minutes = torch.arange(MINUTES)
        self.class_of = self._class(minutes)
        self.minutes_in = torch.bincount(self.class_of)
        first = self.minutes_in.cumsum(0) - self.minutes_in
        self.time_of = first + (self.minutes_in - 1) / 2 if decode == "middle" else first.float()

    def _class(self, minutes_N: Tensor) -> Tensor:
        return minutes_N * self.outputs[0] // MINUTES

    def encode(self, minutes_N: Tensor) -> Tensor:
        return F.one_hot(self._class(minutes_N), self.outputs[0]).float() * 50

    def loss(self, output_NK: Tensor, minutes_N: Tensor) -> Tensor:
        return F.cross_entropy(output_NK, self._class(minutes_N))

    def decode(self, output_NK: Tensor) -> Tensor:
        return table_on(self, "time_of", output_NK.device)[output_NK.argmax(1)]

    def probabilities(self, output_NK: Tensor) -> Tensor:
        each = output_NK.float().softmax(1) / table_on(self, "minutes_in", output_NK.device)
        return each[:, table_on(self, "class_of", output_NK.device)]


class MultiHead:
    """A head for the hour and one for the minute (row G4, and G5's 12 + regression and 12 + 60).

    Args:
        hour: `angle`, soft bins of the hour hand's angle (it moves with the minutes), or `classes`, the 12 hours.
        minute: `classes`, 60 soft circular classes, or `regression`, the fraction of an hour by squared error.
        decode: `joint`, the time of 720 with the highest combined score of both heads, or `independent`, each head
            alone. Joint decoding needs minute classes.

    Raises:
        ValueError: an argument is out of range, or does not fit the data.
    """

    BINS = 144  # of the hour hand, 5 minutes each: 2.5 degrees, about the resolution of 150 pixels
    HOUR_SIGMA, MINUTE_SIGMA = 1.0, 0.7  # softness of the targets in bins and in minutes

    def __init__(self, hour: str = "angle", minute: str = "classes", decode: str = "joint"):
        for key, value, choices in (
            ("hour", hour, ("angle", "classes")),
            ("minute", minute, ("classes", "regression")),
            ("decode", decode, ("joint", "independent")),
        ):
            if value not in choices:
                raise ValueError(f"{key}={value} is unknown: use {' or '.join(choices)}")
        if decode == "joint" and minute != "classes":
            raise ValueError("decode=joint requires minute=classes: set that, or decode=independent")
        self.hour_is_angle, self.minute_is_class, self.joint = hour == "angle", minute == "classes", decode == "joint"
        self.outputs = (self.BINS if self.hour_is_angle else 12, 60 if self.minute_is_class else 1)
        # Targets of both heads for each of the 720 times: the loss looks them up.
        times = torch.arange(MINUTES)
        if self.hour_is_angle:
            # bin b is centred on its five minutes 5b .. 5b + 4, so that rounding down gives the right hour
            self.hour_table = _soft_classes((times - 2) * self.BINS / MINUTES, self.BINS, self.HOUR_SIGMA)
        else:
            self.hour_table = F.one_hot(times // 60, 12).float()
        if self.minute_is_class:
            self.minute_table = _soft_classes(times % 60, 60, self.MINUTE_SIGMA)
        else:
            self.minute_table = (times % 60)[:, None] / 60

    def encode(self, minutes_N: Tensor) -> Tensor:
        hour, minute = (table[minutes_N] for table in self._tables(minutes_N.device))
        hour = hour.clamp_min(1e-20).log()
        return torch.cat([hour, minute.clamp_min(1e-20).log() if self.minute_is_class else minute], 1)

    def loss(self, output_NK: Tensor, minutes_N: Tensor) -> Tensor:
        hour, minute = output_NK.split(self.outputs, 1)
        hour_target, minute_target = (table[minutes_N] for table in self._tables(output_NK.device))
        loss = F.cross_entropy(hour, hour_target)
        if self.minute_is_class:
            return loss + F.cross_entropy(minute, minute_target)
        return loss + (minute - minute_target).square().mean()

    def _tables(self, device: torch.device) -> tuple[Tensor, Tensor]:
        return table_on(self, "hour_table", device), table_on(self, "minute_table", device)

    def _scores(self, output_NK: Tensor) -> Tensor:
        """Log score [N, 720] of every time: how well the heads' distributions fit its targets."""
        hour, minute = output_NK.float().split(self.outputs, 1)
        hours, minutes = self._tables(output_NK.device)
        return hour.log_softmax(1) @ hours.T + minute.log_softmax(1) @ minutes.T

    def decode(self, output_NK: Tensor) -> Tensor:
        if self.joint:
            return self._scores(output_NK).argmax(1).float()
        hour, minute = output_NK.float().split(self.outputs, 1)
        whole_hours = hour.argmax(1)
        if self.hour_is_angle:
            whole_hours = whole_hours * 12 // self.BINS
        minutes = minute.argmax(1).float() if self.minute_is_class else minute[:, 0] * 60
        # a fraction below 0 or above 1 gives the neighbouring hour; wrapping within the hour is 60 minutes wrong
        return _on_the_dial(whole_hours * 60 + minutes)

    def probabilities(self, output_NK: Tensor) -> Tensor | None:
        return self._scores(output_NK).softmax(1) if self.minute_is_class else None


class Cyclic:
    """Sine and cosine of both hands' angles; decoding takes the hour that fits the minute hand best."""

    outputs = (2, 2)

    def encode(self, minutes_N: Tensor) -> Tensor:
        turns = torch.stack([minutes_N / MINUTES, (minutes_N % 60) / 60], 1) * (2 * torch.pi)
        return torch.stack([turns.sin(), turns.cos()], 2).flatten(1)

    def loss(self, output_NK: Tensor, minutes_N: Tensor) -> Tensor:
        return (output_NK - self.encode(minutes_N)).square().mean()

    def decode(self, output_NK: Tensor) -> Tensor:
        hour_sin, hour_cos, minute_sin, minute_cos = output_NK.float().unbind(1)
        hour = torch.atan2(hour_sin, hour_cos) * (12 / (2 * torch.pi))
        minute = torch.remainder(torch.atan2(minute_sin, minute_cos) * (60 / (2 * torch.pi)), 60)
        return _on_the_dial((hour - minute / 60).round() * 60 + minute)

    def probabilities(self, output_NK: Tensor) -> Tensor | None:
        return None


def _on_the_dial(minutes_N: Tensor) -> Tensor:
    """Wrap times to 0 <= t < 720; twice, since the remainder of a tiny negative number rounds to 720."""
    return minutes_N.remainder(MINUTES).remainder(MINUTES)


def _soft_classes(position_T: Tensor, classes: int, sigma: float) -> Tensor:
    """Gaussians [T, classes] on a circle of `classes` around positions given in classes, each summing to one."""
    distance = circular_difference(torch.arange(classes)[None].float(), position_T[:, None].float(), classes)
    weight = torch.exp(-0.5 * (distance / sigma) ** 2)
    return weight / weight.sum(1, keepdim=True)


def clock_text(minutes: float) -> str:
    """A time of the dial as text, 12:00 to 11:59."""
    whole = round(minutes) % MINUTES
    return f"{(whole // 60) or 12}:{whole % 60:02d}"


def confidence(probabilities: Tensor, minutes: Tensor, apart: int = RUNNER_UP_DISTANCE) -> tuple[Tensor, Tensor]:
    """Confidence of a predicted time, and the runner-up.

    Args:
        probabilities: [N, 720] over the times.
        minutes: [N], the predicted times.
        apart: smallest distance of a runner-up in minutes.

    Returns:
        The probability of the times within a minute of the prediction [N], and the most likely time at least `apart`
        minutes away [N].
    """
    times = torch.arange(MINUTES, device=minutes.device)
    distance = circular_error(times[None], minutes.round()[:, None])
    near = (probabilities * (distance <= 1)).sum(1)
    return near, (probabilities * (distance >= apart)).argmax(1)
