"""Quote paths, and lists of paths such as `compare=[outputs/a b,outputs/c]`, for Hydra."""

import os
import re
import shlex
from collections.abc import Iterable
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

# Keys whose values are paths.
PATHS = frozenset({"run", "input", "output", "latents", "data.path", "data_dir", "init_from", "features",
                   "model.features", "hydra.run.dir", "hydra.sweep.dir"})  # fmt: skip
PATH_LISTS = {
    "report": ("compare", "folders", "publish"),
    "sample": ("between", "compare"),
    "app": ("folders",),
}  # by command

ESCAPING = r"\\+(?='|\$\{|\Z)"  # the backslashes that Hydra reads as escapes; it keeps others as they are


def quote_override(word: str, verb: str) -> str:
    """An override with its path quoted, so that Hydra reads it as it was typed; other words as they are.

    Args:
        word: `data.path=my data (1)/a=b.npz`.
        verb: the command.
    """
    key, equals, value = word.partition("=")
    if not equals:
        return word
    several = key == "input" and value.startswith("[") and not Path(value).exists()
    if several or key in PATH_LISTS.get(verb, ()):
        return f"{key}={quote_path_list(value)}"
    quoted = re.fullmatch(r"'.*'|\".*\"|\$\{.*\}", value, re.S)
    if key.lstrip("+") in PATHS and value and value != "null" and not quoted:
        return f"{key}={quote_path(value)}"
    return word


def quote_path_list(value: str) -> str:
    """A list of paths in Hydra's syntax, each path quoted.

    A comma separates two paths, unless a file or folder exists whose name contains it. A value that is quoted already
    is returned as it is.

    Args:
        value: `[A,B]`, or one path without brackets.
    """
    inner = value[1:-1] if value.startswith("[") and value.endswith("]") and not Path(value).exists() else value
    if re.match(r"\s*['\"]", inner) or value == "null":
        return value
    return f"[{','.join(quote_path(path) for path in split_paths(inner))}]"


def split_paths(text: str) -> list[str]:
    """Split at commas, but not inside the name of an existing path; the longest existing path wins."""
    pieces = text.split(",") if text.strip() else []
    found = []
    while pieces:
        together = [(",".join(pieces[:n]), n) for n in range(len(pieces), 1, -1)]
        path, taken = next(((p, n) for p, n in together if Path(home_path(p.strip())).exists()), (pieces[0], 1))
        found.append(path.strip())
        pieces = pieces[taken:]
    return found


def quote_path(path: str) -> str:
    """A path as a quoted string of Hydra's override syntax, with `~` expanded."""
    text = re.sub(ESCAPING, lambda found: 2 * found[0], home_path(path))
    return "'{}'".format(text.replace("'", r"\'").replace("${", r"\${"))


def shell_command(words: Iterable[str]) -> str:
    """Words of a command as one types them in a shell: without the quotes that `quote_override` adds to a path."""
    return shlex.join(map(_unquoted, words))


def _unquoted(word: str) -> str:
    key, _, value = word.partition("=")
    quoted = re.fullmatch(r"'((?:[^'\\]|\\.)*)'", value, re.S) if key.lstrip("+") in PATHS else None
    if quoted is None:
        return word
    plain = re.sub(ESCAPING, lambda found: found[0][: len(found[0]) // 2], quoted[1])
    return f"{key}={plain}"


def home_path(path: str) -> str:
    """A path with `~` at its start replaced by the home folder, where there is one; Path.expanduser fails without."""
    return os.path.expanduser(path)  # noqa: PTH111


def expand_home(cfg: DictConfig) -> None:
    """Replace `~` at the start of the paths in a config, which in YAML no shell has done."""
    for key in PATHS:
        path = OmegaConf.select(cfg, key)
        if isinstance(path, str) and path.startswith("~"):
            OmegaConf.update(cfg, key, home_path(path))
