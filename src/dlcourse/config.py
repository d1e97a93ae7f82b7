"""Where the configs are, which names they offer, and what may be built from them."""

import difflib
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from dlcourse.errors import UserError

LARGEST = 2**20  # bytes of a stored config; ours take some thousands
_PACKAGE = Path(__file__).parent
# Inside the package when installed from a wheel, beside src/ in a checkout.
CONF = _PACKAGE / "conf" if (_PACKAGE / "conf").is_dir() else _PACKAGE.parents[1] / "conf"


def choices(group: str) -> list[str]:
    """Every name that a config group offers, folders within it included: `clocks/fast`."""
    root = CONF / group
    return sorted(p.relative_to(root).with_suffix("").as_posix() for p in root.rglob("*.yaml") if not _nested(p, root))


def _nested(path: Path, root: Path) -> bool:
    """Whether a YAML belongs to a group inside this one (model/net), not to this one (experiment/clocks/fast)."""
    return root.name != "experiment" and path.parent != root


def nearest(name: str, names: Iterable[str]) -> str:
    """`; did you mean NAME?` where one is near, else the names there are, as the end of a sentence."""
    names = list(names)
    # `dropout` is near to `model.dropout` too, and `c1` to `fashion_mnist/c1`
    last = {re.split("[./]", n)[-1]: n for n in names}
    close = difflib.get_close_matches(name.lower(), names, 1, 0.6)
    close = close or [last[n] for n in difflib.get_close_matches(re.split("[./]", name.lower())[-1], last, 1, 0.7)]
    if close:
        return f"; did you mean {close[0]}?"
    return f"; there is {', '.join(names)}" if len(names) <= 30 else ""


def require(cfg: DictConfig, *groups: str) -> None:
    """Raise a UserError with the names there are, where a group such as `data` was not chosen."""
    for group in groups:
        if cfg.get(group) is None:
            raise UserError(f"choose a {group}: {group}={'|'.join(choices(group))}")


def keys_of(cfg: Any, prefix: str = "") -> list[str]:
    """The dotted keys of every value in a config."""
    found: list[str] = []
    for key in cfg if OmegaConf.is_dict(cfg) else ():
        node = cfg._get_node(key)
        name = f"{prefix}{key}"
        found += [name, *keys_of(node, f"{name}.")] if OmegaConf.is_dict(node) and not node._is_none() else [name]
    return found


@cache
def buildable() -> frozenset[str]:
    """The exact names that a stored config may have built: every `_target_` in the shipped configs of runs."""
    files = [path for path in CONF.rglob("*.yaml") if path.relative_to(CONF).parts[0] != "hydra"]
    found = (re.findall(r"^\s*_target_:\s*([\w.]+)\s*$", path.read_text("utf8"), re.M) for path in files)
    return frozenset(name for names in found for name in names)


def read_stored(path: Path) -> DictConfig:
    """A run's config.yaml, which may come from somebody else: no interpolation, nothing but shipped names to build.

    Raises:
        UserError: it is missing or broken, or asks for something that is not shipped.
    """
    if not path.exists():
        raise UserError(f"{path.parent} is no run: it has no config.yaml")
    foreign = f"{path} is not a config that dlcourse wrote: take another run"
    if not path.is_file() or path.stat().st_size > LARGEST:
        raise UserError(foreign)
    try:
        text = path.read_text("utf8")
        # An alias of aliases of aliases is a short text that fills the memory.
        known = not any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text))
        cfg = OmegaConf.create(text) if known else None
    except Exception as error:
        raise UserError(f"{path} cannot be read ({str(error).splitlines()[0]}): take another run") from None
    if not isinstance(cfg, DictConfig) or not cfg:
        raise UserError(foreign)
    for name, value in _leaves(OmegaConf.to_container(cfg)):
        # YAML has other ways to write a dollar sign, so that the text alone tells nothing.
        if "${" in name or (isinstance(value, str) and "${" in value):
            raise UserError(f"{foreign} ({name} holds an interpolation)")
        key = name.rpartition(".")[2]
        if key == "_target_" and value not in buildable():
            raise UserError(f"{path} asks for {value}, which dlcourse does not ship: it is not built from a stored run")
        if key.startswith("_") and key not in ("_target_", "_partial_"):
            raise UserError(f"{path} asks for {key}, which dlcourse does not write: it is not built from a stored run")
    return cfg


def _leaves(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted names of all values, those in lists too."""
    if isinstance(node, (dict, list)):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            if str(key).startswith("_"):
                yield f"{name}.{key}", value
            yield from _leaves(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, node


@cache
def reference_rows() -> dict[str, dict[str, Any]]:
    """references.yaml by id, in its order."""
    rows = OmegaConf.to_container(OmegaConf.load(CONF / "references.yaml"))
    assert isinstance(rows, dict)
    return {str(name): row for name, row in rows.items()}


def known_references(ids: Iterable[str]) -> list[str]:
    """Those of the ids that references.yaml has."""
    return [name for name in ids if name in reference_rows()]


def references(ids: Iterable[str]) -> list[dict[str, Any]]:
    """The rows of references.yaml with these ids.

    Raises:
        UserError: there is no such row.
    """
    rows = reference_rows()
    found = []
    for name in ids:
        if name not in rows:
            raise UserError(f"there is no reference {name}{nearest(name, rows)}")
        found.append({"id": name, **rows[name]})
    return found
