"""One sentence for each error of a command."""

import re
from collections.abc import Sequence

import hydra
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from dlcourse.cli.words import BARE
from dlcourse.config import CONF, choices, config_groups, did_you_mean, nearest
from dlcourse.errors import UserError
from dlcourse.runs.keys import keys_of

# Hydra's launchers and the extras that provide them.
PLUGINS = {"joblib": "parallel", "submitit_local": "submitit", "submitit_slurm": "submitit", "ray": "ray"}


EXPECTED = {"input": "an image or a folder that exists", "run": "a run folder", "compare": "a run folder",
            "folders": "a folder that exists"}  # fmt: skip
LISTED = {"callbacks", "logger"}  # groups that take several choices
SHOWS_WHERE = " (HYDRA_FULL_ERROR=1 shows where)"


def explain(error: BaseException, verb: str, words: Sequence[str]) -> str:
    """One sentence for an error, with the nearest known name if a name is unknown.

    Args:
        error: of a command.
        verb: the command.
        words: its overrides.
    """
    inner: BaseException | None = error
    while inner is not None:  # OmegaConf hides the errors of resolvers
        if isinstance(inner, UserError):
            return str(inner)
        inner = inner.__cause__ or inner.__context__
    if isinstance(error, OSError) and error.strerror:
        for word in words:
            key, _, folder = word.partition("=")
            if key in ("hydra.run.dir", "hydra.sweep.dir") and folder and str(error.filename).startswith(folder):
                return f"{word} could not be created ({error.strerror}): use another folder"
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}{SHOWS_WHERE}"
    if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
        reason = next((line for line in str(error).splitlines()[1:] if line.strip()), type(error).__name__)
        return f"torch.compile failed ({reason}): install a C++ compiler, or leave compile=false"
    if isinstance(error, ValueError) and "Only one of --run, --multirun" in str(error):
        return "--cfg, --info and --shell-completion show one job: remove -m"
    if not isinstance(error, (HydraException, OmegaConfBaseException)):
        return f"{type(error).__name__}: {error}{SHOWS_WHERE}"
    text = str(error) if error.__cause__ is None else f"{error}\n{error.__cause__}"
    if found := re.search(r"hydra/launcher/(" + "|".join(PLUGINS) + ")'", text):
        return f"this launcher needs the extra {PLUGINS[found[1]]}: uv sync --extra {PLUGINS[found[1]]}"
    if isinstance(error, OverrideParseException):
        key, equals, _ = error.override.partition("=")
        if not equals and (bare := BARE.get(verb)) is not None and re.search(r"[/.\\]|^\w+$", key):
            named = next((group for group in ("experiment", "model", "data") if key in choices(group)), None)
            like = f", as in {named}={key}" if named else ""
            return f"{key} is not an option and not {EXPECTED[bare]}: write options as KEY=VALUE{like}"
        remedy = f"write the value in quotes, as in \"{key}='VALUE'\"" if equals else "write options as KEY=VALUE"
        return f"{error.override} could not be read ({error.message.splitlines()[0]}): {remedy}"
    if found := re.search(r"Ambiguous value for argument '(([^'=]+)=[^']*)'", text):
        word, key = found[1], found[2]
        either = "" if key in set(config_groups()) - LISTED else f", or write a list as '{key}=[A,B]'"
        return f"{word} has several values: add -m to run one after the other{either}"
    if "Sweeping over Hydra's configuration" in text:
        return f"{' '.join(text.split())}: pass one value"
    missing = next(
        (e.missing_cfg_file for e in (error, error.__cause__) if isinstance(e, MissingConfigException)), None
    )
    if missing is not None:
        group = next((g for g in config_groups() if missing.startswith(f"{g}/")), missing.partition("/")[0])
        name = missing.removeprefix(f"{group}/")
        return f"{group}={name} is unknown{nearest(name, choices(group))}"
    if (key := _unknown_key(error, text)) is not None:
        chosen = {name for part in OmegaConf.load(CONF / f"{verb}.yaml").defaults[1:] for name in part}
        groups = {group for group in config_groups() if group.partition("/")[0] in chosen}
        return f"unknown key {key}{did_you_mean(key, groups.union(_known_keys(verb, words)))}"
    return f"{' '.join(text.split())}{SHOWS_WHERE}"


def _unknown_key(error: BaseException, text: str) -> str | None:
    """The unknown key that an error is about; None for other errors."""
    # Hydra's own exceptions name the override only in their text.
    if found := re.search(r"Could not (?:override|append to config|delete[^']*) '([^'=]+)", text):
        return found[1].split("@")[0].lstrip("+~")
    for part in (error, error.__cause__):
        if isinstance(part, ConfigKeyError | ConfigAttributeError) and part.full_key:
            return part.full_key
    return None


def _known_keys(verb: str, words: Sequence[str]) -> list[str]:
    """The keys of the config that the group choices among the words compose."""
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().clear()
    groups = [a for a in words if a.partition("=")[0] in config_groups()]
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        try:
            return keys_of(hydra.compose(verb, groups))
        except (HydraException, OmegaConfBaseException):
            return keys_of(hydra.compose(verb))
