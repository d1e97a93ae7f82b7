"""The location of conf/, the names in its groups, and the composition of a config."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from omegaconf import DictConfig

from dlcourse.errors import UserError

_PACKAGE = Path(__file__).parent
# Inside the package when installed from a wheel, beside src/ in a checkout.
CONF = _PACKAGE / "conf" if (_PACKAGE / "conf").is_dir() else _PACKAGE.parents[1] / "conf"


PLUGINS = "dlcourse.plugins"  # the entry point group
_config_dirs: list[Path] = []  # of this command's --config-dir


@dataclass(frozen=True)
class Plugin:
    """An installed package with an entry point such as `mypackage = "mypackage:conf"` in the group `dlcourse.plugins`.

    Attributes:
        module: the package; a stored run may build classes defined in it.
        conf: its folder of YAML files, laid out like conf/.
    """

    module: str
    conf: Path


@cache
def plugins() -> tuple[Plugin, ...]:
    """The installed plugins by name; none of them is imported.

    Raises:
        UserError: an entry point names a package or a config folder that does not exist.
    """
    found = []
    for point in sorted(entry_points(group=PLUGINS), key=lambda point: point.name):
        spec = find_spec(point.module.partition(".")[0])
        top = Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None
        conf = top and top.joinpath(*point.module.split(".")[1:], point.attr or "conf")
        if conf is None or not conf.is_dir():
            raise UserError(
                f"plugin {point.name}={point.value}: config folder {conf or point.module} not found: fix its entry "
                "point, PACKAGE:FOLDER, or uninstall it"
            )
        found.append(Plugin(point.module, conf))
    return tuple(found)


def use_config_dir(folder: Path | None) -> None:
    """Set the folder of this command's `--config-dir`, whose names are offered and trusted; None: no folder."""
    _config_dirs[:] = [] if folder is None else [folder]


def config_roots() -> list[Path]:
    """The folders that configs come from: the shipped one, the plugins' and the one of `--config-dir`."""
    return [CONF, *(plugin.conf for plugin in plugins()), *_config_dirs]


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


def empty_list(word: str) -> str:
    """`logger=null` and `callbacks=null` as the empty lists that Hydra requires; other words as they are."""
    return word.replace("null", "[]") if word in ("logger=null", "callbacks=null") else word


def compose(*overrides: str, verb: str = "train", config_dir: str | Path | None = None) -> DictConfig:
    """The config of a command line, without running it: `compose("model=clock_cyclic", "data=clocks")`.

    Args:
        overrides: as on the command line.
        verb: the command.
        config_dir: a folder with more configs, as `--config-dir`.
    """
    import hydra
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(verb, [*map(empty_list, overrides), *_search_path(config_dir)])


def _search_path(config_dir: str | Path | None) -> list[str]:
    """The override that adds a config folder to Hydra's search path; none without a folder."""
    return [] if config_dir is None else [f"hydra.searchpath=['file://{Path(config_dir).absolute()}']"]
