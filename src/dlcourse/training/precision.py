"""`trainer.precision=auto`: the faster of float32 and bfloat16 autocast, measured on the net itself."""

import copy
import logging
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from dlcourse.errors import UserError

log = logging.getLogger(__name__)

AGREED = "precision.txt"  # in the folder of a sweep
CHOICES = ("32-true", "bf16-mixed")
BUDGET, STEPS, ROWS = 0.7, 3, 32  # seconds and steps per precision, and samples of the batch


class PlainOptimizers(Callback):
    """Switches off fused optimizer steps, which exclude gradient clipping in mixed precision.

    A fused step can unscale the gradients itself, after they would have been clipped, so Lightning refuses both
    together; the plain step computes the same.
    """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Change the optimizers after their state has been restored."""
        if "mixed" not in trainer.precision:
            return
        for optimizer in trainer.optimizers:
            optimizer._step_supports_amp_scaling = False  # ty: ignore[missing-attribute]
            for group in optimizer.param_groups:
                if group.get("fused"):
                    group["fused"] = False


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device may be faster in bfloat16: a CUDA GPU, or a CPU with bfloat16 instructions.

    A CPU without them emulates bfloat16, which takes three to five times as long as float32.
    """
    if device.type != "cpu":
        return device.type == "cuda"
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return True  # not known for other architectures, so the measurement decides
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def choose_precision(model: LightningModule, batch: tuple[Tensor, Tensor], device: torch.device) -> str:
    """`32-true` or `bf16-mixed`, whichever trains faster; measured on a copy of the model.

    Random states do not change.

    Args:
        model: as it will be trained, with a method `training_loss(inputs, labels)`.
        batch: images and labels; only a few samples of it are used.
        device: of the training. MPS, a CPU without bfloat16 and a model without gradients use float32.
    """
    if not has_bfloat16(device) or not any(p.requires_grad for p in model.parameters()):
        return "32-true"
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        trial: Any = copy.deepcopy(model).to(device).train()
        images, labels = (part[:ROWS].to(device) for part in batch)

        def step() -> None:
            trial.training_loss(images, labels).backward()
            trial.zero_grad()
            if device.type == "cuda":
                torch.cuda.synchronize(device)

        plain = _seconds(step)
        with torch.autocast(device.type, torch.bfloat16):
            half = _seconds(step)
    choice = "bf16-mixed" if half < plain else "32-true"
    log.info("precision: %s (a step of %d: float32 %.3g s, bf16 %.3g s)", choice, len(images), plain, half)
    return choice


def agreed_precision(sweep: Path | None, choose: Callable[[], str]) -> str:
    """The precision of a run, in a sweep the same for all jobs: the choice of the job that was first to make one.

    A measurement can favour another precision in each job, and the mean over such jobs would mix them.

    Args:
        sweep: folder of the sweep, which keeps the choice in precision.txt; None for a run of its own.
        choose: measures, and returns `32-true` or `bf16-mixed`.
    """
    if sweep is None:
        return choose()
    path = sweep / AGREED
    if not path.exists():
        choice = choose()
        part = path.with_name(f".{AGREED}.{platform.node()}.{os.getpid()}")
        part.write_text(choice, "utf8")
        try:
            os.link(part, path)  # of two jobs that measure side by side, the first one decides
        except FileExistsError:
            pass
        except OSError:  # a disk without hard links
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    agreed = path.read_text("utf8").strip()
    if agreed not in CHOICES:
        raise UserError(f"{path} contains {agreed!r}: write {' or '.join(CHOICES)} into it, or remove it")
    log.info("precision: %s, as in all jobs of %s", agreed, sweep)
    return agreed


def _seconds(step: Callable[[], None]) -> float:
    """Seconds of the fastest step after a warm-up step, within the time budget."""
    start = time.perf_counter()
    step()
    taken = [time.perf_counter() - start] if time.perf_counter() - start > BUDGET else []
    for _ in range(STEPS):
        if taken and time.perf_counter() - start > BUDGET:
            break
        begun = time.perf_counter()
        step()
        taken.append(time.perf_counter() - begun)
    return min(taken)
