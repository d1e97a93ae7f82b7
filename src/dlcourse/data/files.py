"""Prepared data sets on disk: one .npz each, written beside and renamed."""

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.errors import UserError

Npz = dict[str, np.ndarray]


def cached_npz(path: Path, make: Callable[[], Mapping[str, np.ndarray]]) -> Npz:
    """The arrays of `path`, made and written first where it does not exist.

    Raises:
        UserError: the folder cannot be written, the disk is full or the file is damaged.
    """
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            probe = path.with_suffix(f".{os.getpid()}.part")
            probe.touch()  # before the work, not after it
        except OSError as error:
            raise UserError(
                f"{path.parent} cannot be written ({error.strerror}): name another folder with data_dir=DIR"
            ) from None
        try:
            arrays = make()
            with probe.open("wb") as file:
                np.savez(file, allow_pickle=False, **dict(arrays))
            probe.replace(path)
        except OSError as error:
            raise UserError(
                f"{path} could not be written ({error.strerror}): free some space or set data_dir=DIR"
            ) from None
        finally:
            probe.unlink(missing_ok=True)
        return dict(arrays)
    return read_npz(path)


def read_npz(path: Path) -> Npz:
    """All arrays of an .npz, no object ever unpickled.

    Raises:
        UserError: the file is missing, truncated or no .npz.
    """
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is no readable .npz ({error}): delete it to have it made anew") from None


def settings_hash(settings: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits that stand for plain settings."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
