"""Autoencoders: an image to a short latent vector and back; and the variational autoencoder, which can generate."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dlcourse.analysis.linear_probe import linear_probe, means
from dlcourse.analysis.perceptual import NETS, perceptual_distance
from dlcourse.data.batches import Batch, seeded
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.checks import one_of
from dlcourse.models.generative import SHOWN, Generative

ACTIVE = 0.01  # a latent unit is active if the variance of its mean over the data is larger (Burda et al., 2015)
LEVELS = 255
PROBED = 3000  # training images that the linear probe is fitted to


class Autoencoder(Generative):
    """Learns to reconstruct an image from `latent` numbers, by mean squared error.

    Args:
        latent: dimension of the latent vector.
        task, net, optimizer, schedule, seed, features, shown_epochs: see `Generative`.
    """

    samples = False
    extra_plots: tuple[str, ...] = ("probe",)

    def __init__(
        self,
        task: Task,
        net: Callable[..., nn.Module],
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Callable[..., dict[str, Any]],
        seed: int = 0,
        latent: int = 32,
        features: str = "auto",
        shown_epochs: int | Sequence[int] = (),
    ):
        super().__init__(task, net, self.heads(latent), optimizer, schedule, seed, features, shown_epochs)
        self.probe: dict[str, float] = {}  # score of a linear probe for each factor of the data

    @staticmethod
    def heads(latent: int) -> tuple[int, ...]:
        """Sizes of the encoder's heads."""
        return (latent,)

    def encode(self, inputs: Tensor) -> Tensor:
        """Latents [N, L] of stored images; the mean if the encoder outputs a distribution."""
        return self(inputs)[:, : self.latent]

    def decode(self, z: Tensor) -> Tensor:
        """Latents [N, L] to images [N, C, H, W] in -1 to 1."""
        decoder: Any = self.net.decoder
        return decoder(z)

    def training_loss(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Mean squared error in the scale of -1 to 1."""
        x = self.normalize(inputs)
        return squared_error(self.decode(self.net(x)), x).mean()

    def snapshot(self) -> Tensor:
        """Reconstructions of images of the validation split, or of the training split without one."""
        arrays = self.trainer.datamodule.arrays  # ty: ignore[missing-attribute]
        images = arrays["val" if "val" in arrays else "train"][0]
        return self.reconstructed(images[:SHOWN])

    def _collect(self, batch: Batch) -> None:
        inputs, labels = batch
        z = self.encode(inputs).float()
        error = squared_error(self.decode(z), self.normalize(inputs))
        self._gathered.append({"latent": z, "squared_error": error, "loss": error, "labels": labels})

    def compute_metrics(self, answers: dict[str, Tensor]) -> dict[str, float]:
        """`reconstruction_rmse`: root mean squared error of a pixel in levels of 255; and the scores of `compared`.

        `mean_picture_rmse` is the same error with the training mean in place of each reconstruction. If the data has
        labelled factors, `factors_r2` and `factors_accuracy` are the scores of a linear probe on the latents:
        the mean over the numeric factors and the mean over the categorical factors.
        """
        found = {"reconstruction_rmse": LEVELS / 2 * answers["squared_error"].mean().sqrt().item()}
        if self.data is not None and self.trainer.state.fn == "test":
            own = self.data.arrays[self.split][0][: len(answers["labels"])]
            mean = self.mean_picture().float()
            square = torch.stack([(part.float() - mean).square().sum() for part in own.split(500)]).sum()
            found["mean_picture_rmse"] = (square / own.numel()).sqrt().item()
            if (
                self.data.task.factors
                and self.split != "train"
                and not isinstance(self.trainer.limit_test_batches, int)
            ):
                self.probe = self._probed(answers)
                found |= means(self.probe, self.data.task.categories)
        return found | super().compute_metrics(answers)

    def _probed(self, answers: dict[str, Tensor]) -> dict[str, float]:
        """The score of each factor, by a linear probe fitted on training images."""
        assert self.data is not None
        images, factors = (part[:PROBED] for part in self.data.arrays["train"])
        train, test = self.latents(images).numpy(), answers["latent"].numpy()
        task = self.data.task
        return linear_probe(train, factors.numpy(), test, answers["labels"].numpy(), task.factors, task.categories)


class VAE(Autoencoder):
    """Variational autoencoder (Kingma and Welling, 2013, arXiv:1312.6114) with a Gaussian for each pixel.

    Args:
        latent: dimension of the latent vector.
        beta: weight of the divergence from the prior (Higgins et al., 2017); 1 is the evidence's lower bound.
        warmup: part of the steps in which that weight rises from 0.
        noise: standard deviation of a pixel in levels of 255, the same for all; or `learned`, with the weights
            (Rybkin et al., 2020, arXiv:2006.13202).
        prior: distribution of the samples' latents: `normal`, N(0, 1), or `fitted`, a normal distribution with the
            mean and covariance of the latents of the training images (Ghosh et al., 2019,
            arXiv:1903.12436).
        perceptual: weight of a perceptual distance between image and reconstruction in the training loss (VAE with a
            feature-perceptual loss; Hou et al., 2016, arXiv:1610.00291), which keeps edges; 0: none. The validation
            loss stays the bound alone.
        perceptual_net: the net that computes this distance, see `dlcourse.analysis.perceptual`.
        task, net, optimizer, schedule, seed, features, shown_epochs: see `Generative`.
    """

    samples = True
    extra_plots = ("vae", "probe")
    latent_mean: Tensor
    latent_covariance: Tensor

    def __init__(
        self,
        task: Task,
        net: Callable[..., nn.Module],
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Callable[..., dict[str, Any]],
        seed: int = 0,
        latent: int = 32,
        beta: float = 1.0,
        warmup: float = 0.1,
        noise: float | str = "learned",
        prior: str = "normal",
        perceptual: float = 0.0,
        perceptual_net: str = "random",
        features: str = "auto",
        shown_epochs: int | Sequence[int] = (),
    ):
        if prior not in ("normal", "fitted"):
            raise UserError(f"model.prior={prior} is unknown: use normal or fitted")
        if beta < 0 or not 0 <= warmup <= 1:
            raise UserError(f"model.beta={beta} must be 0 or more and model.warmup={warmup} between 0 and 1")
        one_of(NETS, perceptual_net=perceptual_net)
        if perceptual < 0:
            raise UserError(f"model.perceptual={perceptual} is below 0: use 0, or for example 1")
        learned = noise == "learned"
        if not learned and (not isinstance(noise, (int, float)) or noise <= 0):
            raise UserError(
                f"model.noise={noise} is not a standard deviation: use a number above 0, for example 20, or learned"
            )
        super().__init__(task, net, optimizer, schedule, seed, latent, features, shown_epochs)
        start = 0.3 if isinstance(noise, str) else 2 * noise / LEVELS
        self.log_noise = nn.Parameter(torch.tensor(math.log(start)), requires_grad=learned)
        self.beta, self.warmup, self.prior = beta, warmup, prior
        self.perceptual, self.perceptual_net = perceptual, perceptual_net
        self._distance: Callable[[Tensor, Tensor], Tensor] | None = None  # made at its first use
        self.register_buffer("latent_mean", torch.zeros(latent))
        self.register_buffer("latent_covariance", torch.eye(latent))

    @staticmethod
    def heads(latent: int) -> tuple[int, ...]:
        """Means and log variances."""
        return (latent, latent)

    def sample_latents(self, count: int, generator: torch.Generator, truncation: float = 1.0) -> Tensor:
        """Latents [N, L] from the prior."""
        z = super().sample_latents(count, generator, truncation)
        if self.prior == "normal":
            return z
        # a small diagonal term: rounding could make the smallest eigenvalue negative
        covariance = self.latent_covariance + 1e-5 * self.latent_covariance.diag().mean() * torch.eye(
            self.latent, device=z.device
        )
        return self.latent_mean + z @ torch.linalg.cholesky(covariance).T

    def posterior(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log variances of the latents of stored images, both [N, L]."""
        means, logs = self(inputs).float().split(self.latent, 1)
        return means, logs.clamp(-12, 8)

    def log_likelihood(self, drawn: Tensor, x: Tensor) -> Tensor:
        """Log density of images x [N, C, H, W] given the reconstructions, in nats per image [N].

        The density refers to pixels in levels of 255, so it does not depend on how the net scales them. The noise is
        wider than a level, so the density approximates the probability of the stored integers.
        """
        return self._log_likelihood(squared_error(drawn, x), x[0].numel())

    def _log_likelihood(self, error: Tensor, pixels: int) -> Tensor:
        square = error * pixels / (2 * self.log_noise).exp()
        return -0.5 * square - pixels * (self.log_noise + math.log(LEVELS / 2) + 0.5 * math.log(2 * math.pi))

    def training_loss(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Negative ELBO in nats per pixel, with the current weight of the divergence."""
        x = self.normalize(inputs)
        means, logs = self.posterior(inputs)
        z = means + (logs / 2).exp() * torch.randn_like(means)
        drawn = self.decode(z)
        likelihood = self.log_likelihood(drawn, x).mean()
        divergence = kl_divergence(means, logs).sum(1).mean()
        self._follow(means.detach(), logs.detach())
        self.note("kl", divergence)
        self.note("noise", LEVELS / 2 * self.log_noise.exp())
        loss = (self._weight() * divergence - likelihood) / x[0].numel()
        if self.perceptual:
            if self._distance is None:
                self._distance = perceptual_distance(self.perceptual_net, self.device)
            distance = self._distance(drawn, x).mean()
            self.note("perceptual", distance)
            loss = loss + self.perceptual * distance
        return loss

    def _weight(self) -> float:
        if self._trainer is None or not self.warmup:
            return self.beta
        steps = self.warmup * float(self.trainer.estimated_stepping_batches)
        return self.beta * min(1.0, (self.global_step + 1) / max(1.0, steps))

    @torch.no_grad()
    def _follow(self, means: Tensor, logs: Tensor, rate: float = 0.01) -> None:
        """Update the moving mean and covariance of the latents, for the fitted prior."""
        spread = logs.exp().mean(0).diag()
        off = means - self.latent_mean
        self.latent_mean.lerp_(means.mean(0), rate)
        with torch.autocast(off.device.type, enabled=False):  # in bfloat16 the matrix would lose positive definiteness
            self.latent_covariance.lerp_(off.T @ off / len(off) + spread, rate)

    def snapshot(self) -> Tensor:
        """Samples from the same latents each time."""
        return self.sampled(SHOWN, 0)

    def _collect(self, batch: Batch) -> None:
        inputs, labels = batch
        x = self.normalize(inputs)
        means, logs = self.posterior(inputs)
        draws = torch.randn(means.shape, generator=seeded(self.seed, 5, len(self._gathered))).to(means.device)
        kl = kl_divergence(means, logs)
        likelihood = self.log_likelihood(self.decode(means + (logs / 2).exp() * draws), x)
        error = squared_error(self.decode(means), x)
        loss = (self.beta * kl.sum(1) - likelihood) / x[0].numel()
        self._gathered.append(
            {
                "latent": means,
                "squared_error": error,
                "log_likelihood": likelihood,
                "kl": kl,
                "loss": loss,
                "labels": labels,
            }
        )

    def compute_metrics(self, answers: dict[str, Tensor]) -> dict[str, float]:
        """As `Autoencoder`; also `elbo` and `kl` in nats per image, `bits_per_pixel` (per channel), `active_units`.

        `elbo` uses one draw for each image and weighs the divergence by 1, independently of beta.
        """
        kl = answers["kl"].sum(1).mean().item()
        elbo = answers["log_likelihood"].mean().item() - kl
        pixels = math.prod(self.task.in_shape)
        found = {
            "elbo": elbo,
            "kl": kl,
            "bits_per_pixel": -elbo / pixels / math.log(2),
            "active_units": float((answers["latent"].var(0, correction=0) > ACTIVE).sum()),
        }
        return super().compute_metrics(answers) | found


def squared_error(drawn: Tensor, x: Tensor) -> Tensor:
    """Mean squared error of each image of [N, C, H, W]: [N], in float32."""
    return (drawn.float() - x).square().flatten(1).mean(1)


def kl_divergence(means: Tensor, logs: Tensor) -> Tensor:
    """Divergence of N(means, exp(logs)) from N(0, 1), in nats for each dimension [N, L]."""
    return 0.5 * (means.square() + logs.exp() - 1 - logs)
