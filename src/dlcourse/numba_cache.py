"""Import of modules whose functions numba compiles and keeps on disk."""

import atexit
import importlib
import shutil
import tempfile
from types import ModuleType


def import_compiled(name: str) -> ModuleType:
    """The module `name`. numba keeps its code beside the source or in the home, or else in a temporary folder."""
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
