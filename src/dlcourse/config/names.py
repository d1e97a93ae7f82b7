"""The names in config groups, and messages about wrong ones."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

from omegaconf import DictConfig

from dlcourse.config.folders import config_roots
from dlcourse.errors import UserError


def choices(group: str) -> list[str]:
    """All names of a config group, including those in its folders, such as `clocks/fast`."""
    found = set()
    for root in (parent / group for parent in config_roots()):
        if root.is_dir():
            files = [path for path in root.rglob("*.yaml") if not _nested(path, root)]
            found |= {path.relative_to(root).with_suffix("").as_posix() for path in files}
    return sorted(found)


def config_groups() -> list[str]:
    """Every config group, the innermost first; the folders within conf/experiment are one group."""
    found = {p.parent.relative_to(root).as_posix() for root in config_roots() for p in root.rglob("*.yaml")}
    found -= {".", "hydra"}
    return sorted({g if not g.startswith("experiment/") else "experiment" for g in found}, key=len, reverse=True)


def _nested(path: Path, root: Path) -> bool:
    """Whether a YAML belongs to a group inside this one (model/net), not to this one (experiment/clocks/fast)."""
    return root.name != "experiment" and path.parent != root


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of a sentence: `; did you mean NAME?` if a known name is similar, else the list of known names."""
    names = list(names)
    # `dropout` is similar to `model.dropout`, and `c1` to `fashion_mnist/c1`
    last = {re.split("[./]", n)[-1]: n for n in names}
    close = difflib.get_close_matches(name.lower(), names, 1, 0.6)
    close = close or [last[n] for n in difflib.get_close_matches(re.split("[./]", name.lower())[-1], last, 1, 0.7)]
    if close:
        return f"; did you mean {close[0]}?"
    return f"; choose from {', '.join(names)}" if len(names) <= 30 else ""


def require(cfg: DictConfig, *groups: str) -> None:
    """Raise a UserError that lists the names of a group, such as `data`, if none is chosen."""
    for group in groups:
        if cfg.get(group) is None:
            raise UserError(f"{group} is missing: choose {group}={'|'.join(choices(group))}")
