"""The device of a run, and how parallel jobs share several GPUs."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from lightning.pytorch import Trainer
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig

from dlcourse.errors import UserError

_claims: list[FileLock] = []  # of this process


def check_accelerator(settings: DictConfig) -> None:
    """Refuse CUDA if torch does not find a CUDA device.

    Raises:
        UserError: with the remedy.
    """
    if settings.accelerator in ("cuda", "gpu") and not torch.cuda.is_available():
        raise UserError("CUDA device not found: use trainer=auto or trainer=cpu")


def process_rank() -> int:
    """The rank of this process under ddp; 0 for a single process."""
    return getattr(rank_zero_only, "rank", 0)


def likely_device(settings: DictConfig) -> torch.device:
    """The device that a Trainer with these settings will use."""
    if settings.accelerator in ("auto", "cuda", "gpu") and torch.cuda.is_available():
        return torch.device("cuda")
    if settings.accelerator in ("auto", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def claim_gpu() -> None:
    """Make one of several CUDA devices visible to this process, one that no other process of a sweep has claimed.

    The claim ends with the process. If all devices are claimed, one is chosen by the process number.
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
