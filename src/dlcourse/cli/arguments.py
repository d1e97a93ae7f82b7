"""A command line made ready for Hydra: quoted paths, expanded patterns, and refused flags."""

import re
from pathlib import Path

from omegaconf import OmegaConf

from dlcourse.cli.paths import PATH_LISTS, quote_path, quote_path_list
from dlcourse.cli.patterns import expand_patterns, first_of_groups
from dlcourse.config import choices, config_groups, use_config_dir
from dlcourse.errors import UserError
from dlcourse.runs.keys import APPEARANCE, PATHS, RECORD, SPEED, kind
from dlcourse.runs.result import CONFIG
from dlcourse.runs.stored_config import read_stored

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


def prepare_arguments(verb: str, arguments: list[str]) -> list[str]:
    """Quote values that hold paths, so that Hydra takes them as the shell gave them; let `train run=DIR` run in DIR."""
    use_config_dir(_config_dir(arguments))
    swept = bool({"-m", "--multirun"} & set(arguments))
    groups = {group: choices(group) for group in config_groups() if not group.startswith("hydra/")}
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
        elif key.lstrip("+") in PATHS and equals:
            if key.startswith("hydra.") and not value:
                raise UserError(f"{key}= names no folder: give one, as in {key}=outputs/mine")
            if value and value != "null" and not re.fullmatch(r"'.*'|\".*\"|\$\{.*\}", value, re.S):
                argument = f"{key}={quote_path(value)}"
            if key == "run":
                folder = Path(value.strip("'\"")).expanduser()
                if not (folder / CONFIG).is_file():
                    raise UserError(f"run={value} is no run: it has no {CONFIG}")
                if verb == "train":
                    found += [argument, f"hydra.run.dir={argument.partition('=')[2]}"]
                    return found + _unchanged(folder, [a for a in arguments if a is not given])
        found.append(argument)
    return found


def _config_dir(arguments: list[str]) -> Path | None:
    """The folder of `--config-dir DIR`, `--config-dir=DIR` or `-cd DIR`."""
    for word, after in zip(arguments, [*arguments[1:], ""], strict=True):
        flag, equals, value = word.partition("=")
        if flag in ("--config-dir", "-cd"):
            folder = Path(value if equals else after)
            if not folder.is_dir():
                raise UserError(f"{flag} {folder}: folder not found")
            return folder.absolute()
    return None


def _trust(arguments: list[str]) -> list[str]:
    """The names in `trust=[A,B]`."""
    given = next((word.partition("=")[2] for word in arguments if word.startswith("trust=")), "")
    return [name.strip(" '\"") for name in given.strip("[]").split(",")]


def _unchanged(run: Path, arguments: list[str]) -> list[str]:
    """What may stand beside `train run=DIR`; everything that would change the stored config is refused by name."""
    stored = read_stored(run / CONFIG, _trust(arguments))
    kept = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals or kind(key) in (RECORD, APPEARANCE, SPEED):
            kept.append(argument)
            continue
        old = OmegaConf.select(stored, key.lstrip("+~").replace("/", "."))
        name = old.get("name") if OmegaConf.is_dict(old) else old
        if str(name) != value:
            begun = f"was begun with {key}={name}, not {value}" if name is not None else f"was begun without {key}"
            raise UserError(f"{run} {begun}: leave it out, or start a new run")
    return kept
