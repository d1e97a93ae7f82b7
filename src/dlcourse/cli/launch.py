"""Start a command: Hydra's set-up, prepared arguments, one sentence for each error, exit codes."""

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from omegaconf import DictConfig, OmegaConf

from dlcourse import config
from dlcourse.cli.arguments import FLAGS_THAT_RUN_NOTHING, prepare_arguments
from dlcourse.cli.explain import SHOWS_WHERE, explain
from dlcourse.cli.startup import shorten
from dlcourse.cli.streams import guard_streams, outlive_terminal
from dlcourse.config.paths import expand_home
from dlcourse.errors import Stopped
from dlcourse.runs.folders import drop_empty, unique_folder
from dlcourse.runs.result import record_failure
from dlcourse.runs.table import counted

_add_argument = argparse.ArgumentParser.add_argument


class _Help:
    """A help text that is an object, as one of hydra-core 1.3.8; argparse of Python 3.14 looks for `%` in it."""

    def __init__(self, text: object):
        self.text = text

    def __contains__(self, part: str) -> bool:
        return False

    def __repr__(self) -> str:
        return repr(self.text)


def _with_any_help(self: argparse.ArgumentParser, *names: str, **options: Any) -> argparse.Action:
    text = options.get("help")
    if text is not None and not isinstance(text, str):
        options["help"] = _Help(text)
    return _add_argument(self, *names, **options)


setattr(argparse.ArgumentParser, "add_argument", _with_any_help)  # noqa: B010  # as a type checker refuses =

_repository = ConfigLoaderImpl._parse_overrides_and_create_caching_repo


def _shared_repository(self: ConfigLoaderImpl, config_name: str | None, overrides: list[str]) -> Any:
    """As in Hydra, which copies all its sources for each list of choices: two thirds of the time of `--help`."""
    if config_name is not None or overrides:
        return _repository(self, config_name, overrides)
    if "_shared" not in vars(self):
        vars(self)["_shared"] = _repository(self, None, [])
    return vars(self)["_shared"]


setattr(ConfigLoaderImpl, "_parse_overrides_and_create_caching_repo", _shared_repository)  # noqa: B010


def launch(verb: str, task: Callable[[DictConfig], Any]) -> None:
    """Run one command: compose conf/<verb>.yaml with the command line and call `task` with it.

    An error prints one sentence and exits with 1, Ctrl-C exits with 130; HYDRA_FULL_ERROR=1 shows the traceback.
    """
    guard_streams()
    full_error = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ.pop("MPLBACKEND", None)  # a notebook's backend may not exist here; plots are written to files
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger().handlers[0].setLevel(logging.INFO)  # debug messages go to train.log only
    logging.getLogger("hydra.utils").setLevel(logging.CRITICAL)  # a name that cannot be imported: explained here
    failures: list[tuple[str | None, Exception]] = []
    words = sys.argv[1:]
    _made.clear()

    def job(cfg: DictConfig) -> Any:
        """Run one job and keep its error, so that Hydra neither prints it nor stops the sweep."""
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode

        guard_streams()  # those of a launcher's worker
        expand_home(cfg)
        hydra_cfg = HydraConfig.get()
        # Unresolved, since a folder may be named ${x}.
        folder = Path(OmegaConf.to_container(hydra_cfg.runtime, resolve=False)["output_dir"])  # ty: ignore
        number = folder.name if hydra_cfg.mode == RunMode.MULTIRUN else None
        if number is not None:
            print(f"\njob {number}: {' '.join(hydra_cfg.overrides.task)}", flush=True)
        try:
            with _environment_without("HYDRA_FULL_ERROR"):  # set for Hydra alone
                if cfg.get("model") is None and cfg.get("data") is None:  # otherwise the task does
                    config.check_keys(cfg, verb, hydra_cfg.overrides.task)
                result = task(cfg)
            if number is not None:
                drop_empty(folder)  # of an export, which writes elsewhere
            return result
        except Exception as error:
            if number is None or cfg.get("search") is None:  # a search tolerates failed trials
                failures.append((number, error))
            if number is not None:
                if full_error:
                    traceback.print_exc()
                sentence = explain(error, verb, words)
                print(f"job {number} failed: {sentence}", file=sys.stderr, flush=True)
                record_failure(folder, sentence.removesuffix(SHOWS_WHERE), list(hydra_cfg.overrides.task), verb)
            else:
                drop_empty(folder)

    for name, resolver in (
        ("unique", _unique_folder),
        ("sweep_folder", _sweep_folder),
        ("evaluations", _evaluations),
    ):
        resolver.cache_clear()
        OmegaConf.register_new_resolver(name, resolver, replace=True)
    try:
        sys.argv[1:] = prepare_arguments(verb, sys.argv[1:])
        if not FLAGS_THAT_RUN_NOTHING & set(sys.argv[1:]):  # for these torch is not imported
            shorten(sys.argv[1:])
        os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises errors instead of printing them
        with outlive_terminal():
            hydra.main(version_base="1.3", config_path=str(config.CONF), config_name=verb)(job)()
        if failures and failures[0][0] is None:
            raise failures[0][1]
    except Stopped as stop:
        sys.exit(128 + stop.signum)  # the run has printed how to resume it
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        if full_error:
            raise
        print(f"error: {explain(error, verb, words)}", file=sys.stderr)
        sys.exit(1)
    finally:
        for folder in _made:
            drop_empty(folder)
    if failures:
        print(
            f"{counted(len(failures), 'job')} failed: {', '.join(str(number) for number, _ in failures)}",
            file=sys.stderr,
        )
        sys.exit(1)


@contextmanager
def _environment_without(name: str) -> Generator[None]:
    """Remove an environment variable for the duration of the block."""
    value = os.environ.pop(name, None)
    try:
        yield
    finally:
        if value is not None:
            os.environ[name] = value


_made: list[Path] = []  # folders that this command created for its output


# Cached: Hydra resolves them several times, but a run takes one folder. Module-level: launchers pickle them.
@cache
def _unique_folder(parent: str, name: str) -> str:
    folder = unique_folder(parent, name)
    _made.append(Path(folder))
    return folder


@cache
def _evaluations(run: str | None) -> str:
    """The folder of a run's evaluations; for the built-in reader outputs/evaluations, not the package's folder."""
    return f"{run}/evaluations" if run is not None else "outputs/evaluations"


@cache
def _sweep_folder(name: str | None, stamp: str) -> str:
    """outputs/sweeps/NAME; without a name a new folder, named by time."""
    return f"outputs/sweeps/{name}" if name is not None else _unique_folder("outputs/sweeps", stamp)
