"""Generative adversarial nets: DCGAN by default; options select the modern recipe."""

import copy
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.optim.swa_utils import update_bn

from dlcourse.data.batches import Batch, seeded
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.checks import at_least_one, one_of
from dlcourse.models.conditional import Conditional, condition_length
from dlcourse.models.diff_augment import CHANGES, diff_augment
from dlcourse.models.gan_losses import LOSSES, discriminator_loss, generator_loss
from dlcourse.training.ema import follow
from dlcourse.training.optimizers import skip_graph_capture_check


class GAN(Conditional):
    """A generator and a discriminator that learns to distinguish generated from real images.

    Each step updates the discriminator, then the generator, on the same generated images.

    Args:
        discriminator: makes it from in_shape, and for a conditional model also from the length of conditions.
        latent: length of the noise that an image is drawn from.
        objective: `logistic`, `hinge` or `relativistic`, see `gan_losses`.
        r1, r2: weights of the squared gradient of the logits with respect to real and to generated images.
        penalty_every: apply the penalties in every n-th step, multiplied by n, so that their mean weight is the same.
        augment: augmentations of the discriminator's inputs: any of flip, colour, translation, cutout.
        ema: decay of the moving average of the generator that draws the samples; 0 turns averaging off.
        discriminator_rate: the discriminator's learning rate as a multiple of the generator's.
        smoothing: of real images' labels, see `gan_losses`; for `logistic` alone.
        conditional: tell both nets the factors of the data, such as the class: the generator as a further input, the
            discriminator as in Miyato and Koyama, 2018 (arXiv:1802.05637). Each generated image has the factors of a
            real one of the batch.
        task, net, optimizer, schedule, seed, features, shown_epochs: see `Generative`; optimiser and schedule are made
            twice.

    Raises:
        UserError: an argument is out of range, or does not fit the data.
    """

    extra_plots = ("gan",)
    always_measured = ("val/loss", "val/epoch")
    curves = ("train/drawn_accuracy", "val/drawn_accuracy")

    def __init__(
        self,
        task: Task,
        net: Callable[..., nn.Module],
        discriminator: Callable[..., nn.Module],
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Callable[..., dict[str, Any]],
        seed: int = 0,
        latent: int = 256,
        objective: str = "logistic",
        r1: float = 0.0,
        r2: float = 0.0,
        penalty_every: int = 1,
        augment: str | Sequence[str] = (),
        ema: float = 0.0,
        discriminator_rate: float = 1.0,
        smoothing: float = 0.0,
        conditional: bool = False,
        features: str = "auto",
        shown_epochs: int | Sequence[int] = (),
    ):
        one_of(LOSSES, objective=objective)
        at_least_one(penalty_every=penalty_every)
        augment = (augment,) if isinstance(augment, str) else tuple(augment)
        for name in augment:
            one_of(tuple(CHANGES), augment=name)
        if not 0 <= ema < 1 or min(r1, r2) < 0 or discriminator_rate <= 0:
            raise UserError(
                f"model.ema={ema} must be 0 or more and below 1, model.r1={r1} and model.r2={r2} 0 or more, and "
                f"model.discriminator_rate={discriminator_rate} above 0"
            )
        if not 0 <= smoothing < 1 or (smoothing and objective != "logistic"):
            raise UserError(
                f"model.smoothing={smoothing} must be 0 or more and below 1, and 0 unless model.objective=logistic"
            )
        super().__init__(task, net, (latent,), conditional, optimizer, schedule, seed, features, shown_epochs)
        self.automatic_optimization = False
        more = {"conditions": condition_length(task, conditional)} if conditional else {}
        made = discriminator(in_shape=task.in_shape, **more)
        self.discriminator = made.to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.net).requires_grad_(False) if ema else None
        self.objective, self.r1, self.r2, self.penalty_every = objective, r1, r2, penalty_every
        self.augment, self.ema, self.discriminator_rate = augment, ema, discriminator_rate
        self.smoothing = smoothing

    def decode(self, z: Tensor) -> Tensor:
        """Latents [N, L] to images [N, C, H, W] in -1 to 1, by the averaged generator if there is one."""
        return (self.net if self.average is None else self.average)(z)

    def recalibrate_batch_norm(self, truncation: float, batches: int = 8) -> None:
        """Recompute batch-norm statistics for truncated noise; otherwise the images turn dark.

        Brock et al., 2018 (arXiv:1809.11096), call them standing statistics.
        """
        draws = (self.sample_latents(64, seeded(self.seed, 7, i), truncation) for i in range(batches))
        update_bn(draws, self.net if self.average is None else self.average)

    def forward(self, inputs: Tensor) -> Tensor:
        """Stored images to the discriminator's logits [N], without conditions."""
        return self.discriminator(self.normalize(inputs))

    def discriminate(self, x: Tensor, *condition: Tensor) -> Tensor:
        """Logits [N] of images [N, C, H, W], augmented as in training; `condition`: [N, K] of a conditional model."""
        return self.discriminator(diff_augment(x, self.augment), *condition).float()

    def penalty(self, x: Tensor, *condition: Tensor) -> Tensor:
        """Mean squared gradient of the logits with respect to images [N, C, H, W] (Mescheder et al., 2018)."""
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(self.discriminate(x, *condition).sum(), x, create_graph=True)
        return gradient.float().square().flatten(1).sum(1).mean()

    def training_loss(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Sum of the losses of a batch; a training step minimises them alternately."""
        real, condition = self.normalize(inputs), _condition(self.conditions(labels))
        z = self._latents(len(real), *condition)
        drawn = self.discriminate(self.net(z), *condition)
        logits = self.discriminate(real, *condition), drawn
        return discriminator_loss(self.objective, *logits, self.smoothing) + generator_loss(self.objective, *logits)

    def _latents(self, count: int, *condition: Tensor) -> Tensor:
        """Random noise, followed by the conditions [N, K] of a conditional model: [N, L]."""
        return torch.cat([torch.randn(count, self.noise_length, device=self.device), *condition], 1)

    def configure_callbacks(self) -> list[Any]:
        """No callbacks; this hook checks the Trainer before Lightning raises its own errors.

        Raises:
            UserError: a Trainer option does not work with alternating optimisers.
        """
        if self.trainer.world_size > 1:
            raise UserError("a GAN trains in one process: use trainer.devices=1")
        if self.trainer.max_steps > 0:
            raise UserError("a GAN takes two steps per batch: use trainer.max_epochs instead of trainer.max_steps")
        if self.trainer.gradient_clip_val or self.trainer.accumulate_grad_batches != 1:
            raise UserError(
                "a GAN does not support gradient clipping or accumulation: leave trainer.gradient_clip_val and "
                "trainer.accumulate_grad_batches at their defaults"
            )
        return []

    def training_step(self, batch: Batch, batch_idx: int) -> Any:
        """One step of the discriminator, then one of the generator."""
        real, condition = self.normalize(batch[0]), _condition(self.conditions(batch[1]))
        z = self._latents(len(real), *condition)
        drawn = self.net(z)
        generator, discriminator = self.optimizers()  # ty: ignore[not-iterable]
        # generated images first: the order in which random augmentations are drawn
        answer = self.discriminate(drawn.detach(), *condition)
        logits = self.discriminate(real, *condition), answer
        loss = discriminator_loss(self.objective, *logits, self.smoothing)
        discriminator.zero_grad()
        # two calls free the activations of the loss before the penalty allocates its own
        self.manual_backward(loss)
        if (self.r1 or self.r2) and self.global_step // 2 % self.penalty_every == 0:
            self.manual_backward(self._penalties(real, drawn.detach(), *condition))
        discriminator.step()

        self.discriminator.requires_grad_(False)  # saves gradients that are not used
        with torch.no_grad():
            known = self.discriminate(real, *condition) if self.objective == "relativistic" else logits[0]
        adversarial = generator_loss(self.objective, known.detach(), self.discriminate(drawn, *condition))
        generator.zero_grad()
        self.manual_backward(adversarial)
        self.discriminator.requires_grad_(True)
        generator.step()
        if self.average is not None:
            follow(self.average, self.net, self.global_step // 2, self.ema)
        for entry in self.trainer.lr_scheduler_configs:
            if entry.interval == "step":
                entry.scheduler.step()
        self._note(loss.detach(), adversarial.detach(), *(part.detach() for part in logits))
        self.loss_guard.keep(self, loss + adversarial, batch_idx)
        if self.trainer.is_last_batch:
            self._log_epoch()

    def _penalties(self, real: Tensor, drawn: Tensor, *condition: Tensor) -> Tensor:
        weighted = [(weight, x) for weight, x in ((self.r1, real), (self.r2, drawn)) if weight]
        parts = [weight / 2 * self.penalty(x, *condition) for weight, x in weighted]
        self.note("penalty", torch.stack(parts).sum())
        return self.penalty_every * torch.stack(parts).sum()

    def _note(self, loss: Tensor, adversarial: Tensor, real: Tensor, drawn: Tensor) -> None:
        middle = torch.zeros((), device=real.device) if self.objective != "relativistic" else (real + drawn).mean() / 2
        self.note("loss", loss + adversarial)
        self.note("discriminator_loss", loss)
        self.note("generator_loss", adversarial)
        self.note("real_accuracy", (real > middle).float().mean())
        self.note("drawn_accuracy", (drawn < middle).float().mean())

    def on_train_epoch_end(self) -> None:
        """Keep a snapshot and step the schedules whose interval is an epoch."""
        super().on_train_epoch_end()
        for entry in self.trainer.lr_scheduler_configs:
            if entry.interval == "epoch":
                entry.scheduler.step()

    def configure_optimizers(self) -> Any:
        """One optimiser for each net, with its schedule over all batches of the fit."""
        found = []
        for net, factor in ((self.net, 1.0), (self.discriminator, self.discriminator_rate)):
            optimizer = self.make_optimizer(net)
            if self.device.type == "cpu":
                skip_graph_capture_check(optimizer)
            for group in optimizer.param_groups:
                group["lr"] *= factor
            schedule = self.make_schedule(optimizer)
            if isinstance(schedule["scheduler"], ReduceLROnPlateau):
                raise UserError(
                    "the loss of a GAN does not measure progress: use model/schedule=constant or triangular"
                )
            found.append({"optimizer": optimizer, "lr_scheduler": schedule})
        return found

    def _collect(self, batch: Batch) -> None:
        """Collect logits of held-out images and of as many samples, without augmentation.

        Each batch is normalised by its own statistics as in training: the running statistics mix real and generated
        images, so logits under them would not be comparable.
        """
        inputs, labels = batch
        z = self.sample_latents(len(labels), seeded(self.seed, 6, len(self._gathered)))
        with _batch_statistics(self.discriminator):
            real = self.discriminator(self.normalize(inputs), *_condition(self.conditions(labels))).float()
            drawn = self.discriminator(self.decode(z), *_condition(self.parts(z)[1])).float()
        loss = discriminator_loss(self.objective, real, drawn, self.smoothing)
        loss = (loss + generator_loss(self.objective, real, drawn)).expand(len(labels))
        self._gathered.append({"real": real, "drawn": drawn, "loss": loss, "labels": labels})

    def compute_metrics(self, answers: dict[str, Tensor]) -> dict[str, float]:
        """Shares of real and generated images that the discriminator recognises, and the scores of `compared`.

        A much lower share on held-out images than on training images indicates overfitting.
        """
        real, drawn = answers["real"], answers["drawn"]
        middle = (real.mean() + drawn.mean()) / 2 if self.objective == "relativistic" else 0.0
        recognised = {"real_accuracy": real > middle, "drawn_accuracy": drawn < middle}
        found = {name: hits.float().mean().item() for name, hits in recognised.items()}
        if self.trainer.state.fn == "fit":
            found["epoch"] = self.current_epoch + 1.0  # selects the newest checkpoint as the best
        return found | super().compute_metrics(answers)


def _condition(condition: Tensor | None) -> list[Tensor]:
    """What a discriminator gets besides the images."""
    return [] if condition is None else [condition]


@contextmanager
def _batch_statistics(net: nn.Module) -> Generator[None]:
    """Use batch statistics in batch normalisation without updating the running statistics."""
    layers = [layer for layer in net.modules() if isinstance(layer, nn.BatchNorm2d)]
    before = [(layer.training, layer.momentum, layer.num_batches_tracked) for layer in layers]
    for layer, (_, _, count) in zip(layers, before, strict=True):
        layer.train()
        layer.momentum, layer.num_batches_tracked = 0.0, count.clone() if count is not None else None
    try:
        yield
    finally:
        for layer, (training, momentum, count) in zip(layers, before, strict=True):
            layer.train(training)
            layer.momentum, layer.num_batches_tracked = momentum, count
