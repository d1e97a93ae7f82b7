"""The number of CPU threads of a run: by the size of its steps, at most the number of cores.

A warning is printed if the user asks for more.
"""

import logging
import os
from collections.abc import Generator
from contextlib import contextmanager

from dlcourse.errors import UserError

log = logging.getLogger(__name__)

AUTO = "auto"
SMALL_STEP = 1e9  # operations of a training step below which one thread computes it


def usable_cores() -> int:
    """The number of cores that this process may use, by the machine, its affinity and the quota of its container.

    A container may be limited to two cores on a machine with 64; torch sees all 64.
    """
    from joblib import cpu_count

    return cpu_count()


def asked_threads(count: int | str | None) -> int | None:
    """The number that the user asked for: `threads`, else OMP_NUM_THREADS, else None."""
    if isinstance(count, int):
        return count
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(first) if first.isdigit() and int(first) else None


def advice(threads: int, cores: int, jobs: int = 1) -> str | None:
    """A sentence if the threads of all parallel jobs are more than the cores, else None."""
    if threads * jobs <= cores:
        return None
    where = "1 core" if cores == 1 else f"{cores} cores"
    each = f"{threads} threads" if jobs == 1 else f"up to {jobs} parallel jobs with {threads} threads each"
    best = max(1, cores // jobs)
    return f"{each} on {where} slow each other down, often many times: use threads={best}"


def threads_for(work: float, ahead: bool = False) -> int:
    """The number of threads for training steps of a size: one for small ones, else all that torch may use.

    Threads wait for each other several times in each operation. On a busy machine, that takes longer than a small
    operation itself.

    Args:
        work: floating-point operations of a step, see `step_size.step_work`.
        ahead: another thread makes the next batch meanwhile; it gets a core for itself.
    """
    import torch

    return 1 if work < SMALL_STEP else max(1, torch.get_num_threads() - ahead)


def resolve_threads(count: int | str | None) -> int | str | None:
    """The number of threads to begin with, None for torch's default; a warning is printed if too many are asked for.

    Args:
        count: `threads` of the config: a number, or `auto` or None, which leave the choice to `threads_for`.
    """
    if isinstance(count, str) and count != AUTO:
        return count  # `torch_threads` refuses it
    import torch

    cores = usable_cores()
    asked = asked_threads(count)
    if asked is None:
        return cores if torch.get_num_threads() > cores else None
    if message := advice(asked, cores):
        log.warning(message)
    return None if count == AUTO else count


def check_side_by_side(jobs: int, count: int | str | None) -> None:
    """Print a warning if the parallel jobs of a sweep would use more threads than cores.

    Without `threads` and OMP_NUM_THREADS each job gets its share of the cores already.

    Args:
        jobs: number of parallel jobs; negative numbers as in joblib, -1: one per core.
        count: `threads` of the config.
    """
    cores = usable_cores()
    parallel = jobs if jobs > 0 else max(1, cores + 1 + jobs)
    asked = asked_threads(count)
    if asked is not None and parallel > 1 and (message := advice(asked, cores, parallel)):
        log.warning(message)


@contextmanager
def torch_threads(count: int | str | None) -> Generator[None]:
    """Set the number of CPU threads of torch within the block; None keeps it. The block may change it.

    Raises:
        UserError: it is not a positive integer.
    """
    if count is not None and (not isinstance(count, int) or count < 1):
        raise UserError(f"threads={count} is not a positive integer: use 1 or more, or auto")
    import torch  # late, as sweeps count cores without it

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
