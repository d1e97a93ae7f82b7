"""The LightningModule behind every model family: scaling, optimiser, metrics and checkpoints that all of them share."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import WeightAveraging
from omegaconf import DictConfig
from torch import Tensor, nn

from dlcourse.checkpoints import Last
from dlcourse.data.batches import Batch, mix, reseed
from dlcourse.data.module import DataModule
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.finite import LossWatch, Place
from dlcourse.optimizers import spare_search

SCHEMA = 1  # of checkpoints


class Family(LightningModule, ABC):
    """How a net is trained and judged on a kind of task. A subclass says what is learnt and measured.

    Args:
        task: what the data asks.
        net: makes the net from (in_shape, outputs).
        outputs: sizes of the heads.
        optimizer: makes the optimiser from the parameters.
        schedule: makes Lightning's scheduler entry from (optimiser, total steps).
        seed: of everything random in a training step.
    """

    kind: str  # of the tasks that the family can learn
    extra_plots: tuple[str, ...] = ()  # modules of dlcourse.plots that draw what only this family has
    precision: str | None = None  # that `trainer.precision=auto` takes without measuring
    full_batch = False  # whether a training batch is the whole training split, in its stored order
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        task: Task,
        net: Callable[..., nn.Module],
        outputs: tuple[int, ...],
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Callable[[torch.optim.Optimizer, int], dict[str, Any]],
        seed: int = 0,
    ):
        super().__init__()
        if task.kind != self.kind:
            raise UserError(
                f"{type(self).__name__} learns {self.kind} but {task.data} asks for {task.kind}: choose other data"
            )
        self.task, self.optimizer, self.schedule, self.seed = task, optimizer, schedule, seed
        # Convolutions are faster, in bfloat16 by a quarter, where a pixel's channels lie side by side.
        self.net = net(in_shape=task.in_shape, outputs=outputs).to(memory_format=torch.channels_last)
        self.register_buffer("mean", _per_channel(task.mean, task))
        self.register_buffer("std", _per_channel(task.std, task).clamp_min(1e-6))
        self.watch_loss = True  # the learning-rate finder goes on to where there is no finite one
        self._watch = LossWatch()
        self.split = "test"  # what test_step is measuring
        self.answers: dict[str, Tensor] = {}  # of the last split measured, on the CPU
        self._gathered: list[dict[str, Tensor]] = []
        self._noted: dict[str, list[Tensor]] = {}

    # What a family defines ------------------------------------------------------------------------------------------

    @abstractmethod
    def loss(self, output: Tensor, labels: Tensor) -> Tensor:
        """Mean loss of a batch of net outputs [N, K]."""

    @abstractmethod
    def answer(self, output: Tensor) -> dict[str, Tensor]:
        """What the outputs [N, K] say, by name: tensors whose first dimension is N."""

    @abstractmethod
    def measure(self, answers: dict[str, Tensor]) -> dict[str, float]:
        """Metrics of a whole split from its answers, which hold the `labels` too."""

    @abstractmethod
    def describe(self, answers: dict[str, Tensor]) -> list[dict[str, Any]]:
        """A row of words and numbers for each answer, as `predict` prints them."""

    def look_at(self, data: DataModule) -> None:
        """Take from the data what `measure` needs beside the answers; most families need nothing."""

    def remarks(self) -> dict[str, Any]:
        """What result.json should say of how the metrics were measured."""
        return {}

    # What all of them share -----------------------------------------------------------------------------------------

    def pictures(self) -> tuple[str, ...]:
        """Modules of dlcourse.plots that draw the family: the one of its kind and its own."""
        return (self.kind, *self.extra_plots)

    def parameter_count(self) -> int:
        """Trainable numbers of the model; of one net where several are trained at once."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def check_shape(self, inputs: Tensor) -> None:
        """Refuse stored inputs [N, ...] that are not of as many features, or pixels, as the task's.

        Raises:
            UserError: in one sentence.
        """
        if inputs[0].numel() != math.prod(self.task.in_shape):
            raise UserError(
                f"the model learnt {self.task.shape_text()} but is given {list(inputs.shape[1:])}: choose other data"
            )

    def scaled(self, inputs: Tensor) -> Tensor:
        """Inputs as stored, [N, H, W], [N, H, W, C] or features [N, F], as the net takes them: [N, C, H, W] or [N, F].

        Pictures of another size are resized.
        """
        if inputs.ndim == 2 or len(self.task.in_shape) == 1:
            self.check_shape(inputs)
            return self._standardised(inputs).reshape(-1, *self.task.in_shape)
        x = self._standardised(inputs[:, None] if inputs.ndim == 3 else inputs.permute(0, 3, 1, 2))
        if x.shape[2:] != self.task.in_shape[1:]:
            x = nn.functional.interpolate(x, size=self.task.in_shape[1:], mode="bilinear", antialias=True)
        return x.contiguous(memory_format=torch.channels_last)

    def _standardised(self, x: Tensor) -> Tensor:
        """Less the mean, by the deviation; a batch in memory once, not three times, takes half the time."""
        centred = x - self.mean if x.dtype == torch.float32 else x.float().sub_(self.mean)
        return centred.div_(self.std)

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs as stored to net outputs [N, K]."""
        return self.net(self.scaled(inputs))

    @classmethod
    def check(cls, settings: DictConfig) -> None:
        """Refuse what the model's config alone shows to be impossible, before data is prepared; here nothing.

        Raises:
            UserError: what is missing, and the remedy.
        """

    def adapt(self, inputs: Tensor) -> None:
        """Let a net that starts from the data's statistics, one with a method `adapt`, see some training inputs."""
        adapt = getattr(self.net, "adapt", None)
        if adapt is not None:
            adapt(self.scaled(inputs))

    def training_loss(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """What a training step minimises; a family that trains on something else than `loss` says so here."""
        return self.loss(self(inputs), labels)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Dropout and the like become a function of (seed, step), so that a resumed run draws the same."""
        reseed(mix(self.seed, 3, self.global_step, self.global_rank), self.device)

    def __setattr__(self, name: str, value: Any) -> None:
        """Lightning notes each hook it calls, forty times a step; a plain string need not be looked at as a module."""
        if name == "_current_fx_name":
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One batch's loss."""
        loss = self.training_loss(*batch)
        self.note("loss", loss)
        self._check_finite(loss, batch_idx)
        if self.trainer.is_last_batch:
            self._log_epoch()
        return loss

    def note(self, name: str, value: Tensor) -> None:
        """Keep a training step's figure; the epoch's mean is logged as `train/<name>`."""
        self._noted.setdefault(name, []).append(value.detach())

    def _log_epoch(self) -> None:
        """Log the epoch's means once; a log call each step would cost more than a small net's step."""
        means = {f"train/{name}": torch.stack(values).mean() for name, values in self._noted.items()}
        self._noted.clear()
        rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        self.log_dict(means | {"lr": rate}, on_step=False, on_epoch=True, sync_dist=True)

    def _check_finite(self, loss: Tensor, batch_idx: int) -> None:
        place = Place(self.trainer.fit_loop.epoch_loop.total_batch_idx + 1, self.current_epoch + 1, batch_idx + 1)
        if self.watch_loss and (wrong := self._watch.keep(loss.detach(), place)):
            raise UserError(self._not_finite(wrong))

    def check_finite(self) -> None:
        """Refuse to go on, or to save, where a loss or a weight is no number any more.

        Raises:
            UserError: names the last finite step, the batches since and the last good checkpoint.
        """
        weights = [p.detach() for p in self.parameters() if p.requires_grad and p.is_floating_point()]
        wrong = self._watch.look() or self._watch.look_at_weights(weights)
        if self.watch_loss and wrong:
            raise UserError(self._not_finite(wrong))

    def _not_finite(self, wrong: str) -> str:
        saved = [c for c in self.trainer.checkpoint_callbacks if isinstance(c, Last) and c.path.exists()]
        kept = f"the last good checkpoint is {saved[0].path}" if saved else "no checkpoint was saved before"
        compiled = " or compile=false" if getattr(self.net, "_compiled_call_impl", None) is not None else ""
        clip = ", or set trainer.gradient_clip_val=1" if self.automatic_optimization else ""
        return f"{wrong}; {kept}: lower model.optimizer.lr{clip}{compiled}"

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect one batch's answers."""
        self._collect(batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect one batch's answers of `split`."""
        self._collect(batch)

    def _collect(self, batch: Batch) -> None:
        inputs, labels = batch
        output = self(inputs).float()
        losses = self.loss(output, labels).expand(len(labels))
        self._gathered.append(self.answer(output) | {"labels": labels, "loss": losses})

    def on_validation_epoch_end(self) -> None:
        """Log `val/*`; Lightning's sanity check and a validation within fit use it alike."""
        self._conclude("val")

    def on_test_epoch_end(self) -> None:
        """Log `<split>/*`."""
        self._conclude(self.split)

    def _conclude(self, split: str) -> None:
        parts, self._gathered = self._gathered, []
        answers = {name: torch.cat([part[name] for part in parts]).cpu() for name in parts[0]}
        if self.trainer.world_size > 1:
            everyone: list[Any] = [None] * self.trainer.world_size
            torch.distributed.all_gather_object(everyone, answers)
            # every world-th sample came to a process: back into the stored order
            count = sum(len(part["loss"]) for part in everyone)
            order = torch.cat([torch.arange(rank, count, len(everyone)) for rank in range(len(everyone))]).argsort()
            answers = {name: torch.cat([part[name] for part in everyone])[order] for name in answers}
        self.answers = answers
        metrics = {"loss": answers["loss"].mean().item()} | self.measure(answers)
        # every process holds the same figures now, so there is nothing left to average
        named = {f"{split}/{name}": value for name, value in metrics.items()}
        self.log_dict(named, logger=self.trainer.state.fn == "fit" and bool(self.trainer.loggers))

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: torch.optim.Optimizer) -> None:
        """Forget the gradients, without the optimiser's hooks for profilers."""
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def configure_optimizers(self) -> Any:
        """The optimiser, and its schedule over all steps of the fit."""
        optimizer = self.optimizer([p for p in self.parameters() if p.requires_grad])
        if self.device.type == "cpu":
            spare_search(optimizer)
        return {
            "optimizer": optimizer,
            "lr_scheduler": self.schedule(optimizer, int(self.trainer.estimated_stepping_batches)),
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Tensors and plain values only, so that checkpoints load with weights_only=True."""
        checkpoint["dlcourse"] = {"schema": SCHEMA, "family": type(self).__name__, "task": self.task.to_dict()}
        if self._noted:  # within an epoch: its means go on from there
            checkpoint["dlcourse"]["noted"] = {name: torch.stack(values) for name, values in self._noted.items()}
        if "optimizer_states" in checkpoint:
            return
        # Of weights alone Lightning does not ask its callbacks, so averaged ones are fetched here.
        for callback in self.trainer.callbacks:  # ty: ignore[missing-attribute]
            if isinstance(callback, WeightAveraging):
                callback.on_save_checkpoint(self.trainer, self, checkpoint)
                del checkpoint["current_model_state"], checkpoint["averaging_state"]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """What the epoch under way had noted."""
        noted = checkpoint.get("dlcourse", {}).get("noted", {})
        self._noted = {name: list(values) for name, values in noted.items()}


def _per_channel(values: float | tuple[float, ...], task: Task) -> Tensor:
    """Statistics in the shape that scales [N, C, H, W] or [N, F]."""
    found = torch.tensor(values)
    return found[:, None, None] if found.ndim and len(task.in_shape) == 3 else found
