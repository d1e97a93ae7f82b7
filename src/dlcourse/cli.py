"""What every command shares: Hydra's start-up, paths as a shell gives them, and one sentence for each mistake."""

import logging
import os
import re
import sys
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlcourse import config, results
from dlcourse.errors import Stopped, UserError
from dlcourse.jobs import expand_patterns, first_of_groups
from dlcourse.paths import PATH_LISTS, quote_path, quote_path_list

FLAGS_THAT_RUN_NOTHING = {
    "--help",
    "-h",
    "--hydra-help",
    "--version",
    "--cfg",
    "-c",
    "--info",
    "-i",
    "--shell-completion",
}
MORE_FLAGS = {"--run", "--multirun", "--resolve", "--package", "--config-path", "--config-name", "--config-dir"}
PATH_KEYS = {"run", "input", "output", "latents", "data.path", "data_dir", "model.init_from", "hydra.run.dir",
             "hydra.sweep.dir"}  # fmt: skip
# Launchers of Hydra and the packages that they come in.
PLUGINS = {
    "joblib": "hydra-joblib-launcher",
    "submitit_local": "hydra-submitit-launcher",
    "submitit_slurm": "hydra-submitit-launcher",
    "ray": "hydra-ray-launcher",
}
SHOWS_WHERE = " (HYDRA_FULL_ERROR=1 shows where)"


def launch(verb: str, task: Callable[[DictConfig], Any]) -> None:
    """Run one command: compose conf/<verb>.yaml with the command line and hand it to `task`.

    A mistake ends with one sentence and exit code 1, Ctrl-C with 130; HYDRA_FULL_ERROR=1 shows where it came from.
    """
    full_error = os.environ.get("HYDRA_FULL_ERROR") == "1"
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger().handlers[0].setLevel(logging.INFO)  # more than that goes into train.log alone
    failures: list[tuple[str | None, Exception]] = []

    def job(cfg: DictConfig) -> Any:
        """One job; what goes wrong is kept, so that Hydra neither prints it its way nor ends a sweep for it."""
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode

        hydra_cfg = HydraConfig.get()
        # Unresolved: a folder may be called ${x}.
        folder = Path(OmegaConf.to_container(hydra_cfg.runtime, resolve=False)["output_dir"])  # ty: ignore
        number = folder.name if hydra_cfg.mode == RunMode.MULTIRUN else None
        if number is not None:
            print(f"\njob {number}: {' '.join(hydra_cfg.overrides.task)}", flush=True)
        try:
            return task(cfg)
        except Exception as error:
            if number is None or cfg.get("search") is None:  # a search goes by what went well
                failures.append((number, error))
            if number is not None:
                if full_error:
                    traceback.print_exc()
                sentence = explain(error, verb)
                print(f"job {number} failed: {sentence}", file=sys.stderr, flush=True)
                results.record_failure(folder, sentence.removesuffix(SHOWS_WHERE), list(hydra_cfg.overrides.task))
            elif isinstance(error, UserError):
                results.drop_empty(folder)

    for name, resolver in (
        ("unique", _unique_folder),
        ("sweep_folder", _sweep_folder),
        ("evaluations", _evaluations),
    ):
        resolver.cache_clear()
        OmegaConf.register_new_resolver(name, resolver, replace=True)
    try:
        sys.argv[1:] = prepare_arguments(verb, sys.argv[1:])
        os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands errors on instead of printing them its own way
        hydra.main(version_base="1.3", config_path=str(config.CONF), config_name=verb)(job)()
        if failures and failures[0][0] is None:
            raise failures[0][1]
    except Stopped as stop:
        sys.exit(128 + stop.signum)  # the run has said where it stands
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # `--help | head`: whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if full_error:
            raise
        print(f"error: {explain(error, verb)}", file=sys.stderr)
        sys.exit(1)
    if failures:
        print(f"{len(failures)} jobs failed: {', '.join(str(number) for number, _ in failures)}", file=sys.stderr)
        sys.exit(1)


# Resolved more than once, but a folder is taken once. Of this module, so that launchers can pickle them.
@cache
def _unique_folder(parent: str, name: str) -> str:
    return results.unique_folder(parent, name)


@cache
def _evaluations(run: str | None) -> str:
    """Beside a run's result; of the built-in reader not within the package."""
    return f"{run}/evaluations" if run is not None else "outputs/evaluations"


@cache
def _sweep_folder(name: str | None, stamp: str) -> str:
    """outputs/sweeps/NAME, or a folder of this moment that no other sweep gets."""
    return f"outputs/sweeps/{name}" if name is not None else results.unique_folder("outputs/sweeps", stamp)


