"""The log messages of a run: printed, and in its train.log."""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from dlcourse.errors import UserError


class _LogFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """Ignore it: on a full disk the run reports the error itself, and a lost log line is not worth a traceback."""


@contextmanager
def console() -> Generator[None]:
    """Print the log messages of dlcourse where no logging shows them, as in a notebook or a script."""
    logger = logging.getLogger("dlcourse")
    handlers = [*logger.handlers, *logging.getLogger().handlers]
    shown = [h for h in handlers if isinstance(h, logging.StreamHandler) and not isinstance(h, logging.FileHandler)]
    if any(handler.level <= logging.INFO for handler in shown):
        yield
        return
    handler = logging.StreamHandler()
    handler.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@contextmanager
def log_file(path: Path) -> Generator[None]:
    """Write the log messages of dlcourse to the run's train.log as well."""
    if path.is_symlink():  # in a folder from somebody else it may point to any file of the user
        raise UserError(f"{path} is a symbolic link and is not written to: remove it")
    logger = logging.getLogger("dlcourse")
    handler = _LogFile(path, encoding="utf8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
