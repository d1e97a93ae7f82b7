"""`callbacks=finetune`: the pretrained layers of a net are trained later than its new ones, with a lower rate."""

import logging

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BaseFinetuning
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from dlcourse.errors import UserError

log = logging.getLogger(__name__)


class Finetuning(BaseFinetuning):
    """Freezes the body of a net until an epoch, then trains it with a fraction of the learning rate.

    The body is the attribute `body` of a model's net; without one, all layers but the last. Parts of it that the net
    itself has frozen stay so. The schedule applies to both rates.

    Args:
        unfreeze_at: epoch, counted from 0, from which the body is trained.
        body_lr_factor: learning rate of the body as a fraction of that of the other layers.

    Raises:
        UserError: an argument is out of range.
    """

    def __init__(self, unfreeze_at: int = 5, body_lr_factor: float = 0.1):
        super().__init__()
        if not isinstance(unfreeze_at, int) or unfreeze_at < 0:
            raise UserError(f"callbacks.finetune.unfreeze_at={unfreeze_at} is not an epoch from 0: use for example 5")
        if not body_lr_factor > 0:
            raise UserError(f"callbacks.finetune.body_lr_factor={body_lr_factor} is not above 0: use for example 0.1")
        self.unfreeze_at, self.factor = unfreeze_at, body_lr_factor
        self.body: list[nn.Parameter] = []
        self.norms: list[nn.Module] = []  # batch norms whose statistics must not move while the body is frozen

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Freeze the body before the optimizer is built; tests change nothing."""
        if stage == "fit":
            super().setup(trainer, pl_module, stage)

    def freeze_before_training(self, pl_module: LightningModule) -> None:
        """Freeze the body.

        Raises:
            UserError: there is nothing to unfreeze later, or the model has several optimizers.
        """
        if not pl_module.automatic_optimization:
            raise UserError("callbacks=finetune does not support models with several optimizers: leave it out")
        layers = _body(pl_module)
        self.body = [p for layer in layers for p in layer.parameters(recurse=False) if p.requires_grad]
        self.norms = [layer for layer in layers if isinstance(layer, _BatchNorm) and layer.training]
        if not self.body:
            raise UserError(
                "callbacks=finetune has nothing to train later: set model.net.train=all, or a number of last layers"
            )
        for parameter in self.body:
            parameter.requires_grad_(False)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Rebuild the groups of a resumed optimizer; Lightning restores their state after this."""
        super().on_fit_start(trainer, pl_module)
        if len(trainer.optimizers[0].param_groups) > 1:
            self._unfreeze(trainer)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Tensor, batch_idx: int) -> None:
        """Keep the statistics of the frozen body."""
        for layer in self.norms:
            layer.eval()

    def finetune_function(self, pl_module: LightningModule, epoch: int, optimizer: Optimizer) -> None:
        """Unfreeze the body in its epoch, as a second group of the optimizer."""
        if epoch < self.unfreeze_at or len(optimizer.param_groups) > 1:
            return
        group = optimizer.param_groups[0]
        rates = {name: group[name] * self.factor for name in ("lr", "initial_lr") if name in group}
        optimizer.add_param_group({"params": self.body, **rates})
        self._unfreeze(pl_module.trainer)
        log.info("the pretrained layers are trained from epoch %d, learning rate %.3g", epoch + 1, rates["lr"])

    def _unfreeze(self, trainer: Trainer) -> None:
        """Let the body learn, and make schedules that were built for one group cover the second one."""
        for parameter in self.body:
            parameter.requires_grad_(True)
        for layer in self.norms:
            layer.train()
        self.norms = []
        for schedule in (entry.scheduler for entry in trainer.lr_scheduler_configs):
            for name, factor in (("base_lrs", self.factor), ("lr_lambdas", None), ("min_lrs", None)):
                values = getattr(schedule, name, None)
                if values:
                    values.append(values[0] if factor is None else values[0] * factor)


def _body(pl_module: LightningModule) -> list[nn.Module]:
    """The layers of a net's `body`, else all layers with parameters but the last."""
    net = getattr(pl_module, "net", pl_module)
    if isinstance(body := getattr(net, "body", None), nn.Module):
        return list(body.modules())
    return [layer for layer in net.modules() if next(layer.parameters(recurse=False), None) is not None][:-1]
