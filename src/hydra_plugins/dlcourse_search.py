"""Hydra finds sweepers in this package; the code of `-m search=NAME` is in dlcourse.sweeps.search."""

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class Search(Sweeper):
    """Runs a multirun by `dlcourse.sweeps.search.trials.search`."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Create the launcher that runs each trial."""
        from hydra.core.plugins import Plugins

        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        self.parts = config, launcher, hydra_context.config_loader

    def sweep(self, arguments: list[str]) -> Any:
        """Run the whole search."""
        from dlcourse.sweeps.search.trials import search

        return search(arguments, *self.parts)
