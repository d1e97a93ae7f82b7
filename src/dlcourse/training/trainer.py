"""The Lightning Trainer with the defaults of dlcourse."""

import inspect
import logging
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning.fabric.plugins.environments import LightningEnvironment
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf

from dlcourse.errors import UserError
from dlcourse.training.checkpoints import AtomicCheckpointIO
from dlcourse.training.devices import check_accelerator, process_rank
from dlcourse.training.lightning_shortcuts import NoProfiler
from dlcourse.training.precision import PlainOptimizers
from dlcourse.training.progress import shows_bar

# Trainer arguments that a run sets itself or cannot use, and what to do instead.
REFUSED = {
    "barebones": "it switches off the checkpoints and logs of a run",
    "callbacks": "use callbacks=NAME or +callbacks.NAME._target_=CLASS",
    "default_root_dir": "use hydra.run.dir=DIR",
    "enable_checkpointing": "a run needs its checkpoints",
    "logger": "use logger=NAME or logger=[]",
    "num_nodes": "use one machine",
}


def make_trainer(settings: DictConfig, **more: Any) -> Trainer:
    """A Trainer from the settings of conf/trainer and further arguments.

    Raises:
        UserError: the Trainer does not accept a setting, or the device was not found.
    """
    check_accelerator(settings)
    check_options(settings)
    vars(rank_zero_only)["rank"] = process_rank()  # Lightning's own value also counts inherited variables
    # All of them, because Lightning looks up those that are left out in variables such as PL_TRAINER_MAX_EPOCHS.
    chosen: dict[str, Any] = {name: given.default for name, given in inspect.signature(Trainer).parameters.items()}
    chosen |= {"enable_model_summary": False, "num_sanity_val_steps": 0, "log_every_n_steps": 1}
    chosen |= {"enable_progress_bar": None, "callbacks": []}
    chosen |= {str(key): value for key, value in dict(settings).items()} | more
    try:  # objects such as a profiler are given by _target_
        chosen = {k: instantiate(v, _convert_="all") if OmegaConf.is_config(v) else v for k, v in chosen.items()}
    except InstantiationException as error:
        raise UserError(f"trainer: {_one_line(error)}") from error
    chosen["plugins"] = [AtomicCheckpointIO(), LightningEnvironment(), *(chosen.get("plugins") or [])]
    bars = [callback for callback in chosen["callbacks"] if isinstance(callback, ProgressBar)]
    if chosen["enable_progress_bar"] is None:  # with a bar true, even if the terminal has gone since it was created
        chosen["enable_progress_bar"] = bool(bars) or shows_bar()
    if not chosen["enable_progress_bar"]:
        chosen["callbacks"] = [callback for callback in chosen["callbacks"] if callback not in bars]
    if chosen.get("gradient_clip_val") is not None:
        chosen["callbacks"] = [*chosen["callbacks"], PlainOptimizers()]
    if chosen["profiler"] is None:
        chosen["profiler"] = NoProfiler()
    if chosen.get("deterministic") is False and not torch.are_deterministic_algorithms_enabled():
        chosen["deterministic"] = None  # the same; torch imports its compiler to set False
    try:
        return Trainer(**chosen)
    except (TypeError, ValueError, RuntimeError, ImportError, MisconfigurationException) as error:
        raise UserError(f"trainer: {_one_line(error)}") from error


def check_options(settings: DictConfig) -> None:
    """Refuse Trainer arguments that a run sets itself, and values that leave nothing to train or test.

    Raises:
        UserError: with the remedy.
    """
    for key, remedy in REFUSED.items():
        if key in settings and not (key == "num_nodes" and settings[key] == 1):
            raise UserError(f"trainer.{key} is not supported: {remedy}")
    if settings.get("profiler") == "pytorch":  # it fails in a second test, and a run tests each split
        raise UserError("trainer.profiler=pytorch is not supported: use simple or advanced")
    for key in ("limit_train_batches", "limit_test_batches"):
        if (value := settings.get(key)) is not None and not (isinstance(value, (int, float)) and value > 0):
            raise UserError(f"trainer.{key}={value} is not a positive number: use for example 1.0 for all batches")
    count = settings.get("accumulate_grad_batches", 1)
    if not isinstance(count, int) or count < 1:
        raise UserError(f"trainer.accumulate_grad_batches={count} is not a positive integer: use for example 2")


@contextmanager
def lightning_errors() -> Generator[None]:
    """Turn an error that Lightning itself raises in the block into a UserError: it is about a setting.

    Raises:
        UserError: Lightning's message in one line.
    """
    try:
        yield
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        source = Path(trace.tb_frame.f_code.co_filename) if trace is not None else Path()
        if not source.is_relative_to(Path(lightning.__file__).parent):
            raise
        raise UserError(f"trainer: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def quiet() -> None:
    """Hide Lightning's messages about itself; let those of dlcourse through, debug ones too, for train.log."""
    logging.getLogger("dlcourse").setLevel(logging.DEBUG)
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("hydra.utils").setLevel(logging.CRITICAL)  # what it logs is raised as an error as well
    for name in ("profilers", "callbacks.model_summary"):  # asked for by trainer.profiler and enable_model_summary
        logging.getLogger(f"lightning.pytorch.{name}").setLevel(logging.INFO)
    warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated")
    warnings.filterwarnings("ignore", ".*could not find the monitored key")  # a run may end before its first validation
    warnings.filterwarnings("ignore", "The .* does not have many workers")
    warnings.filterwarnings("ignore", ".*configure_optimizers. returned .None.")  # not all models need one
    warnings.filterwarnings("ignore", "Total length of .list. across ranks is zero")  # data without a validation split
    warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")
