"""The names in config groups, and messages about wrong ones."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

from omegaconf import DictConfig

from dlcourse.config.folders import CONF, config_roots
from dlcourse.errors import UserError

LISTED = 6  # names in a suggestion, at most


def choices(group: str, shipped: bool = False) -> list[str]:
    """All names of a config group, including those in its folders, such as `clocks/fast`.

    Args:
        group: such as `model` or `model/net`.
        shipped: only the names of the shipped folder, not those of plugins and `--config-dir`.
    """
    found = set()
    for root in (parent / group for parent in ([CONF] if shipped else config_roots())):
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
    """The end of a sentence: `; did you mean NAME?` if known names are similar, else the list of known names.

    Several names are given where they contain the unknown one as a word: `resnet` is a part of resnet50 and
    wide_resnet, `mnist` of mnist/fast and mnist/best. Presets named `fast` come first.
    """
    names, asked = list(names), name.lower()
    close = difflib.get_close_matches(asked, names, 1, 0.9)
    if not close and len(asked) > 1:
        close = [n for n in names if n.startswith(asked) or asked in re.split("[./_]", n)]
        close = [n for n in close if n.startswith(f"{asked}/")] or close
        close.sort(key=lambda n: (not n.startswith(asked), not n.endswith("/fast")))
    if not close:
        close = difflib.get_close_matches(asked, names, 1, 0.6)
    if not close:  # `dropuot` is similar to `model.dropout`
        last = {re.split("[./]", n)[-1]: n for n in names}
        close = [last[n] for n in difflib.get_close_matches(re.split("[./]", asked)[-1], last, 1, 0.7)]
    if close:
        *more, end = close[:LISTED]
        return f"; did you mean {', '.join(more)} or {end}?" if more else f"; did you mean {end}?"
    return f"; choose from {', '.join(names)}" if len(names) <= 30 else ""


def require(cfg: DictConfig, *groups: str) -> None:
    """Raise a UserError that lists the names of a group, such as `data`, if none is chosen."""
    for group in groups:
        if cfg.get(group) is None:
            raise UserError(f"{group} is missing: choose {group}={'|'.join(choices(group))}")
