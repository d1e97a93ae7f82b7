"""How many threads a run computes with: never more than there are cores for, and a note where the user's choice is."""

import logging
import math
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import torch

from dlcourse.errors import UserError

log = logging.getLogger(__name__)

CGROUPS = Path("/sys/fs/cgroup")


def usable_cores(cgroups: Path = CGROUPS) -> int:
    """Cores that this process may use: those of the machine, of its affinity and of its container's quota.

    A container may be given two cores' time on a machine of 64; torch sees the 64.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:  # the second version of control groups, then the first
        if (file := cgroups / "cpu.max").exists():
            quota, period = file.read_text().split()
        else:
            quota, period = ((cgroups / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        if quota.strip() != "max" and int(quota) > 0:
            count = min(count, math.ceil(int(quota) / int(period)))
    except (OSError, ValueError):  # none, or none that is known
        pass
    return max(1, count)


def asked_threads(count: int | None) -> int | None:
    """What the user asked for: `threads`, else OMP_NUM_THREADS; None where neither says anything."""
    if count is not None:
        return count
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(first) if first.isdigit() and int(first) else None


def advice(threads: int, cores: int, jobs: int = 1) -> str | None:
    """A sentence where so many threads, of each of so many jobs at a time, are more than there are cores for."""
    if threads * jobs <= cores:
        return None
    where = "1 core" if cores == 1 else f"{cores} cores"
    each = f"{threads} threads" if jobs == 1 else f"up to {jobs} jobs at a time with {threads} threads each"
    best = max(1, cores // jobs)
    return f"{each} on {where} wait for each other, which may take many times as long: take threads={best}"


def resolve_threads(count: int | None) -> int | None:
    """The threads of a run, None to leave torch as it is; says so where the user asked for too many.

    Args:
        count: `threads` of the config.
    """
    import torch

    cores = usable_cores()
    asked = asked_threads(count)
    if asked is None:
        return cores if torch.get_num_threads() > cores else None
    if isinstance(asked, int) and (said := advice(asked, cores)):
        log.warning(said)
    return count


def check_side_by_side(jobs: int, count: int | None) -> None:
    """Say where jobs of a sweep that run at the same time would take more threads than there are cores.

    Without `threads` and OMP_NUM_THREADS each has its share of the cores already.

    Args:
        jobs: at a time; below zero as joblib counts, -1: as many as cores.
        count: `threads` of the config.
    """
    cores = usable_cores()
    at_once = jobs if jobs > 0 else max(1, cores + 1 + jobs)
    asked = asked_threads(count)
    if isinstance(asked, int) and at_once > 1 and (said := advice(asked, cores, at_once)):
        log.warning(said)


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
