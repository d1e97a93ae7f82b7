"""The configs of conf/ as data: each choice with its keys, their defaults and what they mean.

A key's meaning is the comment beside it or above it in the YAML, else the line about the parameter of that name in the
docstring of what the config builds, else the meaning that the same key has in the config that this one extends.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import griffe
import yaml

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf"
# Groups whose keys do not land under their own name: conf/model/*.yaml choose these with `@_here_` and the like.
PACKAGES = {"model/family": "model", "search/sampler": "search", "": ""}
PRESETS = "experiment"


@dataclass
class Key:
    """A line of a config: the key as the command line writes it, its default as the YAML writes it, its meaning."""

    name: str
    default: str
    meaning: str = ""
    target: str = ""  # what the mapping around it builds


@dataclass
class Config:
    """One YAML file."""

    group: str
    name: str
    header: str = ""  # the comment at its top
    defaults: list[tuple[str, str]] = field(default_factory=list)  # (group, choice) that it starts from
    extends: list[str] = field(default_factory=list)  # choices of its own group, or merged into it
    target: str = ""
    keys: list[Key] = field(default_factory=list)
    help: str = ""  # hydra.help.template of a command


def groups() -> list[str]:
    """Every config group: `data`, `data/augment`, ...; folders of presets belong to `experiment`."""
    found = {path.parent.relative_to(CONF).as_posix() for path in CONF.rglob("*.yaml")} - {"."}
    return sorted({PRESETS if name.startswith(f"{PRESETS}/") else name for name in found})


def commands() -> list[str]:
    """Every command: a YAML at the top of conf/ with a defaults list."""
    return sorted(path.stem for path in CONF.glob("*.yaml") if re.search(r"^defaults:", path.read_text("utf8"), re.M))


def names(group: str) -> list[str]:
    """The choices of a group."""
    root = CONF / group
    paths = root.rglob("*.yaml") if group == PRESETS else root.glob("*.yaml")
    return sorted(path.relative_to(root).with_suffix("").as_posix() for path in paths)


@cache
def load(group: str, name: str) -> Config:
    """A config with the meaning of each of its keys."""
    config = _read(group, name)
    for key in config.keys:
        key.meaning = key.meaning or _meaning(config, key)
    return config


@cache
def _read(group: str, name: str) -> Config:
    text = (CONF / group / f"{name}.yaml").read_text("utf8")
    lines = text.splitlines()
    top = [line for line in lines[: _first_line(lines)] if not line.startswith("# @package")]
    config = Config(group, name, " ".join(line.removeprefix("#").strip() for line in top))
    place = PACKAGES.get(group, group.replace("/", "."))
    if found := re.match(r"# @package (\S+)", text):
        place = "" if found[1] == "_global_" else found[1]
    root = yaml.compose(text)
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == "defaults":
            _read_defaults(config, yaml.safe_load(_source(value, text)))
        elif key.value == "_target_":
            config.target = value.value
    config.keys = list(_walk(root, text, lines, f"{place}." if place else "", config.target))
    if found := re.search(r"template: \|\n(.*)", text, re.S):
        config.help = "\n".join(line[6:] for line in found[1].splitlines())
    return config


def _first_line(lines: list[str]) -> int:
    return next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))


def _read_defaults(config: Config, entries: list[str | dict[str, object]]) -> None:
    for entry in entries:
        if isinstance(entry, str):
            path = entry.partition("@")[0]
            if path == "_self_":
                continue
            if "/" in path or config.group:
                config.extends.append(path)
            continue
        ((said, choice),) = entry.items()
        group = said.removeprefix("override ").partition("@")[0]
        inner = group.removeprefix("/") if group.startswith("/") else f"{config.group}/{group}".strip("/")
        config.defaults.append((inner, "none" if choice in (None, []) else re.sub(r"[\[\]']", "", str(choice))))


def _walk(node: yaml.Node, text: str, lines: list[str], prefix: str, target: str) -> Iterator[Key]:
    if not isinstance(node, yaml.MappingNode):
        return
    target = next((value.value for key, value in node.value if key.value == "_target_"), target)
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        if key.value in ("defaults", "_target_", "_partial_") or name.startswith("hydra.help"):
            continue
        # `data: {size: 75}` of a preset or a search is short for a key of that group
        deep = isinstance(value, yaml.MappingNode) and (not value.flow_style or not prefix)
        comment = _comment(key, value, lines, deep)
        if not deep:
            yield Key(name, _source(value, text), comment, target)
        elif comment:
            yield Key(name, "", comment, target)
        if deep:
            yield from _walk(value, text, lines, f"{name}.", target)


def _comment(key: yaml.Node, value: yaml.Node, lines: list[str], deep: bool) -> str:
    """What is said beside a key, or above it."""
    block = deep or (isinstance(value, yaml.SequenceNode) and not value.flow_style)
    end = key.end_mark if block else value.end_mark
    rest = lines[end.line][end.column :] if end.line < len(lines) else ""
    if found := re.match(r":?\s*#\s*(.*)", rest):
        return found[1]
    found, number = [], key.start_mark.line - 1
    while number >= _first_line(lines) and lines[number].strip().startswith("#"):
        found.insert(0, lines[number].strip().lstrip("# "))
        number -= 1
    return " ".join(found)


def _source(node: yaml.Node, text: str) -> str:
    """A value as its YAML writes it, lists on one line."""
    if isinstance(node, yaml.SequenceNode) and not node.flow_style:
        return f"[{', '.join(_source(item, text) for item in node.value)}]"
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        return f"{{{', '.join(f'{key.value}: {_source(value, text)}' for key, value in node.value)}}}"
    return " ".join(text[node.start_mark.index : node.end_mark.index].split())


def _meaning(config: Config, key: Key) -> str:
    last = key.name.rpartition(".")[2]
    if key.name.startswith("search.space."):
        return f"Values to try for `{key.name.removeprefix('search.space.').removesuffix('.choices')}`."
    if said := argument(key.target, last):
        return said
    for name in config.extends:
        group, _, choice = name.rpartition("/")
        group = f"{config.group}/{group}" if group else config.group
        if not (CONF / group / f"{choice}.yaml").exists():
            continue
        other = load(group, choice)
        if said := next((k.meaning for k in other.keys if k.name == key.name), "") or argument(other.target, last):
            return said
    return _everywhere().get(key.name, "")


@cache
def _everywhere() -> dict[str, str]:
    """What is said about a key in whichever config says it first."""
    found: dict[str, str] = {}
    configs = [_read("", name) for name in commands()]
    configs += [_read(group, name) for group in groups() if group != PRESETS for name in names(group)]
    for config in configs:
        for key in config.keys:
            if key.meaning:
                found.setdefault(key.name, key.meaning)
    return found


@cache
def _package() -> griffe.Object:
    return griffe.load("dlcourse", search_paths=[str(ROOT / "src")])


@cache
def argument(target: str, name: str) -> str:
    """The first sentence that a docstring of dlcourse has about a parameter; a class's bases are asked too."""
    if not target.startswith("dlcourse."):
        return ""
    try:
        thing = _package()[target.removeprefix("dlcourse.")]
    except KeyError:
        return ""
    things = [thing]
    if thing.is_class:
        things += [thing.members["__init__"]] if "__init__" in thing.members else []
        things += thing.mro() if hasattr(thing, "mro") else []
    for one in things:
        text = one.docstring.value if one.docstring else ""
        found = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", text, re.S | re.M)
        for names, said in re.findall(r"^ {4}(\w[\w, ]*): (.*?)(?=^ {4}\w|\Z)", found[1] if found else "", re.S | re.M):
            if name in re.split(r",\s*", names) and not said.startswith("see `"):
                return re.split(r"(?<=\w)\. ", " ".join(said.split()))[0].rstrip(".")
    return ""
