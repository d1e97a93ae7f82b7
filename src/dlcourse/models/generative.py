"""Base class of the generative models: scaling, samples, and snapshots during training."""

from abc import abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from dlcourse.data.batches import Batch, seeded
from dlcourse.data.images import resized
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.compared import ComparedImages

SHOWN = 25  # images of a snapshot
FRAMES = 60  # snapshots of a training at most
DRAW = 250  # images generated at once


class Generative(ComparedImages):
    """Base class of models that generate images from a latent vector.

    The nets use images in -1 to 1. The checkpoint from which a run resumes contains snapshots of the same images,
    at most about 60 of them (`frames`). `ComparedImages` scores them at the end of a run.

    Args:
        task: description of the data, of kind `pictures`.
        net: makes the net from (in_shape, outputs).
        outputs: sizes of its heads, the first of them the latent.
        features: name of the feature space, see `dlcourse.models.run_features.feature_space`.
        shown_epochs: epochs that `epochs.png` shows, counted from 1; empty: the first, the middle and the last.
        optimizer, schedule, seed: see `BaseModule`.

    Raises:
        UserError: an argument is out of range, or does not fit the data.
    """

    kind = "pictures"
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
        shown: tuple[Any, ...] = (shown_epochs,) if isinstance(shown_epochs, (int, str)) else tuple(shown_epochs)
        if any(not isinstance(epoch, int) or epoch < 0 for epoch in shown):
            raise UserError(
                f"model.shown_epochs={list(shown)} must be epoch numbers from 1 on: use for example [1,20,40]"
            )
        super().__init__(task, net, outputs, optimizer, schedule, seed, features)
        low, high = task.levels
        self.mean.fill_((low + high) / 2)
        self.std.fill_((high - low) / 2)
        self.latent = outputs[0]
        self.shown_epochs = tuple(max(0, epoch - 1) for epoch in shown)  # as Lightning counts; older configs had 0
        self.frames: dict[int, Tensor] = {}  # by epoch

    def setup(self, stage: str) -> None:
        """Refuse weights of other types than float32, which the latents and averages do not have."""
        if str(self.trainer.precision).endswith("-true") and self.trainer.precision != "32-true":
            raise UserError(
                f"{type(self).__name__} does not support trainer.precision={self.trainer.precision}: "
                "use 32-true or bf16-mixed"
            )

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

    @abstractmethod
    def sample_latents(self, count: int, generator: torch.Generator, truncation: float = 1.0) -> Tensor:
        """Latents [N, L] to generate samples from; a truncation below 1 scales them towards 0."""

    def recalibrate_batch_norm(self, truncation: float) -> None:
        """Adapt batch normalisation to truncated noise; by default nothing."""

    # Shared by all families -----------------------------------------------------------------------------------------

    def to_uint8(self, x: Tensor) -> Tensor:
        """Images [N, C, H, W] in -1 to 1 as datasets store them: uint8 [N, H, W] or [N, H, W, 3], on the CPU."""
        levels = (x.float() * self.std + self.mean).clamp(*self.task.levels).round().byte().cpu()
        return levels[:, 0] if levels.shape[1] == 1 else levels.permute(0, 2, 3, 1).contiguous()

    def resize_like(self, images: Tensor) -> Tensor:
        """Stored images resized to the size of the model's images."""
        return resized(images, self.task.in_shape[1:])

    @contextmanager
    def evaluating(self) -> Generator[None]:
        """The net in evaluation mode, and back in its mode afterwards."""
        training = self.training
        self.eval()
        try:
            yield
        finally:
            self.train(training)

    @torch.no_grad()
    def decode_images(self, z: Tensor) -> Tensor:
        """Latents [N, L] to images as they are stored, with the net in evaluation mode."""
        with self.evaluating():
            return torch.cat([self.to_uint8(self.decode(part.to(self.device))) for part in z.split(DRAW)])

    @torch.no_grad()
    def reconstructed(self, images: Tensor) -> Tensor:
        """Reconstructions of stored images."""
        return self.decode_images(self.latents(images))

    @torch.no_grad()
    def latents(self, images: Tensor) -> Tensor:
        """Latents [N, L] of stored images, on the CPU."""
        with self.evaluating():
            return torch.cat([self.encode(part.to(self.device)).float().cpu() for part in images.split(DRAW)])

    def sampled(self, count: int, *step: int) -> Tensor:
        """Generate `count` samples as stored images, a function of (seed, step)."""
        return self.decode_images(self.sample_latents(count, seeded(self.seed, 4, *step)))

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
        """As in `BaseModule`, and keep a snapshot."""
        super().on_train_epoch_end()
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

    @abstractmethod
    def _collect(self, batch: Batch) -> None:
        """Collect the predictions of one batch."""
