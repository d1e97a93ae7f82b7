"""The folders that configs come from: the shipped one, installed plugins, and --config-dir."""

from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from dlcourse.errors import UserError

_PACKAGE = Path(__file__).parents[1]
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


def config_dir_flags(folder: str | None) -> list[str]:
    """The words of a command line that name a folder with more configs."""
    return ["--config-dir", folder] if folder else []


def config_roots() -> list[Path]:
    """The folders that configs come from: the shipped one, the plugins' and the one of `--config-dir`."""
    return [CONF, *(plugin.conf for plugin in plugins()), *_config_dirs]
