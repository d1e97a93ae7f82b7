"""Keeps freed memory for the next training step instead of returning it to the system."""

import ctypes
import sys
from collections.abc import Generator
from contextlib import contextmanager

# glibc's numbers of the two settings, from malloc.h.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
LARGEST = 2**28  # bytes of the largest block that is kept; arrays of whole data sets are larger


@contextmanager
def freed_memory_kept() -> Generator[None]:
    """Let the C library keep the blocks that a training step frees; they are returned to the system at the end.

    By default glibc returns the top of its heap and every block above 32 MB to the system when they are freed. The
    activations of a training step are such blocks: the system then clears each of their pages again at every step,
    which can take longer than the computation itself, above all with several threads. Other C libraries are not
    changed.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if not hasattr(library, "mallopt") or not hasattr(library, "malloc_trim"):
        yield
        return
    library.mallopt(MMAP_THRESHOLD, LARGEST)
    library.mallopt(TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        library.malloc_trim(0)
