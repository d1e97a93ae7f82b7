"""The variational autoencoder, which generates images from the distribution of its latents."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dlcourse.analysis.latents import ACTIVE
from dlcourse.analysis.perceptual import NETS, perceptual_distance
from dlcourse.data.batches import Batch, seeded
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.autoencoder import LEVELS, Autoencoder, squared_error
from dlcourse.models.checks import one_of
from dlcourse.models.generative import SHOWN
from dlcourse.models.mixture import Mixture

PRIORS = ("normal", "fitted", "mixture")
ESTIMATION = 0.01  # weight of the loss of the estimated factors, in nats, beside that of a pixel
FITTED = 5000  # training images that a mixture is fitted to


class VAE(Autoencoder):
    """Variational autoencoder (Kingma and Welling, 2013, arXiv:1312.6114) with a Gaussian for each pixel.

    Args:
        latent: dimension of the latent vector.
        beta: weight of the divergence from the prior (Higgins et al., 2017); 1 is the evidence's lower bound.
        warmup: part of the steps in which that weight rises from 0.
        noise: standard deviation of a pixel in levels of 255, the same for all; or `learned`, with the weights
            (Rybkin et al., 2020, arXiv:2006.13202).
        prior: distribution of the samples' latents: `normal`, N(0, 1), or `fitted`, a normal distribution with the
            mean and covariance of the latents of the training images, or `mixture`, a mixture of normal distributions
            fitted to those latents at each validation (both Ghosh et al., 2019, arXiv:1903.12436).
        perceptual: weight of a perceptual distance between image and reconstruction in the training loss (VAE with a
            feature-perceptual loss; Hou et al., 2016, arXiv:1610.00291), which keeps edges; 0: none. The validation
            loss stays the bound alone.
        perceptual_net: the net that computes this distance, see `dlcourse.analysis.perceptual`.
        conditional: also tell the decoder the factors of the data, such as the class. The encoder learns to estimate
            them, so that images without labels have latents too (Kingma et al., 2014, arXiv:1406.5298, model M2).
        task, net, optimizer, schedule, seed, features, shown_epochs: see `Generative`.

    Raises:
        UserError: an argument is out of range, or does not fit the data.
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
        conditional: bool = False,
        features: str = "auto",
        shown_epochs: int | Sequence[int] = (),
    ):
        one_of(PRIORS, prior=prior)
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
        super().__init__(task, net, optimizer, schedule, seed, latent, features, shown_epochs, conditional)
        start = 0.3 if isinstance(noise, str) else 2 * noise / LEVELS
        self.log_noise = nn.Parameter(torch.tensor(math.log(start)), requires_grad=learned)
        self.beta, self.warmup, self.prior = beta, warmup, prior
        self.perceptual, self.perceptual_net = perceptual, perceptual_net
        self._distance: Callable[[Tensor, Tensor], Tensor] | None = None  # made at its first use
        self.mixture = Mixture(latent) if prior == "mixture" else None
        self.register_buffer("latent_mean", torch.zeros(latent))
        self.register_buffer("latent_covariance", torch.eye(latent))

    @staticmethod
    def heads(latent: int) -> tuple[int, ...]:
        """Means and log variances."""
        return (latent, latent)

    def sample_noise(self, count: int, generator: torch.Generator, truncation: float) -> Tensor:
        """Noise [N, `noise_length`] from the prior."""
        z = super().sample_noise(count, generator, truncation)
        if self.mixture is not None:
            return self.mixture(z, generator)
        if self.prior == "normal":
            return z
        # a small diagonal term: rounding could make the smallest eigenvalue negative
        covariance = self.latent_covariance + 1e-5 * self.latent_covariance.diag().mean() * torch.eye(
            self.noise_length, device=z.device
        )
        return self.latent_mean + z @ torch.linalg.cholesky(covariance).T

    def posterior(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log variances of the noise, both [N, `noise_length`], from the encoder's output."""
        return output[:, : self.noise_length].float(), output[:, self.latent :].float().clamp(-12, 8)

    def decode_with(self, noise: Tensor, condition: Tensor | None) -> Tensor:
        """Noise [N, `noise_length`] and conditions [N, K] or None to images [N, C, H, W] in -1 to 1."""
        return self.decode(noise if condition is None else torch.cat([noise, condition], 1))

    def log_likelihood(self, drawn: Tensor, x: Tensor) -> Tensor:
        """Log density of images x [N, C, H, W] given the reconstructions, in nats per image [N].

        The density refers to pixels in levels of 255, so it does not depend on how the net scales them. The noise is
        wider than a level, so the density approximates the probability of the stored integers.
        """
        pixels = x[0].numel()
        square = squared_error(drawn, x) * pixels / (2 * self.log_noise).exp()
        return -0.5 * square - pixels * (self.log_noise + math.log(LEVELS / 2) + 0.5 * math.log(2 * math.pi))

    def training_loss(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Negative ELBO in nats per pixel, with the current weight of the divergence, and the loss of the estimates."""
        x = self.normalize(inputs)
        output, condition = self(inputs), self.conditions(labels)
        means, logs = self.posterior(output)
        noise = means + (logs / 2).exp() * torch.randn_like(means)
        drawn = self.decode_with(noise, condition)
        likelihood = self.log_likelihood(drawn, x).mean()
        divergence = kl_divergence(means, logs).sum(1).mean()
        self._update_latent_statistics(means.detach(), logs.detach())
        self.note("kl", divergence)
        self.note("noise", LEVELS / 2 * self.log_noise.exp())
        loss = (self._weight() * divergence - likelihood) / x[0].numel()
        if condition is not None:
            estimation = self.estimation_loss(output[:, self.noise_length : self.latent], labels).mean()
            self.note("estimation", estimation)
            loss = loss + ESTIMATION * estimation
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
    def _update_latent_statistics(self, means: Tensor, logs: Tensor, rate: float = 0.01) -> None:
        """Update the moving mean and covariance of the latents, for the fitted prior."""
        spread = logs.exp().mean(0).diag()
        off = means - self.latent_mean
        self.latent_mean.lerp_(means.mean(0), rate)
        with torch.autocast(off.device.type, enabled=False):  # in bfloat16 the matrix would lose positive definiteness
            self.latent_covariance.lerp_(off.T @ off / len(off) + spread, rate)

    def on_validation_epoch_start(self) -> None:
        """Fit the mixture to the latents of training images, before a checkpoint is saved.

        Lightning calls this after `callbacks=ema` has put the averaged weights in place.
        """
        if self.trainer.state.fn == "fit":
            self._fit_mixture()

    def on_train_epoch_end(self) -> None:
        """As in `Generative`; fits the mixture first if there is no validation, which does it otherwise."""
        if not self.trainer.enable_validation:
            self._fit_mixture()
        super().on_train_epoch_end()

    def _fit_mixture(self) -> None:
        if self.mixture is not None:
            images = self.trainer.datamodule.arrays["train"][0]  # ty: ignore[missing-attribute]
            self.mixture.fit(self.latents(images[:FITTED])[:, : self.noise_length], self.seed)

    def snapshot(self) -> Tensor:
        """Samples from the same latents each time."""
        return self.sampled(SHOWN, 0)

    def _collect(self, batch: Batch) -> None:
        inputs, labels = batch
        x, output = self.normalize(inputs), self(inputs)
        means, logs = self.posterior(output)
        draws = torch.randn(means.shape, generator=seeded(self.seed, 5, len(self._gathered))).to(means.device)
        kl = kl_divergence(means, logs)
        drawn = self.decode_with(means + (logs / 2).exp() * draws, self.conditions(labels))
        z, likelihood = self._encoded(output).float(), self.log_likelihood(drawn, x)
        error = squared_error(self.decode(z), x)
        loss = (self.beta * kl.sum(1) - likelihood) / x[0].numel()
        self._gathered.append(
            {
                "latent": z,
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
            "active_units": float((answers["latent"][:, : self.noise_length].var(0, correction=0) > ACTIVE).sum()),
        }
        return super().compute_metrics(answers) | found


def kl_divergence(means: Tensor, logs: Tensor) -> Tensor:
    """Divergence of N(means, exp(logs)) from N(0, 1), in nats for each dimension [N, L]."""
    return 0.5 * (means.square() + logs.exp() - 1 - logs)
