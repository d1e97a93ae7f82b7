"""How many threads a run computes with: never more than there are cores for, and a note where the user's choice is."""

import logging
import os
from collections.abc import Generator
from contextlib import contextmanager

from dlcourse.errors import UserError

log = logging.getLogger(__name__)


def usable_cores() -> int:
    """Cores that this process may use: those of the machine, of its affinity and of its container's quota.

    A container may have two cores' time on a machine of 64; torch sees the 64.
    """
    from joblib import cpu_count

    return cpu_count()


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
    import torch  # late, as sweeps count cores without it

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
