"""Prepare a command line for Hydra: quote paths, expand patterns, refuse unknown flags."""

import itertools
import re
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from dlcourse.cli.patterns import expand_patterns, first_of_groups
from dlcourse.cli.words import flags_last, join_lists, name_bare_paths
from dlcourse.config import choices, config_groups, empty_list, quote_override, use_config_dir
from dlcourse.config.paths import PATHS, home_path, quote_path, split_paths
from dlcourse.errors import UserError
from dlcourse.runs.keys import APPEARANCE, LONGER, PLACE, RECORD, SPEED, kind
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

ABSENT = object()  # what a stored config has for a key that it does not contain; null is a value


def prepare_arguments(verb: str, arguments: list[str]) -> list[str]:
    """The arguments as Hydra reads them.

    Paths are quoted, so that Hydra takes them as the shell passes them; `train run=DIR` runs in DIR.

    Args:
        verb: the command, such as `train`.
        arguments: the words after the command.

    Raises:
        UserError: an unknown flag, a pattern without a match, a folder that is not a run.
    """
    use_config_dir(_config_dir(arguments))
    if "#" in arguments:  # zsh passes a comment behind a command as words
        arguments = arguments[: arguments.index("#")]
    arguments = flags_last(name_bare_paths(verb, join_lists(arguments)))
    swept = bool({"-m", "--multirun"} & set(arguments))
    groups = {group: choices(group) for group in config_groups() if not group.startswith("hydra/")}
    arguments = expand_patterns(arguments, groups, swept)
    if swept and any(word.startswith("search=") and word != "search=null" for word in arguments):
        arguments = ["hydra/sweeper=search", *arguments]
    elif swept and not any(word.startswith("hydra/sweeper=") for word in arguments):
        arguments = first_of_groups(arguments, groups)
    for flag in (given.partition("=")[0] for given in arguments):
        if flag.startswith("--") and flag not in FLAGS_THAT_RUN_NOTHING | MORE_FLAGS:
            raise UserError(f"unknown flag {flag}: write options without dashes, for example model=mlp")
    found = []
    for given in arguments:
        flag, _, value = given.partition("=")
        if flag in ("hydra.run.dir", "hydra.sweep.dir") and not value and "=" in given:
            raise UserError(f"{flag}= is empty: pass a folder, for example {flag}=outputs/mine")
        argument = quote_override(empty_list(given), verb)
        paths = _paths(flag, value, swept)
        if len(paths) > 1:
            argument = f"{flag}={','.join(map(quote_path, paths))}"
        if flag == "run" and "=" in given and value != "null":
            for path in paths or [value.strip("'\"")]:
                folder = Path(home_path(path))
                if not (folder / CONFIG).is_file():
                    raise UserError(f"run={path} is not a run folder: {CONFIG} not found")
            if verb == "train" and swept:
                raise UserError(f"train {argument}: continue one run at a time, without -m")
            if verb == "train":
                others = [word for word in arguments if word is not given]
                if folders := [word for word in others if word.startswith(("hydra.run.dir=", "hydra.sweep.dir="))]:
                    raise UserError(f"{argument} continues in its own folder: remove {folders[0]}")
                return [argument, f"hydra.run.dir={argument.partition('=')[2]}", *_unchanged(folder, others)]
        found.append(argument)
    return found


def _paths(key: str, value: str, swept: bool) -> list[str]:
    """The paths that a value names: several to sweep over with -m; none where it is quoted, a list or not a path.

    Raises:
        UserError: several without -m.
    """
    if key.lstrip("+") not in PATHS or not value or value == "null" or value.startswith("["):
        return []
    if re.fullmatch(r"'.*'|\".*\"|\$\{.*\}", value, re.S):
        return []
    paths = split_paths(value) if "," in value and not key.startswith("hydra.") else [value]
    if swept or len(paths) == 1:
        return paths
    if all(Path(home_path(path)).exists() for path in paths):
        raise UserError(f"{key}={value} names {len(paths)} paths: add -m to run one after the other")
    return [value]


def _config_dir(arguments: list[str]) -> Path | None:
    """The folder of `--config-dir DIR`, `--config-dir=DIR` or `-cd DIR`."""
    for word, after in itertools.zip_longest(arguments, arguments[1:], fillvalue=""):
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
    """The arguments that apply to `train run=DIR`, without those that repeat the stored config.

    Raises:
        UserError: one of them would change it.
    """
    stored = read_stored(run / CONFIG, _trust(arguments))
    started = [str(word) for word in OmegaConf.select(stored, "begun.overrides") or []]
    kept = []
    for argument in arguments:
        key, equals, text = argument.partition("=")
        quoted = quote_override(argument, "train")
        accepted = kind(key) in (RECORD, APPEARANCE, PLACE, SPEED) or key == LONGER
        if key.startswith("-") or (equals and accepted):
            kept.append(quoted)
            continue
        if quoted in started:
            continue
        if not equals:
            raise UserError(f"{run} keeps the config that it was started with: remove {argument}, or start a new run")
        value = OverridesParser.create().parse_override(quoted).value()
        old = OmegaConf.select(stored, key.lstrip("+").replace("/", "."), default=ABSENT)
        name = old.get("name") if OmegaConf.is_dict(old) and isinstance(value, str) else old
        if name != value:
            words = [word for word in started if word.partition("=")[0] == key]
            said = words[0] if words else f"{key}={name}" if name is not ABSENT and name is not None else None
            how = f"with {said}, not {text}" if said else f"without {argument}"
            raise UserError(f"{run} was started {how}: leave {key} out, or start a new run")
    return kept
