"""Generative models that can be told what an image shows: its class, or its factors."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcourse.analysis.latents import STEPS, between
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.generative import Generative

KNOWN = 1024  # training labels that conditions of samples are drawn from


def condition_length(task: Task, conditional: bool) -> int:
    """The length of a condition: a 1 and the factors, categories one-hot; 0 if the model is not conditional.

    Raises:
        UserError: the data have no labels.
    """
    if conditional and not task.factors:
        raise UserError(
            f"model.conditional=true needs labels, but {task.data} has none: remove it, or use data=toons or mnist"
        )
    return 1 + sum(_lengths(task)) if conditional else 0


def _lengths(task: Task) -> list[int]:
    """How many numbers of a condition each factor has."""
    return [max(1, k) for k in task.categories]


class Conditional(Generative):
    """A generative model whose latent is noise, followed by the condition if it is conditional.

    A condition is a 1 and the factors: categories one-hot, numbers from 0 to 1. Zeros stand for any image.

    Args:
        noise_length: how many numbers the noise has.
        conditional: whether the model is told the factors of the data, such as the class.
        task, net, optimizer, schedule, seed, features, shown_epochs: see `Generative`; the net's first output has the
            length of noise and condition together.
    """

    known: Tensor  # labels of training images [KNOWN, F], from which the conditions of samples are drawn

    def __init__(
        self,
        task: Task,
        net: Callable[..., nn.Module],
        noise_length: int,
        conditional: bool,
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Callable[..., dict[str, Any]],
        seed: int = 0,
        features: str = "auto",
        shown_epochs: int | Sequence[int] = (),
    ):
        if noise_length < 1:
            raise UserError(f"model.latent={noise_length} is too small: use for example 32")
        outputs = (noise_length + condition_length(task, conditional),)
        super().__init__(task, net, outputs, optimizer, schedule, seed, features, shown_epochs)
        self.noise_length, self.conditional = noise_length, conditional
        self.fixed: dict[str, float] = {}  # factors that the user has chosen for the samples
        if conditional:
            self.register_buffer("known", torch.zeros(KNOWN, len(task.factors)))

    def on_fit_start(self) -> None:
        """Keep the labels of some training images: the conditions of samples."""
        if self.conditional:
            labels = self.trainer.datamodule.arrays["train"][1]  # ty: ignore[missing-attribute]
            self.known.copy_(labels[torch.arange(KNOWN) % len(labels)])

    def conditions(self, labels: Tensor) -> Tensor | None:
        """Labels [N, F] in [0, 1] to conditions [N, K] on the model's device; None if the model is not conditional."""
        if not self.conditional:
            return None
        labels = labels.to(self.device)
        parts = [torch.ones_like(labels[:, :1])]
        for column, k in zip(labels.T, self.task.categories, strict=True):
            parts.append(F.one_hot((column * (k - 1)).round().long(), k).to(labels) if k else column[:, None])
        return torch.cat(parts, 1)

    def fix_factors(self, values: Mapping[str, float]) -> None:
        """From now on samples have these factors: the number of a category's value, or a number from 0 to 1.

        Raises:
            UserError: the model is not conditional, or a factor or its value does not exist.
        """
        if values and not self.conditional:
            super().fix_factors(values)
        for name, value in values.items():
            if name not in self.task.factors:
                raise UserError(f"unknown factor {name}: use one of {', '.join(self.task.factors)}")
            k = self.task.categories[self.task.factors.index(name)]
            if not isinstance(value, (int, float)) or not 0 <= value <= max(1, k - 1) or (k and value != int(value)):
                wanted = f"an integer from 0 to {k - 1}" if k else "a number from 0 to 1"
                raise UserError(f"{name}={value} is not {wanted}: use for example {name}={1 if k else 0.5}")
        self.fixed = dict(values)

    def sample_latents(self, count: int, generator: torch.Generator, truncation: float = 1.0) -> Tensor:
        """Noise, followed by the conditions of as many training images, with the factors that are fixed: [N, L]."""
        noise = truncation * torch.randn(count, self.noise_length, generator=generator, device=generator.device)
        if not self.conditional:
            return noise.to(self.device)
        places = torch.randint(KNOWN, (count,), generator=generator, device=generator.device)
        labels = self.known[places.to(self.device)]
        for name, value in self.fixed.items():
            place = self.task.factors.index(name)
            labels[:, place] = value / max(1, self.task.categories[place] - 1)
        return torch.cat([noise.to(self.device), self.conditions(labels)], 1)  # ty: ignore[invalid-argument-type]

    def factors_of(self, z: Tensor) -> dict[str, float]:
        """The factors of a latent [L] in the units of `fix_factors`; empty if its condition stands for any image."""
        place = self.noise_length
        if not self.conditional or not z[place]:
            return {}
        found: dict[str, float] = {}
        for name, part in zip(self.task.factors, z[place + 1 :].split(_lengths(self.task)), strict=True):
            found[name] = float(part.argmax() if len(part) > 1 else part)
        return found

    def with_factors(self, z: Tensor, values: Mapping[str, float]) -> Tensor:
        """A latent [L] whose factors are replaced by `values`, one for each, in the units of `fix_factors`."""
        labels = [values[name] / max(1, k - 1) for name, k in zip(self.task.factors, self.task.categories, strict=True)]
        condition = self.conditions(torch.tensor([labels]))
        return z if condition is None else torch.cat([z[: self.noise_length], condition[0].to(z)])

    def parts(self, z: Tensor) -> tuple[Tensor, Tensor | None]:
        """Noise [N, `noise_length`] and conditions [N, K] of latents [N, L]; no conditions if not conditional."""
        return z[:, : self.noise_length], z[:, self.noise_length :] if self.conditional else None

    def between(self, first: Tensor, last: Tensor, steps: int = STEPS, way: str = "slerp") -> Tensor:
        """As in `Generative` for the noise; conditions go straight."""
        noise = between(first[: self.noise_length], last[: self.noise_length], steps, way)
        return torch.cat([noise, between(first[self.noise_length :], last[self.noise_length :], steps, "lerp")], 1)
