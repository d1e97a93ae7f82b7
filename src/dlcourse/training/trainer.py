"""The Lightning Trainer with the defaults of dlcourse."""

import logging
import sys
import warnings
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf

from dlcourse.errors import UserError
from dlcourse.training.checkpoints import AtomicCheckpointIO
from dlcourse.training.devices import check_accelerator


def make_trainer(settings: DictConfig, **more: Any) -> Trainer:
    """A Trainer from the settings of conf/trainer and further arguments.

    Raises:
        UserError: the Trainer does not accept a setting, or the device was not found.
    """
    check_accelerator(settings)
    chosen: dict[str, Any] = {"enable_model_summary": False, "num_sanity_val_steps": 0, "log_every_n_steps": 1}
    chosen |= {"enable_progress_bar": sys.stderr.isatty(), "plugins": [AtomicCheckpointIO()]}
    chosen |= {str(key): value for key, value in dict(settings).items()} | more
    chosen = {k: OmegaConf.to_container(v) if OmegaConf.is_config(v) else v for k, v in chosen.items()}
    try:
        return Trainer(**chosen)
    except (TypeError, ValueError, RuntimeError, MisconfigurationException) as error:
        raise UserError(f"trainer: {error}") from error


def quiet() -> None:
    """Hide Lightning's messages about itself; let those of dlcourse through, debug ones too, for train.log."""
    logging.getLogger("dlcourse").setLevel(logging.DEBUG)
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated")
    warnings.filterwarnings("ignore", ".*could not find the monitored key")  # a run may end before its first validation
    warnings.filterwarnings("ignore", "The .* does not have many workers")
    warnings.filterwarnings("ignore", ".*configure_optimizers. returned .None.")  # not all models need one
    warnings.filterwarnings("ignore", "Total length of .list. across ranks is zero")  # data without a validation split
    warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")
