"""The jobs of a sweep: each is known by its overrides, and finds its folder by them when the sweep goes on."""

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
ENDED = ("completed", "pruned")  # what is not run again


def names_job(key: str) -> bool:
    """Whether an override is part of what makes a job of a sweep this job."""
    return kind(key) not in (RECORD, APPEARANCE)


def identity(overrides: Sequence[str]) -> frozenset[tuple[str, str]]:
    """What makes two jobs the same: the overrides in any order, `1e-3` and `0.001` alike."""
    return frozenset(pair for pair in split_overrides(overrides).items() if names_job(pair[0]))


def split_overrides(overrides: Sequence[str]) -> dict[str, str]:
    """`key=value` words as a mapping, numbers in one spelling."""
    return {key.lstrip("+"): _plain(value) for key, _, value in (word.partition("=") for word in overrides)}


def _plain(value: str) -> str:
    try:
        return repr(float(value)).removesuffix(".0")
    except ValueError:
        return value.strip("'\"")


def folder_order(name: str) -> tuple[int, str]:
    """For sorting the jobs' folders: 2 before 10."""
    return len(name), name


def read_jobs(folder: Path) -> dict[str, list[str]]:
    """Folder name and overrides of each job of a sweep, in the order of their numbers.

    They are in the plan; of a sweep without one, what the jobs' results and configs say.
    """
    found: dict[str, list[str]] = {}
    with suppress(FileNotFoundError):
        try:
            found = json.loads((folder / PLAN).read_text("utf8"))["jobs"]
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{folder / PLAN} cannot be read: delete it, the jobs' folders are enough") from None
    for job in {path.parent for name in (RESULT, CONFIG) for path in folder.glob(f"*/{name}")}:
        if job.name not in found:
            found[job.name] = _recorded(job)
    return {name: found[name] for name in sorted(found, key=folder_order)}


def _recorded(job: Path) -> list[str]:
    """The overrides that a job's folder records itself."""
    result = job_result(job)
    if result is None and (job / CONFIG).exists():
        return list(OmegaConf.select(read_stored(job / CONFIG, builds=False), "begun.overrides") or [])
    return result.overrides if result is not None else []


def job_result(job: Path) -> Result | None:
    """A job's result.json; None where there is none yet, or none that can be read."""
    try:
        return read_result(job)
    except UserError:
        return None


def status(job: Path) -> str:
    """completed, failed, interrupted or pruned as its result says; `unfinished` where it began, `not run` if not."""
    result = job_result(job)
    if result is not None:
        return result.status
    return "unfinished" if (job / CONFIG).exists() else "not run"


def place(folder: Path, jobs: Sequence[Sequence[str]], resume: bool) -> dict[str, list[str]]:
    """Give each job its folder's name, the one that it has already or the next number, and write the plan.

    Args:
        folder: of the sweep.
        jobs: the overrides of each.
        resume: whether the folder may hold some of them.

    Returns:
        The jobs that have not ended, by folder name, in the order given.

    Raises:
        UserError: two jobs are the same, or the folder holds something else.
    """
    asked: dict[frozenset[tuple[str, str]], list[str]] = {}
    for job in jobs:
        if identity(job) in asked:
            raise UserError(f"two jobs of the sweep are the same ({' '.join(job)}): give each value once")
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
            (folder / PLAN).touch(exist_ok=False)  # of two sweeps that begin at once, one gets the folder
        except FileExistsError:
            raise UserError(_taken(folder)) from None
    write_text(folder / PLAN, plan)
    return {name: job for name, job in placed.items() if status(folder / name) not in ENDED}


def check_folder(folder: Path, resume: bool) -> None:
    """Refuse a folder that holds a sweep, unless it is resumed, or something that is no sweep.

    Raises:
        UserError: in one sentence.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / PLAN).exists() and not any(any(folder.glob(f"*/{name}")) for name in (RESULT, CONFIG)):
        raise UserError(f"{folder} is no sweep but holds other files: choose another name=NAME")
    if not resume:
        raise UserError(_taken(folder))


def _taken(folder: Path) -> str:
    return f"{folder} holds a sweep already: go on with it by resume=true, or choose another name=NAME"


def _other_sweep(folder: Path, known: Sequence[str], asked: Sequence[str]) -> str:
    """The sentence for a command none of whose jobs is in the folder that it resumes."""
    old, new = dict(identity(known)), dict(identity(asked))
    other = sorted(key for key in old | new if old.get(key) != new.get(key))
    changed = [f"{key}={new[key]}" if key in new else f"no {key}" for key in other]
    return (
        f"{folder} holds another sweep, none of its jobs has {' '.join(changed)}: "
        "go on with its own command, or choose another name=NAME"
    )
