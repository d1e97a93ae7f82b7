"""The grid of a multirun: every combination of the swept values, each job in a folder that it finds again."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from dlcourse.errors import UserError
from dlcourse.runs.folders import drop_empty
from dlcourse.sweeps.jobs import names_job, place, read_jobs


def run_grid(sweeper: BasicSweeper, arguments: list[str], groups: Sequence[str]) -> None:
    """Run the jobs of a grid that have not ended.

    Args:
        sweeper: of Hydra, set up.
        arguments: the words of the command line.
        groups: swept choices of config groups, which the command line has the first of.

    Raises:
        UserError: the command asks for no jobs, for the same job twice, or for a folder that is not its own.
    """
    config, launcher = sweeper.config, sweeper.launcher
    assert config is not None
    assert launcher is not None
    folder = Path(config.hydra.sweep.dir)
    try:
        left = _planned(sweeper, arguments, groups, folder, bool(config.get("resume")))
    except (UserError, HydraException, OmegaConfBaseException):
        drop_empty(folder)  # one of this moment was made already
        raise
    quoted = str(folder).replace("'", r"\'")
    batch = [[*job, f"hydra.sweep.dir='{quoted}'", f"hydra.sweep.subdir={name}"] for name, job in left.items()]
    size = sweeper.max_batch_size or len(batch)
    try:
        for start in range(0, len(batch), max(size, 1)):
            launcher.launch(batch[start : start + size], initial_job_idx=start)
    except KeyboardInterrupt:
        print(f"go on with: {_command(config, arguments, folder)}", file=sys.stderr)
        raise
    except Exception as error:  # of the launcher itself: a worker was killed, a queue refused; jobs' own are kept
        print(f"the launcher stopped: {' '.join(f'{type(error).__name__}: {error}'.split())}", file=sys.stderr)


def _planned(
    sweeper: BasicSweeper, arguments: list[str], groups: Sequence[str], folder: Path, resume: bool
) -> dict[str, list[str]]:
    """The jobs that have not ended, by the name of their folder; the plan is written."""
    assert sweeper.hydra_context is not None
    loader = sweeper.hydra_context.config_loader
    params = [f"{key}={value}" for key, value in sweeper.params.items()]
    parsed = OverridesParser.create(config_loader=loader).parse_overrides([*params, *arguments, *groups])
    check(parsed)
    jobs = [job for batch in sweeper.split_arguments(parsed, None) for job in batch]
    if resume and not any(names_job(key_of(override)) for override in parsed):
        stored = read_jobs(folder)
        if not stored:
            raise UserError(f"{folder} holds no sweep to go on with, and the command says nothing else to do")
        jobs = [[*(word for word in job if names_job(_key(word))), *arguments] for job in stored.values()]
    sweeper.validate_batch_is_legal(distinct(jobs, loader))
    left = place(folder, jobs, resume)
    if len(left) < len(jobs):
        print(f"{len(jobs) - len(left)} of {len(jobs)} jobs of {folder} have ended already", flush=True)
    return left


def _command(config: DictConfig, arguments: Sequence[str], folder: Path) -> str:
    """The command that goes on with a sweep."""
    words = [*config.hydra.overrides.hydra, *arguments, *config.hydra.sweeper.get("groups", ())]
    words = [w for w in words if _key(w) not in UNSAID]
    where = f"name={folder.name}" if folder.parent == Path("outputs/sweeps") else f"hydra.sweep.dir={folder}"
    return shlex.join(["python", "-m", f"dlcourse.{config.hydra.job.config_name}", "-m", *words, where, "resume=true"])


UNSAID = ("name", "resume", "hydra.mode", "hydra.sweep.dir", "hydra.sweeper.groups")


def key_of(override: Override) -> str:
    """The key that an override sets."""
    return override.get_key_element().lstrip("+~")


def _key(word: str) -> str:
    return word.partition("=")[0]


def check(overrides: Sequence[Override]) -> None:
    """Refuse what makes no grid.

    Raises:
        UserError: an empty range or value, or several values for what a sweep has one of.
    """
    for override in overrides:
        key, words = key_of(override), override.input_line
        if override.is_sweep_override() and not names_job(key):
            raise UserError(f"{words}: a sweep has one {key}, it cannot be swept")
        if override.is_discrete_sweep() and not list(override.sweep_string_iterator()):
            raise UserError(f"{words} is an empty range, so there is no job to run: give it a value")
        if not override.is_delete() and override.value() == "":
            raise UserError(f"{words} has no value, so there is no job to run: give one, or leave {key} out")


def distinct(jobs: Sequence[Sequence[str]], loader: Any) -> list[list[str]]:
    """One job for each combination of choices; other values cannot make a config that does not compose."""
    groups = set(loader.list_groups(""))
    found: dict[tuple[str, ...], list[str]] = {}
    for job in jobs:
        told = (word if _key(word).split("/")[0] in groups and "." not in _key(word) else _key(word) for word in job)
        found.setdefault(tuple(told), list(job))
    return list(found.values())
