"""The commands that a page prints, and the check that each composes."""

import re
import shlex
from collections.abc import Iterator

from hydra.core.override_parser.overrides_parser import OverridesParser

from dlcourse.cli.patterns import expand_patterns
from dlcourse.config import choices, compose


def commands_of(text: str) -> Iterator[tuple[str, str]]:
    """Verb and arguments of every command on a line of its own, but those with a config folder of the reader's."""
    found = re.findall(r"^(?:.*?\buv run )?(?:--no-sync )?python -m dlcourse\.(\w+) (.*)$", text, re.M)
    return ((verb, words) for verb, words in found if "--config-dir" not in words and "--help" not in words)


def check_command(verb: str, words: str) -> None:
    """Compose a command with the first of its swept values; a training must name a model and data, or a run."""
    words = re.sub(r" --cfg \w+", "", words)
    arguments = [word for word in shlex.split(words, comments=True) if word != "-m"]
    arguments = expand_patterns(arguments, {"experiment": choices("experiment")}, swept=True)
    parsed = OverridesParser.create().parse_overrides(arguments)
    firsts = [  # values of the sweeps
        f"{part.get_key_element()}={next(iter(part.sweep_string_iterator()))}" if part.is_sweep_override() else word
        for part, word in zip(parsed, arguments, strict=True)
    ]
    cfg = compose(*[word.replace("run=outputs/", "run=outputs_") for word in firsts], verb=verb)
    assert verb != "train" or cfg.get("run") or (cfg.resume and cfg.name) or (cfg.model and cfg.data)
