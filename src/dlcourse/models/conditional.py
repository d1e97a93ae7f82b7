"""Generative models that can be conditioned on what an image shows: its class, or its factors."""

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
        outputs: sizes of the net's heads as in `Generative`; the first, the length of the noise, grows by that of the
            condition.
        conditional: whether the model is conditioned on the factors of the data, such as the class.
        task, net, optimizer, schedule, seed, features, shown_epochs: see `Generative`.

    Raises:
        UserError: an argument is out of range, or does not fit the data.
    """

    known: Tensor  # labels of training images [KNOWN, F], from which the conditions of samples are drawn

    def __init__(
        self,
        task: Task,
        net: Callable[..., nn.Module],
        outputs: tuple[int, ...],
        conditional: bool,
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Callable[..., dict[str, Any]],
        seed: int = 0,
        features: str = "auto",
        shown_epochs: int | Sequence[int] = (),
    ):
        noise, *others = outputs
        if noise < 1:
            raise UserError(f"model.latent={noise} is too small: use for example 32")
        both = noise + condition_length(task, conditional)
        super().__init__(task, net, (both, *others), optimizer, schedule, seed, features, shown_epochs)
        self.noise_length, self.conditional = noise, conditional
        self.fixed: dict[str, float] = {}  # factors that the user has chosen for the samples
        if conditional:
            self.register_buffer("known", torch.zeros(KNOWN, len(task.factors)))

    def on_fit_start(self) -> None:
        """Keep the labels of some training images: the conditions of samples.

        They are the last ones: samples are compared with the first ones, and a sample with the factors of one of these
        would be near it in any case.
        """
        if self.conditional:
            labels = self.trainer.datamodule.arrays["train"][1]  # ty: ignore[missing-attribute]
            self.known.copy_(labels[-1 - torch.arange(KNOWN) % len(labels)])

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
            raise UserError(
                f"factors={dict(values)} needs a conditional model: use a vae, gan or flow with model.conditional=true"
            )
        for name, value in values.items():
            if name not in self.task.factors:
                raise UserError(f"unknown factor {name}: use one of {', '.join(self.task.factors)}")
            k = self.task.categories[self.task.factors.index(name)]
            if not isinstance(value, (int, float)) or not 0 <= value <= max(1, k - 1) or (k and value != int(value)):
                wanted = f"an integer from 0 to {k - 1}" if k else "a number from 0 to 1"
                raise UserError(f"{name}={value} is not {wanted}: use for example {name}={1 if k else 0.5}")
        self.fixed = dict(values)

    def estimated(self, scores: Tensor) -> Tensor:
        """The conditions [N, K] that a net's scores [N, K] stand for: of each category the value with the highest."""
        parts = [torch.ones_like(scores[:, :1])]
        for part, k in zip(scores[:, 1:].split(_lengths(self.task), 1), self.task.categories, strict=True):
            parts.append(F.one_hot(part.argmax(1), k).to(scores) if k else part.clamp(0, 1))
        return torch.cat(parts, 1)

    def estimation_loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Of scores [N, K] against labels [N, F]: cross-entropy of categories, squared error of numbers, summed [N]."""
        losses = []
        parts = scores[:, 1:].float().split(_lengths(self.task), 1)
        for part, column, k in zip(parts, labels.T, self.task.categories, strict=True):
            wanted = (column * (k - 1)).round().long() if k else column[:, None]
            losses.append(F.cross_entropy(part, wanted, reduction="none") if k else (part - wanted).square()[:, 0])
        return torch.stack(losses).sum(0)

    def sample_noise(self, count: int, generator: torch.Generator, truncation: float) -> Tensor:
        """Noise [N, `noise_length`] from N(0, 1), times the truncation.

        Raises:
            UserError: the family does not model a distribution.
        """
        if not self.samples:
            raise UserError(
                f"an {type(self).__name__} does not model a distribution to sample from: pass images with "
                "between=[A,B] or input=FOLDER, or train a vae, gan or flow"
            )
        noise = torch.randn(count, self.noise_length, generator=generator, device=generator.device)
        return truncation * noise.to(self.device)

    def sample_latents(self, count: int, generator: torch.Generator, truncation: float = 1.0) -> Tensor:
        """Noise, followed by the conditions of as many training images, with the factors that are fixed: [N, L]."""
        noise = self.sample_noise(count, generator, truncation)
        if not self.conditional:
            return noise
        places = torch.randint(KNOWN, (count,), generator=generator, device=generator.device)
        labels = self.known[places.to(self.device)]
        for name, value in self.fixed.items():
            place = self.task.factors.index(name)
            labels[:, place] = value / max(1, self.task.categories[place] - 1)
        return torch.cat([noise, self.conditions(labels)], 1)  # ty: ignore[invalid-argument-type]

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

    def with_fixed_factors(self, z: Tensor) -> Tensor:
        """Latents [N, L] of images, whose factors are replaced where the user has fixed them.

        Raises:
            UserError: the model does not know the other factors of the images.
        """
        if not self.fixed:
            return z
        known = [self.factors_of(row) for row in z]
        if not all(known):
            raise UserError(
                "factors can change given images only if the model estimates their other factors: use a vae with "
                "model.conditional=true"
            )
        return torch.stack([self.with_factors(row, found | self.fixed) for row, found in zip(z, known, strict=True)])

    def parts(self, z: Tensor) -> tuple[Tensor, Tensor | None]:
        """Noise [N, `noise_length`] and conditions [N, K] of latents [N, L]; no conditions if not conditional."""
        return z[:, : self.noise_length], z[:, self.noise_length :] if self.conditional else None

    def between(self, first: Tensor, last: Tensor, steps: int = STEPS, way: str = "slerp") -> Tensor:
        """Latents [steps, L] from one [L] to another: the noise see `latents.between`; conditions go straight."""
        noise = between(first[: self.noise_length], last[: self.noise_length], steps, way)
        return torch.cat([noise, between(first[self.noise_length :], last[self.noise_length :], steps, "lerp")], 1)
