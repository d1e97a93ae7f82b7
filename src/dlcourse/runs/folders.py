"""Run folders: unique names, removal of empty ones, protection of those in use."""

import contextlib
import logging
from collections.abc import Generator
from pathlib import Path

from filelock import FileLock, Timeout

from dlcourse.errors import UserError
from dlcourse.runs.result import CONFIG, read_result

log = logging.getLogger(__name__)

LOCK = ".lock"


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


def weights_file(folder: Path) -> Path:
    """The weights of a run: those that export packed, else its best checkpoint, which may be missing."""
    packed = folder / "weights.pt"
    return packed if packed.is_file() else folder / "checkpoints" / "best.ckpt"


def drop_empty(folder: Path) -> None:
    """Remove a run folder if it is empty, and its empty parents inside the working folder."""
    folder, working = folder.absolute(), Path.cwd()
    with contextlib.suppress(OSError):
        while folder != working:
            folder.rmdir()
            folder = folder.parent
            if working not in folder.parents:
                break


@contextlib.contextmanager
def in_use(folder: Path) -> Generator[None]:
    """Keep other processes from training in a run folder; the lock ends with the process.

    Some network disks have no locks: there a warning takes the place of the protection.

    Raises:
        UserError: another process trains in it.
    """
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"another process is training in {folder}: wait until it ends, or stop it") from None
    except (OSError, NotImplementedError) as error:
        log.warning("%s cannot be locked (%s): do not start a second training in it", folder, error)
    try:
        yield
    finally:
        if lock.is_locked:
            with contextlib.suppress(OSError):  # Windows does not remove an open file
                (folder / LOCK).unlink(missing_ok=True)
            lock.release()


def refuse_run(folder: Path) -> None:
    """Refuse a run folder as the output folder of another command, which would replace its files.

    Raises:
        UserError: it contains a run.
    """
    done = read_result(folder)
    if (folder / CONFIG).exists() and (done is None or done.verb == "train"):
        raise UserError(f"{folder} contains a run, whose files would be replaced: use another hydra.run.dir")
