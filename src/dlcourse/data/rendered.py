"""Rendered data sets: drawn once and stored in a file named by a hash of their settings."""

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
    """Rendered images. A subclass states its settings and renders the splits.

    Args:
        data_dir: where the rendered splits are stored.
        name, batch_size, augment, seed: see `DataModule`.
    """

    rendered = True
    KIND: str  # prefix of the file's name

    def __init__(self, data_dir: str, name: str, batch_size: int, augment: Augment | None = None, seed: int = 0):
        super().__init__(name, batch_size, augment, seed)
        self.data_dir = data_dir

    @abstractmethod
    def file_settings(self) -> Mapping[str, Any]:
        """All settings that the stored images depend on, including the renderer's version, as plain values."""

    @abstractmethod
    def render_splits(self) -> dict[str, np.ndarray]:
        """The arrays of the file: `<split>_x` and `<split>_y`."""

    @property
    def path(self) -> Path:
        """The file of these settings and this version of the renderer."""
        return Path(self.data_dir) / f"{self.KIND}-{settings_hash(self.file_settings())}.npz"

    def _render(self) -> dict[str, np.ndarray]:
        log.info("rendering %s", self.path.name)
        return self.render_splits()

    def prepare_data(self) -> None:
        """Render the splits into `path` unless it exists."""
        if not self.path.exists():
            self.stored()

    def stored(self) -> Npz:
        """Return the arrays of `path`; render them first if it does not exist."""
        return cached_npz(self.path, self._render)
