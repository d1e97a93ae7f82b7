"""Configs: the folders that they come from, the names in their groups, and how a command line composes one."""

from dlcourse.config.composing import compose, empty_list
from dlcourse.config.folders import CONF, config_dir_flags, config_roots, plugins, use_config_dir
from dlcourse.config.names import choices, config_groups, nearest, require
from dlcourse.config.paths import quote_override, shell_command
from dlcourse.config.suggestions import did_you_mean
from dlcourse.config.unread import check_keys

__all__ = [
    "CONF",
    "check_keys",
    "choices",
    "compose",
    "config_dir_flags",
    "config_groups",
    "config_roots",
    "did_you_mean",
    "empty_list",
    "nearest",
    "plugins",
    "quote_override",
    "require",
    "shell_command",
    "use_config_dir",
]
