"""Run folders: unique names, removal of empty ones."""

import contextlib
from pathlib import Path


def unique_folder(parent: str, name: str) -> str:
    """The first free one of parent/name, parent/name-2 ..., made at once so that no other run gets it."""
    root = Path(parent)
    root.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        candidate = name if number == 1 else f"{name}-{number}"
        try:
            (root / candidate).mkdir()
        except FileExistsError:
            number += 1
        else:
            return str(root / candidate)


def drop_empty(folder: Path) -> None:
    """Remove a run folder in which nothing came to lie, and what holds nothing else, up to outputs/."""
    with contextlib.suppress(OSError):
        while folder.name not in ("outputs", "") and folder != Path.cwd():
            folder.rmdir()
            folder = folder.parent
