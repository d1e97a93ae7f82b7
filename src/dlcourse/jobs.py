"""The jobs of a sweep: each is known by its overrides, and finds its folder by them when the sweep goes on."""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from dlcourse.config import nearest, read_stored
from dlcourse.errors import UserError
from dlcourse.results import CONFIG, RESULT, read_result, write_text

PLAN = "sweep.json"  # {"schema": 1, "jobs": {"0": ["model=xor", "seed=0"], ...}}, written before the first job starts
# Overrides that say nothing of what a job computes.
OWN_KEYS = frozenset({"name", "resume", "plots", "sweep_margin"})
ENDED = ("completed", "pruned")  # what is not run again


def identity(overrides: Sequence[str]) -> frozenset[tuple[str, str]]:
    """What makes two jobs the same: the overrides in any order, `1e-3` and `0.001` alike."""
    return frozenset(pair for pair in split_overrides(overrides).items() if pair[0] not in OWN_KEYS)


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
        return list(OmegaConf.select(read_stored(job / CONFIG), "begun.overrides") or [])
    return list((result or {}).get("overrides", []))


def job_result(job: Path) -> dict[str, Any] | None:
    """A job's result.json; None where there is none yet, or none that can be read."""
    try:
        return read_result(job)
    except UserError:
        return None


def status(job: Path) -> str:
    """completed, failed, interrupted or pruned as its result says; `unfinished` where it began, `not run` if not."""
    result = job_result(job)
    if result is not None:
        return str(result["status"])
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


def first_of_groups(arguments: Sequence[str], groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Let a sweep over a group's choices be composed with the first one, and tell the sweeper of all of them.

    Hydra composes a sweep's own config without what is swept, so that `model=xor,mlp model.optimizer.lr=1` would have
    no model to set the rate of.
    """
    swept = [
        word
        for word in arguments
        if word.partition("=")[0] in groups and "," in word and not re.search(r"[\[({'\"]", word)
    ]
    words = [word.partition(",")[0] if word in swept else word for word in arguments]
    listed = ",".join(f"'{word}'" for word in swept)
    return [*words, f"hydra.sweeper.groups=[{listed}]"] if swept else words


def expand_patterns(arguments: Sequence[str], groups: Mapping[str, Sequence[str]], swept: bool) -> list[str]:
    """Replace patterns for choices of a group by what they match: `experiment=mnist/*`, `experiment=glob(mnist/*)`.

    Hydra's own glob finds nothing in a group's folders, and says nothing.

    Args:
        arguments: of the command line.
        groups: the choices of each group.
        swept: whether a sweep was asked for, since several values need one.

    Raises:
        UserError: a pattern matches nothing, or it matches several choices and this is no sweep.
    """
    found = []
    for word in arguments:
        key, _, value = word.partition("=")
        pattern = key in groups and (value.startswith("glob(") or any(sign in value for sign in "*?"))
        found.append(_expanded(word, key, groups[key], swept) if pattern else word)
    return found


def _expanded(word: str, key: str, choices: Sequence[str], swept: bool) -> str:
    from fnmatch import fnmatchcase

    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import ChoiceSweep, Glob

    value: Any = OverridesParser.create().parse_override(word).value()
    excluded = value.exclude if isinstance(value, Glob) else []
    included = value.include if isinstance(value, Glob) else value.list if isinstance(value, ChoiceSweep) else [value]
    found: list[str] = []
    for pattern in included:
        if not isinstance(pattern, str) or not any(sign in pattern for sign in "*?"):
            found.append(str(pattern))
            continue
        matched = [name for name in choices if fnmatchcase(name, pattern)]
        matched = [name for name in matched if not any(fnmatchcase(name, other) for other in excluded)]
        if not matched:
            raise UserError(f"{key}={pattern} matches nothing{nearest(pattern.replace('*', ''), choices)}")
        print(f"{key}={pattern} matches {', '.join(matched)}", flush=True)
        found += matched
    found = list(dict.fromkeys(found))
    if len(found) > 1 and not swept:
        raise UserError(f"{word} stands for {len(found)} choices: add -m to run them all, or take one")
    return f"{key}={','.join(found)}"
