"""Run folders: unique names, removal of empty ones."""

import contextlib
from pathlib import Path

from dlcourse.errors import UserError


def unique_folder(parent: str, name: str) -> str:
    """Create and return the first free folder of parent/name, parent/name-2, ...; no other run gets it.

    Raises:
        UserError: the folder is not writable.
    """
    root = Path(parent)
    number = 1
    try:
        root.mkdir(parents=True, exist_ok=True)
        while True:
            candidate = name if number == 1 else f"{name}-{number}"
            try:
                (root / candidate).mkdir()
            except FileExistsError:
                number += 1
            else:
                return str(root / candidate)
    except OSError as error:
        raise UserError(
            f"{root.absolute()} is not writable ({error.strerror}): work in another folder, or set hydra.run.dir=DIR "
            "(with -m hydra.sweep.dir=DIR)"
        ) from None


def drop_empty(folder: Path) -> None:
    """Remove a run folder if it is empty, and its empty parents inside the working folder."""
    folder, working = folder.absolute(), Path.cwd()
    with contextlib.suppress(OSError):
        while folder != working:
            folder.rmdir()
            folder = folder.parent
            if working not in folder.parents:
                break
