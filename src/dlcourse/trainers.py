"""The Lightning Trainer as dlcourse uses it: quiet, and with one sentence where it cannot be made."""

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from lightning.pytorch import Trainer
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf

from dlcourse.checkpoints import WholeFiles
from dlcourse.errors import UserError

_claims: list[FileLock] = []  # of this process


def make_trainer(settings: DictConfig, **more: Any) -> Trainer:
    """A Trainer from conf/trainer's settings and more of its arguments.

    Raises:
        UserError: it refuses a setting, or asks for a device that is not there.
    """
    check_accelerator(settings)
    chosen: dict[str, Any] = {"enable_model_summary": False, "num_sanity_val_steps": 0, "log_every_n_steps": 1}
    chosen |= {"enable_progress_bar": sys.stderr.isatty(), "plugins": [WholeFiles()]}
    chosen |= {str(key): value for key, value in dict(settings).items()} | more
    chosen = {k: OmegaConf.to_container(v) if OmegaConf.is_config(v) else v for k, v in chosen.items()}
    try:
        return Trainer(**chosen)
    except (TypeError, ValueError, RuntimeError, MisconfigurationException) as error:
        raise UserError(f"trainer: {error}") from error


def check_accelerator(settings: DictConfig) -> None:
    """Refuse CUDA where torch sees none."""
    if settings.accelerator in ("cuda", "gpu") and not torch.cuda.is_available():
        raise UserError("CUDA was asked for, but torch sees no CUDA device here: take trainer=auto or trainer=cpu")


def process_rank() -> int:
    """This process's number where several train one model, 0 where it is alone."""
    return getattr(rank_zero_only, "rank", 0)


def likely_device(settings: DictConfig) -> torch.device:
    """The device that a Trainer with these settings will use, before there is one."""
    if settings.accelerator in ("auto", "cuda", "gpu") and torch.cuda.is_available():
        return torch.device("cuda")
    if settings.accelerator in ("auto", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


@contextmanager
def torch_threads(count: int | None) -> Generator[None]:
    """Let torch compute with so many threads of the CPU for a while; None changes nothing.

    Raises:
        UserError: that is no number of threads.
    """
    if count is not None and (not isinstance(count, int) or count < 1):
        raise UserError(f"threads={count} is no number of threads: take 1 or more, or null")
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def claim_gpu() -> None:
    """Of several CUDA devices let this process see one alone, which no other process of a sweep has claimed.

    The claim ends with the process. Without a free one the devices are shared out by process number.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(torch.cuda.device_count())))).split(",")
    if _claims or len(visible) < 2:
        return
    for name in visible:
        lock = FileLock(Path(tempfile.gettempdir()) / f"dlcourse-gpu-{name}.lock")
        with suppress(Timeout):
            lock.acquire(timeout=0)
            _claims.append(lock)
            os.environ["CUDA_VISIBLE_DEVICES"] = name
            return
    os.environ["CUDA_VISIBLE_DEVICES"] = visible[os.getpid() % len(visible)]


def device_name(trainer: Trainer) -> str:
    """`cpu`, `mps` or the name of the CUDA device."""
    device = trainer.strategy.root_device
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def quiet() -> None:
    """What Lightning says of itself tells a user of dlcourse nothing; what dlcourse says is kept in train.log."""
    logging.getLogger("dlcourse").setLevel(logging.DEBUG)
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated")
    warnings.filterwarnings("ignore", ".*could not find the monitored key")  # a run that ended before a validation
    warnings.filterwarnings("ignore", "The .* does not have many workers")
    warnings.filterwarnings("ignore", ".*configure_optimizers. returned .None.")  # some models learn without one
    warnings.filterwarnings("ignore", "Total length of .list. across ranks is zero")  # no validation split
    warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")
