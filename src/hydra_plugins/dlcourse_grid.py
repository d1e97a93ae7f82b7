"""Hydra finds sweepers in this package; the code of a multirun is in dlcourse.sweeps.grid."""

from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper


class Grid(BasicSweeper):
    """All combinations of the swept values, each in `<sweep>/<n>`; a job keeps its n when the sweep continues."""

    def __init__(self, max_batch_size: int | None, params: dict[str, str] | None = None, groups: Sequence[str] = ()):
        super().__init__(max_batch_size, params)
        self.groups = groups

    def sweep(self, arguments: list[str]) -> Any:
        """Run the jobs that have not ended."""
        from dlcourse.sweeps.grid import run_grid

        return run_grid(self, arguments, self.groups)
