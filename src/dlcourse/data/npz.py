"""Prepared data sets on disk: one .npz file each, written under a temporary name and renamed."""

import hashlib
import json
import math
import os
import secrets
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from dlcourse.errors import UserError

SMALL, MOST_PACKED = 2**28, 50  # bytes; largest plausible compression factor of an archive of images
Npz = dict[str, np.ndarray]
AGAIN = "move it away to have it made again"  # remedy for a damaged file of the cache


def cached_npz(path: Path, make: Callable[[], Mapping[str, np.ndarray]], remedy: str = AGAIN) -> Npz:
    """Return the arrays of `path`; make and write them first if it does not exist.

    Raises:
        UserError: the folder is not writable, the disk is full or the file is damaged.
    """
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            probe = path.with_suffix(f".{os.getpid()}-{secrets.token_hex(4)}.part")
            probe.touch()  # before the work, not after it
        except OSError as error:
            raise UserError(
                f"{path.parent} is not writable ({error.strerror}): use another folder with data_dir=DIR"
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
    return read_npz(path, remedy)


def read_npz(path: Path, remedy: str = "use another file") -> Npz:
    """Read all arrays of an .npz file; objects are never unpickled.

    `remedy` ends the message about a file that could not be read.

    Raises:
        UserError: the file is missing, truncated or not an .npz file, or its headers declare more than it contains.
    """
    try:
        if not path.is_file():
            raise ValueError("it is a folder" if path.is_dir() else "file not found")
        with zipfile.ZipFile(path) as archive:
            whole = sum(info.file_size for info in archive.infolist())
            if whole > max(SMALL, MOST_PACKED * path.stat().st_size):
                raise ValueError(f"its {path.stat().st_size} bytes would expand to {whole}")
            for info in archive.infolist():
                with archive.open(info) as member:
                    check_header(member, info.file_size)
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # zipfile, zlib and numpy raise many kinds of errors for a damaged file
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(f"{path} could not be read as .npz ({reason}): {remedy}") from None


def check_header(file: IO[bytes], size: int) -> None:
    """Refuse an .npy of `size` bytes that declares another size, before memory is allocated, or that contains objects.

    Raises:
        ValueError: the header is wrong.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("it contains objects, which are not unpickled")
    declared = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or declared != size - file.tell():
        raise ValueError(f"it declares {declared} bytes and contains {size - file.tell()}")


def settings_hash(settings: Mapping[str, Any]) -> str:
    """A hash of plain settings: twelve hexadecimal digits."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
