"""Configs: the folders that they come from, the names in their groups, and how a command line composes one."""

from dlcourse.config.composing import compose, empty_list
from dlcourse.config.folders import CONF, PLUGINS, Plugin, config_roots, plugins, use_config_dir
from dlcourse.config.names import choices, config_groups, nearest, require

__all__ = [
    "CONF",
    "PLUGINS",
    "Plugin",
    "choices",
    "compose",
    "config_groups",
    "config_roots",
    "empty_list",
    "nearest",
    "plugins",
    "require",
    "use_config_dir",
]
