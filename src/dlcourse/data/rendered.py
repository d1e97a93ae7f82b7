"""Data sets that we draw ourselves: rendered once, kept in a file named after their settings."""

import logging
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.data.batches import Augment
from dlcourse.data.module import DataModule
from dlcourse.data.npz import Npz, cached_npz, settings_hash

log = logging.getLogger(__name__)


class Rendered(DataModule):
    """Pictures drawn by us. A subclass says what its settings are and draws the splits.

    Args:
        data_dir: where the rendered splits are kept.
        name, batch_size, augment, seed: see `DataModule`.
    """

    rendered = True
    KIND: str  # what the file's name begins with

    def __init__(self, data_dir: str, name: str, batch_size: int, augment: Augment | None = None, seed: int = 0):
        super().__init__(name, batch_size, augment, seed)
        self.data_dir = data_dir

    @abstractmethod
    def file_settings(self) -> Mapping[str, Any]:
        """Everything that the stored pictures depend on, the renderer's version too, as plain values."""

    @abstractmethod
    def render_splits(self) -> dict[str, np.ndarray]:
        """The arrays of the file: `<split>_x` and `<split>_y`."""

    @property
    def path(self) -> Path:
        """The file of this setting; another setting or renderer has another."""
        return Path(self.data_dir) / f"{self.KIND}-{settings_hash(self.file_settings())}.npz"

    def _render(self) -> dict[str, np.ndarray]:
        log.info("rendering %s", self.path.name)
        return self.render_splits()

    def prepare_data(self) -> None:
        """Render the splits into `path` unless they are there."""
        if not self.path.exists():
            self.stored()

    def stored(self) -> Npz:
        """The arrays of `path`, rendered first where it is not there."""
        return cached_npz(self.path, self._render)
