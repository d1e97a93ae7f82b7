"""`trainer.precision: auto`: the faster of float32 and bfloat16 autocast, measured on the net itself."""

import copy
import logging
import time
from collections.abc import Callable

import torch

from dlcourse.data.batches import Batch
from dlcourse.models.family import Family

log = logging.getLogger(__name__)

BUDGET, STEPS, ROWS = 0.7, 3, 32  # seconds and steps for each precision, and rows of the batch


def choose_precision(model: Family, batch: Batch, device: torch.device) -> str:
    """`32-true` or `bf16-mixed`, whichever takes training steps faster; measured on a copy, no random state touched.

    Args:
        model: as it will be trained.
        batch: pictures and labels; a few rows of it are used.
        device: where training will run. MPS stays with float32, and so does a model without gradients.
    """
    if device.type not in ("cpu", "cuda") or not any(p.requires_grad for p in model.parameters()):
        return "32-true"
    if model.precision is not None:
        return model.precision
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        trial = copy.deepcopy(model).to(device).train()
        pictures, labels = (part[:ROWS].to(device) for part in batch)

        def step() -> None:
            trial.training_loss(pictures, labels).backward()
            trial.zero_grad()
            if device.type == "cuda":
                torch.cuda.synchronize(device)

        plain = _seconds(step)
        with torch.autocast(device.type, torch.bfloat16):
            half = _seconds(step)
    choice = "bf16-mixed" if half < plain else "32-true"
    log.info("precision: %s (a step of %d: float32 %.3g s, bf16 %.3g s)", choice, len(pictures), plain, half)
    return choice


def _seconds(step: Callable[[], None]) -> float:
    """Seconds of the fastest step after a first one that warms up, within the budget."""
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
