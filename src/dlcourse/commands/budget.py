"""How long a run trains, and whether what may end it earlier is measured."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from dlcourse.errors import UserError


def chosen_epochs(cfg: DictConfig, data: str) -> int:
    """`trainer.max_epochs`, or the model's default for the data set with the title `data`.

    Raises:
        UserError: neither is set, or it is not a positive integer.
    """
    epochs: Any = cfg.trainer.max_epochs
    if epochs is None:
        defaults: Any = (cfg.get("model") or {}).get("epochs", {})
        epochs = defaults if isinstance(defaults, int) else defaults.get(data)
        if epochs is None:
            raise UserError(f"the model does not set a default number of epochs for {data}: set trainer.max_epochs")
    if not isinstance(epochs, int) or epochs < 1:
        raise UserError(f"trainer.max_epochs={epochs} is not a positive integer: use for example 10")
    return epochs


def check_monitors(cfg: DictConfig, held_out: bool = True) -> None:
    """Refuse callbacks and schedules whose metric would not be measured when they need it.

    Args:
        cfg: of the run.
        held_out: whether the data has a validation split; taken for granted before the data is prepared.

    Raises:
        UserError: with the remedy.
    """
    trainer, callbacks = cfg.trainer, cfg.get("callbacks") or {}
    chosen = {name: node._target_ for name, node in callbacks.items() if node is not None}
    stops = [name for name, target in chosen.items() if target.endswith("EarlyStopping")]
    if not held_out:
        missing = "the data has not been split for validation"
    elif trainer.get("limit_val_batches") == 0:
        missing = "trainer.limit_val_batches=0 switches validation off"
    else:
        missing = ""
    every = trainer.get("check_val_every_n_epoch", 1)
    for key, remedy in (
        *((f"callbacks.{name}", f"remove it with '~callbacks.{name}'") for name in stops),
        ("model.schedule", "use model/schedule=one_cycle"),
    ):
        watched = str(OmegaConf.select(cfg, f"{key}.monitor"))
        if watched.startswith("val/") and missing:
            raise UserError(f"{key} monitors {watched}, but {missing}: {remedy}")
        if key == "model.schedule" and watched.startswith("val/") and every != 1:
            raise UserError(
                f"{key} needs {watched} after each epoch, but trainer.check_val_every_n_epoch={every}: set it to 1"
            )
