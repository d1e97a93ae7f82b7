"""The words of a command line as people type them: lists with spaces, paths without a key."""

import mimetypes
import re
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path

from dlcourse.config.paths import home_path, quote_path
from dlcourse.errors import UserError
from dlcourse.runs.result import CONFIG

# The key that a path without a key is for, by command.
BARE = {"predict": "input", "train": "run", "evaluate": "run", "sample": "run", "embed": "run", "export": "run",
        "report": "compare", "app": "folders"}  # fmt: skip
TAKES_SEVERAL = ("input", "compare", "folders")
VALUE_FOLLOWS = {"--cfg", "-c", "--info", "-i", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn",
                 "--config-dir", "-cd", "--shell-completion", "-sc"}  # fmt: skip


def join_lists(arguments: Sequence[str]) -> list[str]:
    """Join a list that the shell has split at its spaces: `compare=[A,` and `B]`, `seed=0,` and `1`."""
    found: list[str] = []
    left = list(arguments)
    while left:
        taken = 1
        if re.match(r"[^-][^=]*=", left[0]) and _open(left[0]) and not Path(left[0].partition("=")[2]).exists():
            while taken < len(left) and _continues(left[taken]) and _open(" ".join(left[:taken])):
                taken += 1
            if _open(" ".join(left[:taken])):
                taken = 1  # it is not a list
        found.append(" ".join(left[:taken]))
        left = left[taken:]
    return found


def _open(word: str) -> bool:
    """Whether a `key=value` is incomplete: a bracket at its start has not been closed, or it ends with a comma."""
    value = word.partition("=")[2]
    if re.match(r"[\[{]|\w+\(", value):
        return any(value.count(left) > value.count(right) for left, right in ("[]", "{}", "()"))
    return value.endswith(",")


def _continues(word: str) -> bool:
    return "=" not in word and (not word.startswith("-") or bool(re.match(r"-[\d.]", word)))


def flags_last(arguments: Sequence[str]) -> list[str]:
    """The overrides, then the flags with their values: Hydra refuses overrides on both sides of a flag."""
    before = ["", *arguments]
    flags = [word.startswith("-") or last in VALUE_FOLLOWS for last, word in zip(before, arguments, strict=False)]
    return [word for _, word in sorted(zip(flags, arguments, strict=True), key=itemgetter(0))]


def name_bare_paths(verb: str, arguments: Sequence[str]) -> list[str]:
    """`photo.jpg` as `input=photo.jpg`, `outputs/mine` as `run=outputs/mine`.

    A bare word is a path if it exists or has the ending of an image file; other words are left for Hydra to refuse.
    Beside images, `predict` takes a run folder as the run.

    Raises:
        UserError: several paths for a key that takes one.
    """
    key = BARE[verb]
    flags = ["", *arguments]
    bare = [
        word
        for before, word in zip(flags, arguments, strict=False)
        if "=" not in word and not word.startswith("-") and before not in VALUE_FOLLOWS and _is_path(key, word)
    ]
    if not bare:
        return list(arguments)
    if verb == "predict" and len(runs := [word for word in bare if (Path(home_path(word)) / CONFIG).is_file()]) == 1:
        named = [f"run={quote_path(word)}" if word in runs else word for word in arguments]
        return name_bare_paths(verb, named)
    if key not in TAKES_SEVERAL and len(bare) > 1:
        remedy = "name one" if verb == "train" else f"use -m {key}={','.join(bare)} for all of them"
        raise UserError(f"{verb} takes one {key}, not {len(bare)}: {remedy}")
    if given := next((word for word in arguments if word.startswith(f"{key}=")), None):
        raise UserError(f"{' '.join(bare)} and {given} are given: name all paths in {key}=")
    value = bare[0] if len(bare) == 1 and key not in ("compare", "folders") else f"[{','.join(map(quote_path, bare))}]"
    return [word for word in arguments if word not in bare] + [f"{key}={value}"]


def _is_path(key: str, word: str) -> bool:
    path = Path(home_path(word))
    if key == "folders":
        return path.is_dir()
    if key != "input":
        return (path / CONFIG).is_file()
    return path.exists() or str(mimetypes.guess_type(word)[0]).startswith("image/")
