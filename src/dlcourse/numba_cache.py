"""Import of modules whose functions numba compiles and keeps on disk."""

import atexit
import importlib
import logging
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

log = logging.getLogger(__name__)


def import_compiled(name: str) -> ModuleType:
    """The module `name`. numba keeps its code beside the source or in the home, or else in a temporary folder."""
    if name.startswith("dlcourse.") and name not in sys.modules:
        _forget_outdated(name)
    try:
        return importlib.import_module(name)
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
    import numba

    folder = tempfile.mkdtemp(prefix="numba-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    numba.config.CACHE_DIR = folder  # ty: ignore[missing-attribute]
    return importlib.import_module(name)


def _forget_outdated(name: str) -> None:
    """Delete compiled code beside a module that is older than a source in its folder; say so if none is left.

    numba looks at a function's own file only, but compiles functions and constants of other modules into it.
    """
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        return
    source = Path(spec.origin)
    newest = max(path.stat().st_mtime for path in source.parent.glob("*.py"))
    for index in source.parent.glob(f"__pycache__/{source.stem}*.nbi"):
        with suppress(OSError):  # a folder that cannot be written, or another process was faster
            if index.stat().st_mtime < newest:
                index.unlink()
    left = any(source.parent.glob(f"__pycache__/{source.stem}*.nbi"))
    if not left and os.access(source.parent, os.W_OK):  # elsewhere numba keeps its code in another folder
        log.info("compiling %s: up to 20 s, once for each version", name)
