"""Compositions in a fifth of the time: each process keeps what Hydra reads, parses and merges again and again."""

import pickle
from copy import copy, deepcopy
from dataclasses import replace
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra.core.override_parser.overrides_parser import OverridesParser

from dlcourse.config import CONF

# Where configs come from that no test changes: Hydra's packages and the shipped folder.
FIXED = ("pkg://", "structured://", f"file://{CONF}")


def keep_compositions() -> None:
    """Keep files of conf/ as read, words of command lines as parsed, and lists of configs as merged."""
    read, parse = ConfigRepository.load_config, OverridesParser.parse_rule
    merge = ConfigLoaderImpl._compose_config_from_defaults_list
    files: dict[tuple[Any, str], Any] = {}
    merged: dict[tuple[Any, ...], bytes] = {}
    words: dict[tuple[str, str], Any] = {}

    def load_config(self: Any, config_path: str) -> Any:
        key = sources(self)
        if key is None:
            return read(self, config_path)
        if (key, config_path) not in files:
            files[key, config_path] = read(self, config_path)
        return files[key, config_path]

    def compose(self: Any, defaults: Any, repo: Any) -> Any:
        if (folders := sources(repo)) is None:
            return merge(self, defaults, repo)
        key = (folders, tuple((d.config_path, d.package, d.parent, d.is_self, d.primary) for d in defaults))
        if key not in merged:
            own = copy(repo)  # merging takes the configs apart
            kept = repo.cache.items()
            own.cache = {name: found and replace(found, config=deepcopy(found.config)) for name, found in kept}
            merged[key] = pickle.dumps(merge(self, defaults, own))
        return pickle.loads(merged[key])

    def parse_rule(self: Any, s: str, rule_name: str) -> Any:
        if (s, rule_name) not in words:
            words[s, rule_name] = parse(self, s, rule_name)
        return copy(words[s, rule_name])

    ConfigRepository.load_config = load_config
    ConfigLoaderImpl._compose_config_from_defaults_list = compose
    OverridesParser.parse_rule = parse_rule


def sources(repo: Any) -> tuple[str, ...] | None:
    """The folders that configs are read from; None if one is a test's own."""
    found = tuple(source.full_path() for source in repo.get_sources())
    return found if all(path.startswith(FIXED) for path in found) else None
