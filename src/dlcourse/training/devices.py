"""The device of a run, and how parallel jobs share several GPUs."""

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from lightning.pytorch import Trainer
from omegaconf import DictConfig

from dlcourse.errors import UserError

_claims: list[FileLock] = []  # of this process

LEADER = "DLCOURSE_DDP_LEADER"  # the process number of the first process of ddp, for the processes that it starts
INHERITED = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def check_accelerator(settings: DictConfig) -> None:
    """Refuse CUDA if torch does not find a CUDA device.

    Raises:
        UserError: with the remedy.
    """
    if settings.accelerator in ("cuda", "gpu") and not torch.cuda.is_available():
        raise UserError("CUDA device not found: use trainer=auto or trainer=cpu")


def process_rank() -> int:
    """The rank of this process under ddp; 0 for a single process.

    Only the processes that a run starts itself have a rank. Variables that a shell, srun or torchrun has set do not
    count, because independent runs inherit them too.
    """
    return int(os.environ.get("LOCAL_RANK", 0)) if os.environ.get(LEADER) == str(os.getppid()) else 0


def is_distributed(settings: DictConfig) -> bool:
    """Whether a Trainer with these settings may start several processes."""
    return settings.get("devices", 1) not in (1, "1") or settings.get("strategy", "auto") != "auto"


def check_launcher(settings: DictConfig) -> None:
    """Refuse ddp if another launcher has started this process several times.

    Raises:
        UserError: with the remedy.
    """
    if not is_distributed(settings) or process_rank():
        return
    for launcher, started in (
        ("torchrun", "TORCHELASTIC_RUN_ID" in os.environ),
        ("srun with several tasks", os.environ.get("SLURM_PROCID", "0") != "0"),
    ):
        if started:
            raise UserError(
                f"trainer=ddp does not support {launcher}: start python -m dlcourse.train once, it starts one process "
                "per device itself"
            )


@contextmanager
def ddp_environment(settings: DictConfig) -> Generator[None]:
    """Let the processes that Lightning starts in the block know this one; inherited ranks are hidden from Lightning."""
    if process_rank() or not is_distributed(settings):
        yield
        return
    before = {name: os.environ.pop(name, None) for name in (*INHERITED, LEADER)}
    os.environ[LEADER] = str(os.getpid())
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


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
        lock = FileLock(Path(tempfile.gettempdir()) / f"dlcourse-gpu-{name}.lock", mode=0o666)  # other users, too
        with suppress(Timeout, OSError):
            lock.acquire(timeout=0)
            _claims.append(lock)
            os.environ["CUDA_VISIBLE_DEVICES"] = name
            return
    os.environ["CUDA_VISIBLE_DEVICES"] = visible[os.getpid() % len(visible)]


def device_name(trainer: Trainer) -> str:
    """`cpu`, `mps` or the name of the CUDA device."""
    device = trainer.strategy.root_device
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
