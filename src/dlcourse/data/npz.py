"""Prepared data sets on disk: one .npz each, written beside and renamed."""

import hashlib
import json
import math
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from dlcourse.errors import UserError

SMALL, MOST_PACKED = 2**28, 50  # bytes; times that an honest archive of pictures may become larger
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
        UserError: the file is missing, truncated or no .npz, or says that it holds more than there is.
    """
    try:
        if not path.is_file():
            raise ValueError("there is no such file")
        with zipfile.ZipFile(path) as archive:
            whole = sum(info.file_size for info in archive.infolist())
            if whole > max(SMALL, MOST_PACKED * path.stat().st_size):
                raise ValueError(f"{path.stat().st_size} bytes that would become {whole}")
            for info in archive.infolist():
                with archive.open(info) as member:
                    check_header(member, info.file_size)
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # of a damaged file zipfile, zlib and numpy raise whatever its parts do
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(f"{path} is no readable .npz ({reason}): delete it to have it made anew") from None


def check_header(file: IO[bytes], size: int) -> None:
    """Refuse an .npy of so many bytes that declares another size, before memory is asked for; or that holds objects.

    Raises:
        ValueError: it does.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("it holds objects, which are not unpickled")
    declared = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or declared != size - file.tell():
        raise ValueError(f"it declares {declared} bytes and holds {size - file.tell()}")


def settings_hash(settings: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits that stand for plain settings."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
