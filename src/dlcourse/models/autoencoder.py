"""The autoencoder: an image to a short latent vector and back."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from dlcourse.analysis.linear_probe import linear_probe, means, varied
from dlcourse.data.batches import Batch
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.conditional import Conditional
from dlcourse.models.generative import SHOWN

log = logging.getLogger(__name__)

LEVELS = 255
PROBED = 3000  # training images that the linear probe is fitted to


class Autoencoder(Conditional):
    """Learns to reconstruct an image from `latent` numbers, by mean squared error.

    Args:
        latent: dimension of the latent vector.
        conditional: see `VAE`; false for a plain autoencoder.
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
        conditional: bool = False,
    ):
        super().__init__(task, net, self.heads(latent), conditional, optimizer, schedule, seed, features, shown_epochs)
        self.probe: dict[str, float] = {}  # score of a linear probe for each factor of the data

    @classmethod
    def check(cls, settings: DictConfig) -> None:
        """Refuse a conditional autoencoder, whose encoder does not estimate a condition.

        Raises:
            UserError: `conditional` is true.
        """
        super().check(settings)
        if settings.get("conditional") and not cls.samples:
            raise UserError("model.conditional=true needs a vae, gan or flow: remove it, or use model=vae")

    @staticmethod
    def heads(latent: int) -> tuple[int, ...]:
        """Sizes of the encoder's heads."""
        return (latent,)

    def encode(self, inputs: Tensor) -> Tensor:
        """Latents [N, L] of stored images; the mean if the encoder outputs a distribution."""
        return self._encoded(self(inputs))

    def _encoded(self, output: Tensor) -> Tensor:
        """The encoder's output [N, K] to latents [N, L]."""
        noise, scores = self.parts(output[:, : self.latent])
        return noise if scores is None else torch.cat([noise, self.estimated(scores)], 1)

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
                self.probe, kinds = self._probed(answers)
                found |= means(self.probe, kinds)
        return found | super().compute_metrics(answers)

    def _probed(self, answers: dict[str, Tensor]) -> tuple[dict[str, float], list[int]]:
        """The score of each factor, by a linear probe fitted on training images, and its number of values, 0: a number.

        Factors that have one value among these images are left out.
        """
        assert self.data is not None
        images, factors = (part[:PROBED] for part in self.data.arrays["train"])
        task, columns = self.data.task, varied(factors.numpy())
        names = [task.factors[column] for column in columns]
        if missing := [name for name in task.factors if name not in names]:
            log.warning("not probed, as they have one value in %d images: %s", len(images), ", ".join(missing))
        if not names:
            return {}, []
        kinds = [task.categories[column] for column in columns] if task.categories else [0] * len(columns)
        train, test = self.latents(images).numpy(), answers["latent"].numpy()
        known = factors[:, columns].numpy(), answers["labels"][:, columns].numpy()
        return linear_probe(train, known[0], test, known[1], names, kinds), kinds


def squared_error(drawn: Tensor, x: Tensor) -> Tensor:
    """Mean squared error of each image of [N, C, H, W]: [N], in float32."""
    return (drawn.float() - x).square().flatten(1).mean(1)
