"""The jobs of a sweep: a job is identified by its overrides, and keeps its folder when the sweep continues."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from omegaconf import OmegaConf

from dlcourse.errors import UserError
from dlcourse.runs.files import write_text
from dlcourse.runs.keys import APPEARANCE, RECORD, kind
from dlcourse.runs.result import CONFIG, RESULT, Result, read_result
from dlcourse.runs.stored_config import read_stored

PLAN = "sweep.json"  # {"schema": 1, "jobs": {"0": ["model=xor", "seed=0"], ...}}, written before the first job starts
ENDED = ("completed", "pruned")  # statuses of jobs that do not run again


def names_job(key: str) -> bool:
    """Whether an override is part of a job's identity."""
    return kind(key) not in (RECORD, APPEARANCE)


def identity(overrides: Sequence[str]) -> frozenset[tuple[str, str]]:
    """A job's identity: its overrides in any order, with `1e-3` and `0.001` equal."""
    return frozenset(pair for pair in split_overrides(overrides).items() if names_job(pair[0]))


def split_overrides(overrides: Sequence[str]) -> dict[str, str]:
    """`key=value` words as a mapping, with numbers in one notation."""
    return {key.lstrip("+"): _plain(value) for key, _, value in (word.partition("=") for word in overrides)}


def _plain(value: str) -> str:
    try:
        return repr(float(value)).removesuffix(".0")
    except ValueError:
        return value.strip("'\"")


def folder_order(name: str) -> tuple[int, str]:
    """Sort key of job folders: 2 before 10."""
    return len(name), name


def read_jobs(folder: Path) -> dict[str, list[str]]:
    """The overrides of each job by the name of its folder, in numeric order.

    They are read from the plan; if a sweep does not have one, from the results and configs of the jobs.
    """
    found: dict[str, list[str]] = {}
    with suppress(FileNotFoundError):
        try:
            found = json.loads((folder / PLAN).read_text("utf8"))["jobs"]
            if not isinstance(found, dict):
                raise TypeError
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{folder / PLAN} cannot be read: move it away; the job folders are enough") from None
    for job in {path.parent for name in (RESULT, CONFIG) for path in folder.glob(f"*/{name}")}:
        if job.name not in found:
            found[job.name] = _recorded(job)
    return {name: found[name] for name in sorted(found, key=folder_order)}


def _recorded(job: Path) -> list[str]:
    """The overrides that the job's own folder records."""
    result = job_result(job)
    if result is None and (job / CONFIG).exists():
        return list(OmegaConf.select(read_stored(job / CONFIG, builds=False), "begun.overrides") or [])
    return result.overrides if result is not None else []


def job_result(job: Path) -> Result | None:
    """A job's result; None where it does not exist or cannot be read."""
    try:
        return read_result(job)
    except UserError:
        return None


def status(job: Path) -> str:
    """The status from its result, `unfinished` where a job started without a result, else `not run`."""
    result = job_result(job)
    if result is not None:
        return result.status
    return "unfinished" if (job / CONFIG).exists() else "not run"


def assign_folders(folder: Path, jobs: Sequence[Sequence[str]], resume: bool) -> dict[str, list[str]]:
    """Assign a folder name to each job, its own or the next number, and write the plan.

    Args:
        folder: of the sweep.
        jobs: the overrides of each.
        resume: whether the folder may hold some of them.

    Returns:
        The jobs that have not ended, by folder name, in the order given.

    Raises:
        UserError: two jobs are the same, or the folder contains something else.
    """
    asked: dict[frozenset[tuple[str, str]], list[str]] = {}
    for job in jobs:
        if identity(job) in asked:
            raise UserError(f"the sweep contains the same job twice ({' '.join(job)}): pass each value once")
        asked[identity(job)] = list(job)
    check_folder(folder, resume)
    known = read_jobs(folder)
    names = {identity(overrides): name for name, overrides in known.items()}
    if known and not names.keys() & asked.keys():
        raise UserError(_other_sweep(folder, next(iter(known.values())), jobs[0]))
    number = max((int(name) for name in known if name.isdigit()), default=-1)
    placed = {}
    for key, job in asked.items():
        if key not in names:
            number += 1
        placed[names.get(key, str(number))] = job
    plan = json.dumps({"schema": 1, "jobs": known | placed}, indent=1, ensure_ascii=False) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    if not known:
        try:
            (folder / PLAN).touch(exist_ok=False)  # of two sweeps that start together, one gets the folder
        except FileExistsError:
            raise UserError(_taken(folder)) from None
    write_text(folder / PLAN, plan)
    return {name: job for name, job in placed.items() if status(folder / name) not in ENDED}


def check_folder(folder: Path, resume: bool) -> None:
    """Refuse a folder with other files, and one with a sweep unless it is resumed.

    Raises:
        UserError: the folder cannot be used.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / PLAN).exists() and not any(any(folder.glob(f"*/{name}")) for name in (RESULT, CONFIG)):
        raise UserError(f"{folder} is not a sweep folder and contains other files: choose another name=NAME")
    if not resume:
        raise UserError(_taken(folder))


def _taken(folder: Path) -> str:
    return f"{folder} already contains a sweep: continue it with resume=true, or choose another name=NAME"


def _other_sweep(folder: Path, known: Sequence[str], asked: Sequence[str]) -> str:
    """The message for a command whose jobs are all missing in the sweep that it resumes."""
    old, new = dict(identity(known)), dict(identity(asked))
    other = sorted(key for key in old | new if old.get(key) != new.get(key))
    changed = [f"{key}={new[key]}" if key in new else f"{key} unset" for key in other]
    return (
        f"{folder} contains another sweep: none of its jobs has {' '.join(changed)}: "
        "continue it with its own command, or choose another name=NAME"
    )
