"""Checks before the first step whether the metrics that callbacks and schedules watch will be measured."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from omegaconf import DictConfig, OmegaConf

from dlcourse.config.suggestions import suggest
from dlcourse.errors import UserError
from dlcourse.models.base import BaseModule


def watched_metrics(cfg: DictConfig, validated: bool = True) -> dict[str, str]:
    """The metric that each part of the config watches: `{"callbacks.early_stopping": "val/loss", "model": "val/loss"}`.

    `model` stands for the checkpoint that model.monitor chooses.

    Args:
        cfg: of the run.
        validated: whether there is a validation that a checkpoint can be chosen by; without one it is not.
    """
    found: dict[str, str] = {}
    chooses = str(OmegaConf.select(cfg, "model.monitor"))
    for group in ("callbacks", "checkpoints"):
        for name, node in (cfg.get(group) or {}).items():
            if node is not None and node.get("monitor") and (group == "callbacks" or validated):
                own = group == "callbacks" or str(node.monitor) != chooses
                found[f"{group}.{name}" if own else "model"] = str(node.monitor)
    if (schedule := OmegaConf.select(cfg, "model.schedule.monitor")) is not None:
        found["model.schedule"] = str(schedule)
    return found


def check_monitors(cfg: DictConfig, held_out: bool = True) -> None:
    """Refuse callbacks and schedules whose metric would not be measured when they need it.

    Args:
        cfg: of the run.
        held_out: whether the data has a validation split; taken for granted before the data is prepared.

    Raises:
        UserError: with the remedy.
    """
    trainer = cfg.trainer
    switched_off = trainer.get("limit_val_batches") == 0
    if not held_out:
        missing = "the data has not been split for validation"
    else:
        missing = "trainer.limit_val_batches=0 switches validation off" if switched_off else ""
    stops = [f"callbacks.{k}" for k, v in (cfg.get("callbacks") or {}).items() if v and "EarlyStopping" in v._target_]
    every, epochs = trainer.get("check_val_every_n_epoch", 1), trainer.get("max_epochs")
    for key, metric in watched_metrics(cfg, not missing).items():
        if not metric.startswith("val"):
            continue
        if missing and key in ("model.schedule", *stops):
            remedy = "use model/schedule=one_cycle" if key == "model.schedule" else f"remove it with '~{key}'"
            raise UserError(f"{key} monitors {metric}, but {missing}: {remedy}")
        if key == "model.schedule" and every != 1:
            raise UserError(
                f"{key} needs {metric} after each epoch, but trainer.check_val_every_n_epoch={every}: set it to 1"
            )
        if isinstance(every, int) and isinstance(epochs, int) and 1 <= epochs < every and not missing:
            raise UserError(
                f"{key} monitors {metric}, but trainer.check_val_every_n_epoch={every} is more than the run's "
                f"{epochs} epochs: set it to {epochs} or less"
            )


class MonitorCheck(Callback):
    """Refuses a watched metric that the run does not log, in Lightning's sanity check and after the first step.

    Args:
        watched: see `watched_metrics`.
    """

    def __init__(self, watched: dict[str, str]):
        self.watched, self.checked = watched, False

    def needs_validation(self, model: LightningModule) -> bool:
        """Whether one batch must be validated to find out if the watched metrics are logged.

        A model without parameters is fitted at once, and cannot be validated before.
        """
        certain = model.always_measured if isinstance(model, BaseModule) else ()
        unsure = any(not name.startswith("train") and name not in certain for name in self.watched.values())
        return unsure and any(p.requires_grad for p in model.parameters())

    def on_sanity_check_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compare with the metrics of the validation of a batch."""
        known = sorted(trainer.callback_metrics)
        for key, name in self.watched.items():
            # a LightningModule of the user may log any name in training
            later = name.startswith("train") or (not isinstance(pl_module, BaseModule) and not name.startswith("val"))
            if name not in known and not later and name != "lr":
                raise UserError(_refusal(key, name, known))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Compare names of training metrics, once, with those that the first step has recorded.

        Models and callbacks of the user may log more at the end of the epoch.
        """
        if self.checked:
            return
        self.checked = True
        parts = [pl_module, *trainer.callbacks]  # ty: ignore[missing-attribute]
        shipped = all(type(part).__module__.startswith(("dlcourse.", "lightning.")) for part in parts)
        if not shipped or not isinstance(pl_module, BaseModule):
            return
        known = sorted({f"train/{name}" for name in pl_module.noted_names} | set(trainer.callback_metrics))
        for key, name in self.watched.items():
            if name.startswith("train") and name not in known and suggest(name, known):
                raise UserError(_refusal(key, name, known))


def _refusal(key: str, name: str, known: list[str]) -> str:
    near = suggest(name, known)
    hint = f"did you mean {near}?" if near else f"choose from {', '.join(known)}"
    return f"{key}.monitor={name} is not a metric of this run; {hint}"
