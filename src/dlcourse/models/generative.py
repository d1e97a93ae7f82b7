"""Base class of the generative models: scaling, samples, snapshots during training, and metrics."""

import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from dlcourse.analysis import fidelity, latents
from dlcourse.analysis.feature_spaces import FeatureSpace, check_choice
from dlcourse.data.batches import Batch, seeded
from dlcourse.data.images import mean_picture
from dlcourse.data.module import DataModule
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.base import BaseModule

log = logging.getLogger(__name__)

SHOWN = 25  # images of a snapshot
FRAMES = 60  # snapshots of a training at most
REAL = 5000  # training images in the comparisons
SAMPLES = 2000  # samples in the comparisons at most
QUICK = 100  # images of each kind if only a few batches are tested
SURE = 0.9  # probability from which a judge counts as sure
DRAW = 250  # images generated at once


class Generative(BaseModule):
    """Base class of models that generate images from a latent vector.

    The nets use images in -1 to 1. The checkpoint from which a run resumes contains snapshots of the same images
    after each epoch (`frames`). At the end of a run its samples, or its reconstructions, are compared with training
    images in a named feature space; the scores of other real images and of the mean training image serve as
    reference.

    Args:
        task: description of the data, of kind `images`.
        net: makes the net from (in_shape, outputs).
        outputs: sizes of its heads, the first of them the latent.
        features: name of the feature space, see `dlcourse.models.run_features.feature_space`.
        shown_epochs: epochs that `epochs.png` shows, counted from 1; empty: the first, the middle and the last.
        optimizer, schedule, seed: see `BaseModule`.
    """

    kind = "pictures"
    samples = True  # whether it generates images from noise
    has_directions = True  # whether single directions of its latent can be traversed
    curves: tuple[str, ...] = ("val/reconstruction_rmse",)  # plotted besides the loss

    def __init__(
        self,
        task: Task,
        net: Callable[..., nn.Module],
        outputs: tuple[int, ...],
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Callable[..., dict[str, Any]],
        seed: int = 0,
        features: str = "auto",
        shown_epochs: int | Sequence[int] = (),
    ):
        if outputs[0] < 1:
            raise UserError(f"model.latent={outputs[0]} is too small: use for example 32")
        check_choice(features)
        shown: tuple[Any, ...] = (shown_epochs,) if isinstance(shown_epochs, (int, str)) else tuple(shown_epochs)
        if any(not isinstance(epoch, int) or epoch < 0 for epoch in shown):
            raise UserError(
                f"model.shown_epochs={list(shown)} must be epoch numbers from 1 on: use for example [1,20,40]"
            )
        super().__init__(task, net, outputs, optimizer, schedule, seed)
        low, high = task.levels
        self.mean.fill_((low + high) / 2)
        self.std.fill_((high - low) / 2)
        self.latent, self.features = outputs[0], features
        self.shown_epochs = tuple(max(0, epoch - 1) for epoch in shown)  # as Lightning counts; older configs had 0
        self.frames: dict[int, Tensor] = {}  # by epoch
        self.data: DataModule | None = None  # whose images are compared with the model's
        self.space: FeatureSpace | None = None
        self._real: dict[str, Tensor] = {}
        self._class_shares: dict[str, Any] = {}  # of the samples and of the split's images, as the judge sees them
        self._counts: list[int] = []  # of compared images: the model's, the training split's

    # Defined by a family ---------------------------------------------------------------------------------------------

    @abstractmethod
    def decode(self, z: Tensor) -> Tensor:
        """Latents [N, L] to images [N, C, H, W] in -1 to 1."""

    def encode(self, inputs: Tensor) -> Tensor:
        """Stored images to latents [N, L].

        Raises:
            UserError: the family does not have an encoder.
        """
        raise UserError(f"a {type(self).__name__} does not have an encoder: it cannot find the latents of given images")

    def sample_latents(self, count: int, generator: torch.Generator, truncation: float = 1.0) -> Tensor:
        """Latents [N, L] to generate samples from; a truncation below 1 scales them towards 0."""
        if not self.samples:
            raise UserError(
                f"an {type(self).__name__} does not model a distribution to sample from: pass images with "
                "between=[A,B] or input=FOLDER, or train a vae, gan or flow"
            )
        z = torch.randn(count, self.latent, generator=generator, device=generator.device)
        return truncation * z.to(self.device)

    def fix_factors(self, values: Mapping[str, float]) -> None:
        """Choose factors of the samples, by name; only a conditional model can.

        Raises:
            UserError: always; a conditional family overrides it.
        """
        if values:
            raise UserError(
                f"factors={dict(values)} needs a conditional model: use a run of model=flow model.conditional=true"
            )

    def between(self, first: Tensor, last: Tensor, steps: int = latents.STEPS, way: str = "slerp") -> Tensor:
        """Latents [steps, L] from one [L] to another, see `latents.between`."""
        return latents.between(first, last, steps, way)

    def recalibrate_batch_norm(self, truncation: float) -> None:
        """Adapt batch normalisation to truncated noise; by default nothing."""

    # Shared by all families -----------------------------------------------------------------------------------------

    def to_uint8(self, x: Tensor) -> Tensor:
        """Images [N, C, H, W] in -1 to 1 as datasets store them: uint8 [N, H, W] or [N, H, W, 3], on the CPU."""
        levels = (x.float() * self.std + self.mean).clamp(*self.task.levels).round().byte().cpu()
        return levels[:, 0] if levels.shape[1] == 1 else levels.permute(0, 2, 3, 1).contiguous()

    def resize_like(self, images: Tensor) -> Tensor:
        """Stored images resized to the size of the model's images."""
        if images.shape[1:3] == self.task.in_shape[1:]:
            return images
        x = images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2)
        x = interpolate(x, self.task.in_shape[1:], mode="bilinear", antialias=True)
        return x[:, 0] if images.ndim == 3 else x.permute(0, 2, 3, 1).contiguous()

    @torch.no_grad()
    def decode_images(self, z: Tensor) -> Tensor:
        """Latents [N, L] to images as they are stored, with the net in evaluation mode."""
        training = self.training
        self.eval()
        try:
            return torch.cat([self.to_uint8(self.decode(part.to(self.device))) for part in z.split(DRAW)])
        finally:
            self.train(training)

    @torch.no_grad()
    def reconstructed(self, images: Tensor) -> Tensor:
        """Reconstructions of stored images."""
        return self.decode_images(self.latents(images))

    @torch.no_grad()
    def latents(self, images: Tensor) -> Tensor:
        """Latents [N, L] of stored images, on the CPU."""
        training = self.training
        self.eval()
        try:
            parts = [self.encode(part.to(self.device)).float().cpu() for part in images.split(DRAW)]
        finally:
            self.train(training)
        return torch.cat(parts)

    def sampled(self, count: int, *step: int) -> Tensor:
        """Generate `count` samples as stored images, a function of (seed, step)."""
        return self.decode_images(self.sample_latents(count, seeded(self.seed, 4, *step)))

    def attach_data(self, data: DataModule) -> None:
        """Compare with the training images of this data from now on."""
        self.data = data
        self._real.clear()

    def forward(self, inputs: Tensor) -> Tensor:
        """Stored images to the encoder's heads [N, K]."""
        return self.net(self.normalize(inputs))

    def loss(self, output: Tensor, labels: Tensor) -> Tensor:
        """Not available: the data has only images.

        Raises:
            TypeError: always.
        """
        raise TypeError(f"a {type(self).__name__} does not have a loss with labels: it minimizes `training_loss`")

    def predictions(self, output: Tensor) -> dict[str, Tensor]:
        """Not available: a generative model does not classify.

        Raises:
            UserError: always; the message names the alternative.
        """
        raise UserError(
            f"a {type(self).__name__} generates images and does not classify them: "
            "python -m dlcourse.sample run=DIR input=FILE_OR_FOLDER draws yours again"
        )

    def format_predictions(self, answers: dict[str, Tensor]) -> list[dict[str, Any]]:
        """As `predictions`."""
        self.predictions(torch.empty(0))
        return []

    def snapshot(self) -> Tensor:
        """Images that the model generates now, for a snapshot: stored images [25, ...]."""
        return self.sampled(SHOWN, 0)

    def on_train_epoch_end(self) -> None:
        """Keep a snapshot."""
        every = -(-max(1, self.trainer.max_epochs or 1) // FRAMES)
        last = self.current_epoch + 1 == self.trainer.max_epochs
        if self.current_epoch % every == 0 or last or self.current_epoch in self.shown_epochs:
            self.frames[self.current_epoch] = self.snapshot()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """As in `BaseModule`; also the snapshots if the run can resume from this checkpoint."""
        super().on_save_checkpoint(checkpoint)
        if "optimizer_states" in checkpoint:
            checkpoint["dlcourse"]["frames"] = dict(self.frames)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """As in `BaseModule`, and the snapshots so far."""
        super().on_load_checkpoint(checkpoint)
        self.frames = dict(checkpoint["dlcourse"].get("frames", {}))

    # Metrics --------------------------------------------------------------------------------------------------------

    def extra_results(self) -> dict[str, Any]:
        """The feature space, how many images were compared with how many, and each class's share, for result.json."""
        if self.space is None:
            return {}
        return {"features": self.space.name, "compared": self._counts} | self._class_shares

    def compute_metrics(self, answers: dict[str, Tensor]) -> dict[str, float]:
        """The scores of `compared` at a test; nothing for a validation during training."""
        testing = self.trainer.state.fn == "test" and self.split != "train" and self.data is not None
        return self.compared(len(answers["labels"])) if testing else {}

    def compared(self, count: int) -> dict[str, float]:
        """Compare samples, the first `count` images of `split` and the training mean with training images.

        Returns:
            `frechet_distance`, `kid`, `precision`, `recall` and `variety` of samples, or of reconstructions as
            `reconstruction_...` if the model cannot sample; the same of the split's own images as `real_...`; the first
            two of the mean image as `mean_picture_...`; and `nearest_ratio`, the median distance of a sample to its
            nearest training image divided by that of a real image: far below 1, the model memorised images.
            If the feature space is a classifier, `judge_sure` and `real_judge_sure` are the shares of images of whose
            class it is at least 90 % sure, `smallest_class` and `largest_class` shares of the samples' classes.
        """
        assert self.data is not None
        quick = isinstance(self.trainer.limit_test_batches, int)
        count, most = (min(count, QUICK), QUICK) if quick else (min(count, SAMPLES), REAL)
        if count < QUICK and not quick:
            log.warning("only %d images are compared: distances between so few images are unreliable", count)
        real = self.real_features(most)
        self._counts = [count, len(real)]
        own = self.data.arrays[self.split][0][:count]
        folder, space = self._cache(), self._space()
        known = fidelity.gaussian(real)
        if self.samples:
            drawn, name = self.sampled(count, 1), ""
        else:
            drawn, name = self.reconstructed(own), "reconstruction_"
        ours, theirs = self.features_of(drawn), space.cached(own, folder)
        mean = self.features_of(self.mean_picture()[None]).expand(count, -1)
        found = {f"{name}{key}": value for key, value in fidelity.compare(ours, real, known).items()}
        if self.samples:
            near, floor = (fidelity.nearest(f, real)[0].median().item() for f in (ours, theirs))
            found["nearest_ratio"] = near / floor if floor else float("nan")
        if self.samples and space.classify is not None:
            found |= self._judged(drawn, own)
        found |= {f"real_{key}": value for key, value in fidelity.compare(theirs, real, known).items()}
        found["mean_picture_frechet_distance"] = fidelity.frechet_distance(fidelity.gaussian(mean), known)
        found["mean_picture_kid"] = fidelity.kernel_distance(mean, real[:count])
        return found

    def _judged(self, drawn: Tensor, own: Tensor) -> dict[str, float]:
        """How sure a classifier is of samples and of real images, and how evenly samples fall into its classes."""
        found: dict[str, float] = {}
        for name, images in (("", drawn), ("real_", own)):
            probabilities = self._space().probabilities(images)
            assert probabilities is not None
            sure, classes = probabilities.max(1)
            shares = torch.bincount(classes, minlength=probabilities.shape[1]) / len(classes)
            found[f"{name}judge_sure"] = (sure > SURE).float().mean().item()
            self._class_shares[f"{name}class_shares"] = [round(share, 4) for share in shares.tolist()]
            if not name:
                found |= {"smallest_class": shares.min().item(), "largest_class": shares.max().item()}
        return found

    def real_features(self, most: int | None = None) -> Tensor:
        """Features [M, D] of the first `most` training images; by default as many as in the comparison."""
        assert self.data is not None
        most = most or (self._counts[1] if self._counts else REAL)
        key = f"features{most}"
        if key not in self._real:
            images = self.data.arrays["train"][0][:most]
            self._real[key] = self._space().cached(images, self._cache())
        return self._real[key]

    def features_of(self, images: Tensor) -> Tensor:
        """Features [N, D] of stored images, in the model's feature space."""
        return self._space()(images)

    def mean_picture(self) -> Tensor:
        """Mean of the training images, as a stored image."""
        assert self.data is not None
        if "mean" not in self._real:
            self._real["mean"] = mean_picture(self.data.arrays["train"][0])
        return self._real["mean"]

    def _space(self) -> FeatureSpace:
        if self.space is None:
            from dlcourse.models.run_features import feature_space  # imports this module through build

            self.space = feature_space(self.features, self.device)
        return self.space

    def _cache(self) -> Path | None:
        folder = getattr(self.data, "data_dir", None)
        return Path(folder) if folder else None

    @abstractmethod
    def _collect(self, batch: Batch) -> None:
        """Collect the predictions of one batch."""