def prepare_arguments(verb: str, arguments: list[str]) -> list[str]:
    """Quote values that hold paths, so that Hydra takes them as the shell gave them; let `train run=DIR` run in DIR."""
    swept = bool({"-m", "--multirun"} & set(arguments))
    groups = {group: config.choices(group) for group in _groups() if not group.startswith("hydra/")}
    arguments = expand_patterns(arguments, groups, swept)
    if swept and any(word.startswith("search=") and word != "search=null" for word in arguments):
        arguments = [*arguments, "hydra/sweeper=search"]
    elif swept and not any(word.startswith("hydra/sweeper=") for word in arguments):
        arguments = first_of_groups(arguments, groups)
    found = []
    for given in arguments:
        argument = given
        flag = given.partition("=")[0]
        if flag.startswith("--") and flag not in FLAGS_THAT_RUN_NOTHING | MORE_FLAGS:
            raise UserError(f"{flag} is no flag: options are written without dashes, as in model=mlp or seed=1")
        key, equals, value = argument.partition("=")
        if key in PATH_LISTS.get(verb, ()) and equals:
            argument = f"{key}={quote_path_list(value)}"
        elif key.lstrip("+") in PATH_KEYS and equals:
            if key.startswith("hydra.") and not value:
                raise UserError(f"{key}= names no folder: give one, as in {key}=outputs/mine")
            if value and value != "null" and not re.fullmatch(r"'.*'|\".*\"|\$\{.*\}", value, re.S):
                argument = f"{key}={quote_path(value)}"
            if key == "run":
                folder = Path(value.strip("'\"")).expanduser()
                if not (folder / results.CONFIG).is_file():
                    raise UserError(f"run={value} is no run: it has no {results.CONFIG}")
                if verb == "train":
                    found += [argument, f"hydra.run.dir={argument.partition('=')[2]}"]
                    return found + _unchanged(folder, [a for a in arguments if a is not given])
        found.append(argument)
    return found


def _unchanged(run: Path, arguments: list[str]) -> list[str]:
    """What may stand beside `train run=DIR`; everything that would change the stored config is refused by name."""
    stored = config.read_stored(run / results.CONFIG)
    kept = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals or key.startswith("hydra") or key == "plots":
            kept.append(argument)
            continue
        old = OmegaConf.select(stored, key.lstrip("+~").replace("/", "."))
        name = old.get("name") if OmegaConf.is_dict(old) else old
        if str(name) != value:
            begun = f"was begun with {key}={name}, not {value}" if name is not None else f"was begun without {key}"
            raise UserError(f"{run} {begun}: leave it out, or start a new run")
    return kept


def explain(error: BaseException, verb: str) -> str:
    """One sentence for an error, with the nearest name where a name was wrong."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}{SHOWS_WHERE}"
    if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
        reason = next((line for line in str(error).splitlines()[1:] if line.strip()), type(error).__name__)
        return f"torch.compile failed ({reason}): install a C++ compiler, or leave compile=false"
    if not isinstance(error, (HydraException, OmegaConfBaseException)):
        return f"{type(error).__name__}: {error}{SHOWS_WHERE}"
    text = str(error) if error.__cause__ is None else f"{error}\n{error.__cause__}"
    if found := re.search(r"hydra/launcher/(" + "|".join(PLUGINS) + ")'", text):
        return f"this launcher needs {PLUGINS[found[1]]}, which is not installed: uv pip install {PLUGINS[found[1]]}"
    if "Sweeping over Hydra's configuration" in text:
        return f"{' '.join(text.split())}: give it one value"
    if found := re.search(r"Could not find '([^']+)'", text):
        path = found[1]
        group = next((g for g in _groups() if path.startswith(f"{g}/")), path.partition("/")[0])
        name = path.removeprefix(f"{group}/")
        return f"{group}={name} is unknown{config.nearest(name, config.choices(group))}"
    if found := re.search(
        r"Could not (?:override|append to config|delete[^']*) '([^'=]+)|Key '([^']+)' is not in struct", text
    ):
        key = (found[1] or found[2]).split("@")[0].lstrip("+~")
        chosen = {name for part in OmegaConf.load(config.CONF / f"{verb}.yaml").defaults[1:] for name in part}
        known = {*_known_keys(verb), *(group for group in _groups() if group.partition("/")[0] in chosen)}
        return f"there is no key {key}{config.nearest(key, known - {key})}"
    return f"{' '.join(text.split())}{SHOWS_WHERE}"


def _groups() -> list[str]:
    """Config groups, the innermost first."""
    found = {p.parent.relative_to(config.CONF).as_posix() for p in config.CONF.rglob("*.yaml")} - {".", "hydra"}
    return sorted({g if not g.startswith("experiment/") else "experiment" for g in found}, key=len, reverse=True)


def _known_keys(verb: str) -> list[str]:
    """The keys that this command line would have, had it only chosen from groups."""
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().clear()
    groups = [a for a in sys.argv[1:] if a.partition("=")[0] in _groups()]
    with hydra.initialize_config_dir(str(config.CONF), version_base="1.3"):
        try:
            return config.keys_of(hydra.compose(verb, groups))
        except (HydraException, OmegaConfBaseException):
            return config.keys_of(hydra.compose(verb))
