"""The base class of all model families: scaling, optimizer, metrics and checkpoints."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed
from omegaconf import DictConfig
from torch import Tensor, nn

from dlcourse.data.batches import Batch, mix, reseed
from dlcourse.data.given_images import Images, stored_inputs
from dlcourse.data.module import DataModule
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.answers import BATCH, Predictions, predict_batches
from dlcourse.training.lightning_shortcuts import StepShortcuts, gather_predictions, put_averaged_weights
from dlcourse.training.loss_guard import LossGuard
from dlcourse.training.optimizers import skip_graph_capture_check

SCHEMA = 1  # of checkpoints
SCALINGS = {"unit": (0, 1), "symmetric": (-1, 1)}  # what black and white become


class BaseModule(StepShortcuts, ABC):
    """How a net is trained and evaluated on a kind of task. A subclass defines the loss and the metrics.

    Args:
        task: input shape, labels and statistics of the data.
        net: makes the net from (in_shape, outputs). With an attribute `takes_pixels` it gets inputs from 0 to 1 and
            scales them itself.
        outputs: sizes of the heads.
        optimizer: makes the optimiser from the parameters.
        schedule: makes Lightning's scheduler entry from (optimiser, total steps).
        seed: of the random numbers drawn in a training step.
    """

    kind: str  # of the tasks that the family supports
    embeds = True  # whether the inputs of the last linear layer describe an image, see `Predictions.embeddings`
    extra_plots: tuple[str, ...] = ()  # entries of plots.dispatch for this family, or names of modules like its ones
    always_measured: tuple[str, ...] = ("val/loss",)  # in each validation
    precision: str | None = None  # what `trainer.precision=auto` uses without measuring
    full_batch = False  # whether a training batch is the whole training split, in its stored order
    not_sure_below = 0.0  # the confidence that best separates wrong from right answers; 0: unknown
    last_predictions: dict[str, Tensor]  # of the split evaluated last, on the CPU
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
        self.check_kind(task.data, task.kind)
        self.task, self.optimizer, self.schedule, self.seed = task, optimizer, schedule, seed
        # Convolutions are faster with channels last, by a quarter in bfloat16.
        self.net = net(in_shape=task.in_shape, outputs=outputs).to(memory_format=torch.channels_last)
        self.register_buffer("mean", _per_channel(task.mean, task))
        self.register_buffer("std", _per_channel(task.std, task).clamp_min(1e-6))
        if getattr(self.net, "takes_pixels", False):
            black, white = task.levels
            self.mean.fill_(black)
            self.std.fill_(white - black)
        self.loss_guard = LossGuard()
        self.split = "test"  # that test_step evaluates
        self.last_predictions = {}
        self._gathered: list[dict[str, Tensor]] = []
        self._noted: dict[str, list[Tensor]] = {}

    # Defined by a family ---------------------------------------------------------------------------------------------

    @abstractmethod
    def loss(self, output: Tensor, labels: Tensor) -> Tensor:
        """Mean loss of a batch of net outputs [N, K]."""

    @abstractmethod
    def predictions(self, output: Tensor) -> dict[str, Tensor]:
        """Predictions from outputs [N, K], by name: tensors whose first dimension is N."""

    @abstractmethod
    def compute_metrics(self, answers: dict[str, Tensor]) -> dict[str, float]:
        """Metrics of a whole split from its predictions, which contain the `labels` too."""

    @abstractmethod
    def format_predictions(self, answers: dict[str, Tensor]) -> list[dict[str, Any]]:
        """One row of values for each prediction, as `predict` prints them."""

    def attach_data(self, data: DataModule) -> None:
        """Keep the parts of the data that `compute_metrics` needs besides the predictions; by default none."""

    def judged_confidence(self) -> tuple[Tensor, Tensor] | None:
        """Confidence [N] of the last predictions and whether they are right [N]; None without confidences."""
        return None

    def extra_results(self) -> dict[str, Any]:
        """Fields of result.json that say how the metrics were measured."""
        return {}

    # Shared by all families -----------------------------------------------------------------------------------------

    def plots(self) -> tuple[str, ...]:
        """Entries of plots.dispatch for this model: that of its kind, then its own and its net's."""
        return (self.kind, *self.extra_plots, *getattr(self.net, "extra_plots", ()))

    @property
    def photo_task(self) -> Task:
        """How a user's images are prepared: by default like the images of the training."""
        return self.task

    def scale_inputs(self, scaling: str) -> None:
        """Choose how `normalize` scales inputs.

        Args:
            scaling: `statistics` subtracts the training data's mean and divides by its deviation, channel by channel;
                `unit` maps pixels to 0 to 1, `symmetric` to -1 to 1.

        Raises:
            UserError: the name is unknown, or the net does not work with it.
        """
        if scaling not in ("statistics", *SCALINGS):
            raise UserError(f"model.scaling={scaling} is unknown: use statistics, {', '.join(SCALINGS)}")
        if scaling == "symmetric" and getattr(self.net, "takes_pixels", False):
            raise UserError(f"model.scaling={scaling} does not fit this net, which scales pixels itself: remove it")
        if scaling in SCALINGS:
            (black, white), (low, high) = self.task.levels, SCALINGS[scaling]
            self.std.fill_((white - black) / (high - low))
            self.mean.copy_(black - low * self.std)

    def parameter_count(self) -> int:
        """Number of trainable parameters; of one net where several are trained at once."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def check_shape(self, inputs: Tensor) -> None:
        """Refuse stored inputs [N, ...] with another number of features or pixels than the task's.

        Raises:
            UserError: the number differs.
        """
        if inputs[0].numel() != math.prod(self.task.in_shape):
            raise UserError(
                f"the model expects {self.task.shape_text()}, not {list(inputs.shape[1:])}: choose other data"
            )

    def normalize(self, inputs: Tensor) -> Tensor:
        """Stored inputs [N, H, W], [N, H, W, C] or [N, F] to standardised net inputs [N, C, H, W] or [N, F].

        Images of another size are resized.
        """
        if inputs.ndim == 2 or len(self.task.in_shape) == 1:
            self.check_shape(inputs)
            return self._standardize(inputs).reshape(-1, *self.task.in_shape)
        x = self._standardize(inputs[:, None] if inputs.ndim == 3 else inputs.permute(0, 3, 1, 2))
        if x.shape[2:] != self.task.in_shape[1:]:
            x = nn.functional.interpolate(x, size=self.task.in_shape[1:], mode="bilinear", antialias=True)
        return x.contiguous(memory_format=torch.channels_last)

    def _standardize(self, x: Tensor) -> Tensor:
        """Subtract the mean and divide by the deviation; in place, which takes half the time."""
        centred = x - self.mean if x.dtype == torch.float32 else x.float().sub_(self.mean)
        return centred.div_(self.std).to(self.mean.dtype)  # another one under trainer.precision=64-true and the like

    def forward(self, inputs: Tensor) -> Tensor:
        """Stored inputs to net outputs [N, K]."""
        return self.net(self.normalize(inputs))

    def predict(self, images: Images) -> Predictions:
        """Predictions for images, computed in evaluation mode on the model's device.

        Args:
            images: one image, or several as a list or one array: paths, PIL images, or arrays and tensors uint8
                [N, H, W] or [N, H, W, C], of any size; see `dlcourse.data.given_images.stored_inputs`.

        Returns:
            Predicted names, probabilities and embeddings of all images.

        Raises:
            UserError: an image cannot be decoded or has the wrong type, or the model is a generative one.
        """
        return predict_batches(self, stored_inputs(images, self.photo_task).split(BATCH))[1]

    @classmethod
    def check(cls, settings: DictConfig) -> None:
        """Refuse wrong settings before data is prepared; by default accept all.

        Raises:
            UserError: something is missing; the message names the remedy.
        """

    @classmethod
    def check_kind(cls, data: str, kind: str) -> None:
        """Refuse data with another kind of task.

        Raises:
            UserError: names both kinds.
        """
        if kind != cls.kind:
            raise UserError(f"{cls.__name__} needs {cls.kind}, but {data} has {kind}: choose other data")

    def adapt(self, inputs: Tensor) -> None:
        """Initialize a net from training inputs, if it has a method `adapt`."""
        adapt = getattr(self.net, "adapt", None)
        if adapt is not None:
            adapt(self.normalize(inputs))

    def training_loss(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """The loss that a training step minimizes; by default `loss`, plus the net's penalty."""
        return self.penalized(self.loss(self(inputs), labels))

    def penalized(self, loss: Tensor) -> Tensor:
        """A loss plus the penalty on its weights that a net with a method `penalty` asks for."""
        penalty = getattr(self.net, "penalty", None)
        added = None if penalty is None else penalty()
        return loss if added is None else loss + added

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed dropout and other random layers by (seed, step), so that a resumed run repeats them."""
        reseed(mix(self.seed, 3, self.global_step, self.global_rank), self.device)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One batch's loss."""
        loss = self.training_loss(*batch)
        self.note("loss", loss)
        self.loss_guard.keep(self, loss, batch_idx)
        if self.trainer.is_last_batch:
            self._log_epoch()
        return loss

    def on_train_epoch_end(self) -> None:
        """Log what an epoch has recorded that ended early, as by `trainer.max_steps`."""
        if self._noted:
            self._log_epoch()

    def note(self, name: str, value: Tensor) -> None:
        """Record a value of a training step; the epoch's mean is logged as `train/<name>`."""
        self._noted.setdefault(name, []).append(value.detach())

    @property
    def noted_names(self) -> list[str]:
        """Names of the values that the steps of the current epoch have recorded."""
        return list(self._noted)

    def _recorded(self) -> dict[str, Tensor]:
        """The recorded values of the epoch, [steps] each; those from a checkpoint are still on the CPU."""
        return {name: torch.stack([v.to(self.device) for v in values]) for name, values in self._noted.items()}

    def _log_epoch(self) -> None:
        """Log the epoch's means once: logging each step would cost more than a step of a small net."""
        means = {f"train/{name}": values.mean() for name, values in self._recorded().items()}
        self._noted.clear()
        rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        self.log_dict(means | {"lr": rate}, on_step=False, on_epoch=True, sync_dist=True)

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Collect the predictions of one batch; callbacks get them as its outputs, with `labels` and `loss` [N]."""
        self._collect(batch)
        return self._gathered[-1]

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Collect the predictions of one batch of `split`; callbacks get them as in validation."""
        self._collect(batch)
        return self._gathered[-1]

    def _collect(self, batch: Batch) -> None:
        inputs, labels = batch
        output = self(inputs).float()
        losses = self.loss(output, labels).expand(len(labels))
        self._gathered.append(self.predictions(output) | {"labels": labels, "loss": losses})

    def on_validation_epoch_end(self) -> None:
        """Log `val/*`, also in Lightning's sanity check."""
        self._conclude("val")

    def on_test_epoch_end(self) -> None:
        """Log `<split>/*`."""
        self._conclude(self.split)

    def _conclude(self, split: str) -> None:
        parts, self._gathered = self._gathered, []
        mine = {name: torch.cat([part[name] for part in parts]).cpu() for name in parts[0]}
        answers = gather_predictions(mine, self.trainer.world_size)
        self.last_predictions = answers
        metrics = {"loss": answers["loss"].mean().item()} | self.compute_metrics(answers)
        named = {f"{split}/{name}": value for name, value in metrics.items()}
        logged = self.trainer.state.fn == "fit" and bool(self.trainer.loggers)
        # every process has the same values; without sync_dist Lightning warns that they may differ
        self.log_dict(named, logger=logged, sync_dist=True)

    def make_optimizer(self, net: nn.Module) -> torch.optim.Optimizer:
        """The optimizer of the trainable parameters of a net.

        Raises:
            UserError: it refuses a value, such as a negative learning rate.
        """
        try:
            return self.optimizer([p for p in net.parameters() if p.requires_grad])
        except (TypeError, ValueError) as error:
            raise UserError(f"model.optimizer: {error}: change that value") from error

    def make_schedule(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """The schedule of an optimizer over all steps of the fit.

        Raises:
            UserError: it refuses a value.
        """
        try:
            return self.schedule(optimizer, int(self.trainer.estimated_stepping_batches))
        except (TypeError, ValueError) as error:
            raise UserError(f"model.schedule: {error}: change that value") from error

    def configure_optimizers(self) -> Any:
        """The optimiser, and its schedule over all steps of the fit."""
        optimizer = self.make_optimizer(self)
        if self.device.type == "cpu":
            skip_graph_capture_check(optimizer)
        return {"optimizer": optimizer, "lr_scheduler": self.make_schedule(optimizer)}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Tensors and plain values only, so that checkpoints load with weights_only=True."""
        checkpoint["dlcourse"] = {"schema": SCHEMA, "family": type(self).__name__, "task": self.task.to_dict()}
        if self._noted:  # saved within an epoch: its means continue from there
            reduce = self.trainer.strategy.reduce  # over the processes of ddp
            checkpoint["dlcourse"]["noted"] = {n: reduce(v, reduce_op="mean") for n, v in self._recorded().items()}
        put_averaged_weights(self.trainer, self, checkpoint)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the recorded values of the current epoch."""
        noted = checkpoint.get("dlcourse", {}).get("noted", {})
        self._noted = {name: list(values) for name, values in noted.items()}


def _per_channel(values: float | tuple[float, ...], task: Task) -> Tensor:
    """Statistics in the shape that scales [N, C, H, W] or [N, F]."""
    found = torch.tensor(values)
    return found[:, None, None] if found.ndim and len(task.in_shape) == 3 else found
