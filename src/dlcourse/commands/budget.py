"""How long a run trains."""

from typing import Any

from omegaconf import DictConfig

from dlcourse.config.values import check_epochs
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
    return check_epochs(epochs)
