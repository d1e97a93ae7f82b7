"""The grid of a multirun: every combination of the swept values, each job in a folder that it finds again."""

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

from dlcourse.config import check_keys, config_dir_flags, shell_command
from dlcourse.config.paths import quote_path
from dlcourse.errors import UserError
from dlcourse.runs.folders import drop_empty
from dlcourse.runs.provenance import config_dir
from dlcourse.runs.table import counted
from dlcourse.sweeps.jobs import assign_folders, names_job, read_jobs, status


def run_grid(sweeper: BasicSweeper, arguments: list[str], groups: Sequence[str]) -> None:
    """Run the jobs of a grid that have not ended.

    Args:
        sweeper: of Hydra, set up.
        arguments: the words of the command line.
        groups: all swept choices of config groups; `arguments` has only the first of each.

    Raises:
        UserError: the command asks for no jobs, the same job twice, or a folder of another sweep.
    """
    config, launcher = sweeper.config, sweeper.launcher
    assert config is not None
    assert launcher is not None
    folder = Path(config.hydra.sweep.dir)
    try:
        left = _planned(sweeper, arguments, groups, folder, bool(config.get("resume")))
    except (UserError, HydraException, OmegaConfBaseException):
        drop_empty(folder)  # it was created when its name was chosen
        raise
    there = f"hydra.sweep.dir={quote_path(str(folder))}"
    batch = [[*job, there, f"hydra.sweep.subdir={name}"] for name, job in left.items()]
    size, stopped = sweeper.max_batch_size or len(batch), False
    try:
        for start in range(0, len(batch), max(size, 1)):
            launcher.launch(batch[start : start + size], initial_job_idx=start)
    except KeyboardInterrupt:
        if "resume" in config:
            print(f"continue with: {_command(config, arguments, folder)}", file=sys.stderr)
        raise
    except (
        Exception
    ) as error:  # of the launcher itself, for example a killed worker; errors of jobs are recorded elsewhere
        print(f"the launcher stopped: {' '.join(f'{type(error).__name__}: {error}'.split())}", file=sys.stderr)
        stopped = True
    lost = [name for name in left if status(folder / name) == "failed"]  # as recorded, in whichever process
    if (lost or stopped) and not config.hydra.callbacks:  # otherwise a summary says it after its table
        sys.exit(f"{counted(len(lost), 'job')} failed: {', '.join(lost)}" if lost else 1)


def _planned(
    sweeper: BasicSweeper, arguments: list[str], groups: Sequence[str], folder: Path, resume: bool
) -> dict[str, list[str]]:
    """Write the plan, and return the jobs that have not ended by the name of their folder."""
    assert sweeper.hydra_context is not None
    loader = sweeper.hydra_context.config_loader
    params = [f"{key}={value}" for key, value in sweeper.params.items()]
    parsed = OverridesParser.create(config_loader=loader).parse_overrides([*params, *arguments, *groups])
    check(parsed)
    jobs = [job for batch in sweeper.split_arguments(parsed, None) for job in batch]
    if resume and not any(names_job(key_of(override)) for override in parsed):
        stored = read_jobs(folder)
        if not stored:
            raise UserError(
                f"{folder} does not contain a sweep to continue: add values to sweep over, or check the name"
            )
        jobs = [[*(word for word in job if names_job(_key(word))), *arguments] for job in stored.values()]
    assert sweeper.config is not None
    for job in one_per_choice(jobs, loader):
        check_keys(loader.load_sweep_config(sweeper.config, job), sweeper.config.hydra.job.config_name, job)
    left = assign_folders(folder, jobs, resume)
    if len(left) < len(jobs):
        print(f"{len(jobs) - len(left)} of {len(jobs)} jobs of {folder} are already finished", flush=True)
    return left


def _command(config: DictConfig, arguments: Sequence[str], folder: Path) -> str:
    """The command that continues a sweep."""
    words = [*config.hydra.overrides.hydra, *arguments, *config.hydra.sweeper.get("groups", ())]
    words = [w for w in words if _key(w) not in OMITTED_KEYS]
    flags = config_dir_flags(config_dir(config.hydra))
    command = ["python", "-m", f"dlcourse.{config.hydra.job.config_name}", *flags, "-m"]
    return shell_command([*command, *words, folder_word(folder), "resume=true"])


def folder_word(folder: Path) -> str:
    """The word of a command that names the folder of a sweep: `name=NAME`, or `hydra.sweep.dir=DIR`."""
    return f"name={folder.name}" if folder.parent == Path("outputs/sweeps") else f"hydra.sweep.dir={folder}"


OMITTED_KEYS = ("name", "resume", "hydra.mode", "hydra.sweep.dir", "hydra.sweeper.groups")


def key_of(override: Override) -> str:
    """The key of an override."""
    return override.get_key_element().lstrip("+~")


def _key(word: str) -> str:
    return word.partition("=")[0]


def check(overrides: Sequence[Override]) -> None:
    """Refuse overrides that do not make a grid.

    Raises:
        UserError: a range or value is empty, or a key that must have one value has several.
    """
    for override in overrides:
        key, words = key_of(override), override.input_line
        if override.is_sweep_override() and not names_job(key):
            raise UserError(f"{words}: {key} cannot be swept: pass one value")
        if override.is_discrete_sweep() and not list(override.sweep_string_iterator()):
            raise UserError(f"{words} is an empty range: pass at least one value")
        if not override.is_delete() and override.value() == "":
            raise UserError(f"{words} has an empty value: pass one, or leave {key} out")


def one_per_choice(jobs: Sequence[Sequence[str]], loader: Any) -> list[list[str]]:
    """One job for each combination of config choices; other values do not change whether a config composes."""
    groups = set(loader.list_groups(""))
    found: dict[tuple[str, ...], list[str]] = {}
    for job in jobs:
        chosen = (word if _key(word).split("/")[0] in groups and "." not in _key(word) else _key(word) for word in job)
        found.setdefault(tuple(chosen), list(job))
    return list(found.values())
