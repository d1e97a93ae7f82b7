"""Patterns and swept choices of config groups on a command line."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dlcourse.config import nearest
from dlcourse.errors import UserError


def first_of_groups(arguments: Sequence[str], groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Compose a sweep over a group's choices with the first one, and pass all of them to the sweeper.

    Hydra composes the config of the sweep itself without the swept keys, so `model=xor,mlp model.optimizer.lr=1` would
    fail, because it lacks a model.
    """
    swept = [
        word
        for word in arguments
        if word.partition("=")[0] in groups and "," in word and not re.search(r"[\[({'\"]", word)
    ]
    words = [word.partition(",")[0] if word in swept else word for word in arguments]
    listed = ",".join(f"'{word}'" for word in swept)
    return [f"hydra.sweeper.groups=[{listed}]", *words] if swept else words


def expand_patterns(arguments: Sequence[str], groups: Mapping[str, Sequence[str]], swept: bool) -> list[str]:
    """Replace patterns by the choices of the group that they match: `experiment=mnist/*`, `experiment=glob(mnist/*)`.

    Hydra's own glob does not search a group's folders.

    Args:
        arguments: words of the command line.
        groups: the choices of each group.
        swept: whether this is a multirun (-m); several values need one.

    Raises:
        UserError: a pattern does not match, or it matches several choices without -m.
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
            raise UserError(f"{key}={pattern} does not match any {key}{nearest(pattern.replace('*', ''), choices)}")
        print(f"{key}={pattern} matches {', '.join(matched)}", flush=True)
        found += matched
    found = list(dict.fromkeys(found))
    if len(found) > 1 and not swept:
        raise UserError(f"{word} matches {len(found)} choices: add -m to run them all, or choose one")
    return f"{key}={','.join(found)}"
