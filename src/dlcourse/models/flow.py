"""Flow matching: a net learns the velocity that carries noise to images along straight paths."""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from dlcourse.data.batches import Batch, seeded
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.checks import at_least_one, one_of
from dlcourse.models.conditional import Conditional, condition_length
from dlcourse.models.generative import DRAW
from dlcourse.models.ode import SOLVERS, solve
from dlcourse.training.ema import follow

LEFT = 0.05  # smallest 1 - t that the loss divides by: the velocity's error is the image's, divided by 1 - t
DROPPED = 0.1  # share of the conditions that a training step hides, so that the net also learns without


class Flow(Conditional):
    """Flow matching with the conditional optimal-transport path (Lipman et al., 2022, arXiv:2210.02747).

    Between noise x0 at time 0 and an image x1 at time 1 the path is x_t = (1 - t) x0 + t x1 (their sigma_min = 0) with
    velocity x1 - x0. The net learns that velocity from x_t and t by mean squared error; a sample solves the
    differential equation from noise at time 0 to time 1. The net puts out the image, from which the velocity follows:
    unlike noise, images have few degrees of freedom, so that a small net with large patches can (Li and He, 2025,
    arXiv:2511.13720).

    Args:
        steps: steps of the solver.
        solver: `heun`, the velocities at both ends of a step averaged, or `euler`, only the one at its start; a step of
            Heun's method evaluates the net twice, except the last one (as in Karras et al., 2022).
        ema: decay of the moving average of the net that draws; 0 turns averaging off.
        conditional: also tell the net the factors of the data, such as the class.
        bounded: pass the net's output through tanh, which has the range of the images: flat black or white areas, such
            as the background of digits, come out clean after a few epochs.
        guidance: weight w of the condition in a sample, v = v(any) + w (v(condition) - v(any)) (classifier-free
            guidance; Ho and Salimans, 2022, arXiv:2207.12598); 1 is the conditional velocity alone.
        sharpness: factor of the maps of the net's palette in samples; above 1, fewer pixels mix colours.
        task, net, optimizer, schedule, seed, features, shown_epochs: see `Generative`.

    Raises:
        UserError: an argument is out of range, or does not fit the data.
    """

    extra_plots = ("flow",)
    curves = ("val/late_loss",)
    has_directions = False

    def __init__(
        self,
        task: Task,
        net: Callable[..., nn.Module],
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Callable[..., dict[str, Any]],
        seed: int = 0,
        steps: int = 16,
        solver: str = "heun",
        ema: float = 0.999,
        conditional: bool = False,
        guidance: float = 1.0,
        bounded: bool = False,
        sharpness: float = 1.0,
        features: str = "auto",
        shown_epochs: int | Sequence[int] = (),
    ):
        one_of(SOLVERS, solver=solver)
        at_least_one(steps=steps)
        if not 0 <= ema < 1 or guidance < 0 or sharpness <= 0:
            raise UserError(
                f"model.ema={ema} must be 0 or more and below 1, model.guidance={guidance} 0 or more, and "
                f"model.sharpness={sharpness} above 0"
            )
        made, pixels = partial(net, conditions=condition_length(task, conditional)), prod(task.in_shape)
        super().__init__(task, made, (pixels,), conditional, optimizer, schedule, seed, features, shown_epochs)
        self.power = _mean_square(task)
        if sharpness != 1 and getattr(self.net, "palette", None) is None:
            raise UserError(f"model.sharpness={sharpness} needs a palette: add for example model.net.palette=16")
        self.steps, self.solver, self.ema, self.guidance, self.bounded = steps, solver, ema, guidance, bounded
        self.drawn = {} if sharpness == 1 else {"sharpness": sharpness}  # further inputs of the net in samples
        self.average = copy.deepcopy(self.net).requires_grad_(False) if ema else None

    # Training -------------------------------------------------------------------------------------------------------

    def squared_errors(
        self, net: nn.Module, x: Tensor, noise: Tensor, times: Tensor, condition: Tensor | None
    ) -> Tensor:
        """Mean squared error of the velocity at one point of each path, [N].

        Args:
            net: the net or its average.
            x: images [N, C, H, W] in -1 to 1.
            noise: the paths' starts, of that shape.
            times: of the points [N].
            condition: conditions [N, K], or None.
        """
        share = times[:, None, None, None]
        error = self.predict_images(net, torch.lerp(noise, x, share), times, condition) - x
        return (error / (1 - share).clamp_min(LEFT)).square().flatten(1).mean(1)

    def training_loss(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Mean squared error of the velocity at random points of the paths from random noise to the images."""
        x = self.normalize(inputs)
        condition = self.conditions(labels)
        if condition is not None:
            condition = condition * (torch.rand(len(x), 1, device=x.device) >= DROPPED)
        noise = torch.randn_like(x)
        return self.squared_errors(
            self.net, x, noise, _stratified_times(torch.rand((), device=x.device), x), condition
        ).mean()

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        """Update the net, then its average: before a checkpoint is saved within the epoch."""
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        if self.average is not None:
            follow(self.average, self.net, self.global_step, self.ema)

    def _collect(self, batch: Batch) -> None:
        """As `training_loss` for the net that draws, at points that do not change from epoch to epoch."""
        inputs, labels = batch
        x, draws = self.normalize(inputs), seeded(self.seed, 5, len(self._gathered))
        noise = torch.randn(x.shape, generator=draws).to(x)
        times = _stratified_times(torch.rand((), generator=draws), x)
        error = self.squared_errors(self._drawing(), x, noise, times, self.conditions(labels))
        self._gathered.append({"loss": error, "time": times, "labels": labels})

    def compute_metrics(self, answers: dict[str, Tensor]) -> dict[str, float]:
        """The loss at times above one half, where details appear, and the scores of `compared`."""
        late = answers["loss"][answers["time"] > 0.5]
        found = {"late_loss": late.mean().item()} if len(late) else {}
        return found | super().compute_metrics(answers)

    # Samples --------------------------------------------------------------------------------------------------------

    def velocity(self, x: Tensor, time: float | Tensor, condition: Tensor | None) -> Tensor:
        """Velocities of points x [N, C, H, W] of the paths at a time below 1, with guidance."""
        net, count = self._drawing(), x.shape[0]
        times = time.expand(count) if isinstance(time, Tensor) else x.new_full((count,), time)
        if condition is None or self.guidance == 1:
            image = self.predict_images(net, x, times, condition, **self.drawn)
        else:
            conditions = torch.cat([condition, torch.zeros_like(condition)])
            both = self.predict_images(net, x.repeat(2, 1, 1, 1), times.repeat(2), conditions, **self.drawn)
            given, any_image = both.view(2, *x.shape)
            image = torch.lerp(any_image, given, self.guidance)
        return (image - x) / (1 - time)

    def integrate(
        self,
        x: Tensor,
        condition: Tensor | None,
        start: float = 0.0,
        end: float = 1.0,
        after_step: Callable[[Tensor, float], Tensor] | None = None,
    ) -> Tensor:
        """Follow the velocities from points x [N, C, H, W] under conditions [N, K] or None; see `ode.solve`."""
        return solve(
            lambda points, time: self.velocity(points, time, condition),
            x, self.steps, self.solver, start, end, after_step,
        )  # fmt: skip

    def decode(self, z: Tensor) -> Tensor:
        """Latents [N, L] to images [N, C, H, W] in -1 to 1."""
        return self.integrate(*self.start(z)).clamp(-1, 1)

    def encode(self, inputs: Tensor) -> Tensor:
        """Latents [N, L] of stored images: the equation solved from the image back to the noise, without condition."""
        x = self.normalize(inputs)
        condition = x.new_zeros(x.shape[0], self.latent - self.noise_length)
        noise = self.integrate(x, condition if self.conditional else None, 1.0, 0.0).flatten(1)
        return torch.cat([noise, condition], 1)

    @torch.no_grad()
    def inpaint(self, images: Tensor, hidden: Tensor, z: Tensor) -> Tensor:
        """Stored images with the hidden part filled in; the visible part stays.

        After each step the known part is put back where it lies on its own path from the same noise.

        Args:
            images: stored images [N, ...] of the model's size.
            hidden: mask [H, W], True where the image is unknown.
            z: latents [N, L] that the drawn part depends on.
        """
        hidden = hidden.to(self.device)
        with self.evaluating():
            parts = zip(images.split(DRAW), z.split(DRAW), strict=True)
            return torch.cat([self._filled_in(part.to(self.device), hidden, at.to(self.device)) for part, at in parts])

    def _filled_in(self, images: Tensor, hidden: Tensor, z: Tensor) -> Tensor:
        x = self.normalize(images)
        noise, condition = self.start(z)

        def known(points: Tensor, time: float) -> Tensor:
            return torch.where(hidden, points, torch.lerp(noise, x, time))

        return self.to_uint8(self.integrate(noise, condition, after_step=known))

    def forward(self, inputs: Tensor) -> Tensor:
        """Stored images to latents, as `encode`."""
        return self.encode(inputs)

    def start(self, z: Tensor) -> tuple[Tensor, Tensor | None]:
        """Noise [N, C, H, W] and conditions [N, K] or None of latents [N, L]."""
        noise, condition = self.parts(z)
        return noise.unflatten(1, self.task.in_shape), condition

    def predict_images(
        self, net: nn.Module, x: Tensor, times: Tensor, condition: Tensor | None, **options: float
    ) -> Tensor:
        """The images that a net sees in points x [N, C, H, W] of the paths at times [N]; `options` are the net's."""
        t = times[:, None, None, None]
        scale = ((1 - t) ** 2 + self.power * t**2).sqrt()  # root mean square of x
        images = net(x / scale, times, condition, **options).float()
        return images.tanh() if self.bounded else images

    def _drawing(self) -> nn.Module:
        return self.net if self.average is None else self.average


def _mean_square(task: Task) -> float:
    """Mean square of the training images' numbers in -1 to 1."""
    low, high = task.levels
    mean, deviation = (torch.as_tensor(values, dtype=torch.float64) for values in (task.mean, task.std))
    return ((mean - (low + high) / 2).square() + deviation.square()).mean().item() / ((high - low) / 2) ** 2


def _stratified_times(offset: Tensor, x: Tensor) -> Tensor:
    """Times [N] for images x, evenly spread over 0 to 1 from an offset (Kingma et al., 2021, arXiv:2107.00630)."""
    places = torch.arange(len(x), device=x.device) / len(x)
    return (offset.to(x.device) + places) % 1
