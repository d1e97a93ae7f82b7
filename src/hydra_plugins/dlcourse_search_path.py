"""Adds the config folders of installed dlcourse plugins to Hydra's search path."""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class DlcoursePlugins(SearchPathPlugin):
    """The folders that packages declare in the entry point group `dlcourse.plugins`, after the shipped one."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append one entry for each plugin; Hydra calls this before it composes."""
        from dlcourse.config import plugins

        for plugin in plugins():
            search_path.append(f"dlcourse plugin {plugin.module}", f"file://{plugin.conf}")
