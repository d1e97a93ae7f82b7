"""Files that are written as a whole or not at all."""

import contextlib
import errno
import os
from collections.abc import Generator
from pathlib import Path

from dlcourse.errors import UserError

PART = ".part"  # how the name of a file ends that is being written


@contextlib.contextmanager
def replaced(path: Path) -> Generator[Path]:
    """A name beside a file's to write it under; it is renamed in the end, so that nobody ever reads half of it.

    Raises:
        UserError: the folder cannot be written or the disk is full; a file that was there before is as it was.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        remedy = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "make its folder writable"
        raise UserError(f"{path} could not be written ({error.strerror or error}): {remedy}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def drop_parts(folder: Path) -> None:
    """Remove what a killed run had begun to write."""
    for part in folder.rglob(f".*{PART}"):
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing."""
    with replaced(path) as part:
        part.write_text(text, "utf8")
