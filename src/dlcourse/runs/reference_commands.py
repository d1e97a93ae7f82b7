"""The command that measures a reference: the preset named after it, else a model with the values in its id."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import yaml

from dlcourse.config import CONF, choices

VARIABLE = re.compile(r"\$\{([\w.]+)\}")


class Source(NamedTuple):
    """A config that names a reference: the pattern of the id, and the words that select the config."""

    pattern: str  # A6-${method}
    words: str
    defaults: dict[str, Any]


@cache
def _load(name: str) -> dict[str, Any]:
    """A shipped YAML file, not composed: a hundred of them load ten times faster than one composes."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load((CONF / f"{name}.yaml").read_text("utf8"), loader) or {}


@cache
def sources() -> tuple[Source, ...]:
    """All shipped configs that name a reference, presets first."""
    presets = list(_presets())
    # A preset with the reference's name comes before others that name it.
    named = [source for source in presets if source.words.endswith(f"/{source.pattern.replace('-', '_')}")]
    return (*named, *presets, *_models(), *_maps())


def _presets() -> Iterator[Source]:
    for name in choices("experiment", shipped=True):
        preset = _load(f"experiment/{name}")
        chosen = {
            key: value for line in preset.get("defaults", []) if isinstance(line, dict) for key, value in line.items()
        }
        model, data = (chosen.get(f"override /{group}") for group in ("model", "data"))
        base = _load(f"model/{model}") if model else {}
        values = _flat({"model": base}) | _flat(preset)
        # ids that the preset or its model sets, and the id that its name spells: g3_48 is G3-48
        own = [node["references"] for node in (preset, preset.get("model") or {}) if "references" in node]
        ids = own[0] if own else base.get("references") or []
        ids = ids.get(data, []) if isinstance(ids, dict) else ids
        for pattern in [name.rpartition("/")[2].replace("_", "-"), *ids]:
            yield Source(pattern, f"train experiment={name}", values)


def _models() -> Iterator[Source]:
    for name in choices("model", shipped=True):
        model = _load(f"model/{name}")
        rows = model.get("references") or []
        data = next(iter(model["epochs"]), "") if isinstance(model.get("epochs"), dict) else ""
        by_data = rows if isinstance(rows, dict) else {data: rows}
        for chosen, patterns in by_data.items():
            for pattern in patterns:
                yield Source(
                    pattern, f"train model={name} data={chosen}".removesuffix(" data="), _flat({"model": model})
                )


def _maps() -> Iterator[Source]:
    embed = _load("embed")
    for data, patterns in (embed.get("references") or {}).items():
        for pattern in patterns:
            yield Source(pattern, f"embed data={data}", _flat({"method": embed.get("method")}))


def _flat(node: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


def command(reference: str) -> str | None:
    """`python -m dlcourse.train experiment=clocks/g3_48`, None where no config names it."""
    found = _match(reference)
    if found is None:
        return None
    source, given = found
    more = [f"{key}={value}" for key, value in given.items() if str(source.defaults.get(key)) != value]
    return " ".join([f"python -m dlcourse.{source.words}", *more])


def settings(reference: str) -> set[str]:
    """The overrides that a reference implies, defaults too: {"model.num_classes=48"} of G3-48."""
    found = _match(reference)
    return {f"{key}={value}" for key, value in found[1].items()} if found else set()


@cache
def _match(reference: str) -> tuple[Source, dict[str, str]] | None:
    """The first config that names a reference, and the values in its id by key."""
    for source in sources():
        keys = VARIABLE.findall(source.pattern)
        parts = VARIABLE.split(source.pattern.replace("+", "-"))[::2]  # a preset's name has no +
        found = re.fullmatch(r"([\w.]+?)".join(map(re.escape, parts)), reference.replace("+", "-"), re.I)
        if found:
            return source, dict(zip(keys, found.groups(), strict=True))
    return None
