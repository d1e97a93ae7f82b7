"""Freed memory is kept for the next step, not given back to the system after each."""

import ctypes
import sys
from collections.abc import Generator
from contextlib import contextmanager

# glibc's numbers of the two settings, from malloc.h.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
LARGEST = 2**28  # bytes of a block that is kept; arrays of whole data sets are larger


@contextmanager
def freed_memory_kept() -> Generator[None]:
    """Let the C library keep the blocks that a step frees, for the next one; all are given back at the end.

    By itself glibc gives the top of its heap, and every block above 32 MB, back to the system once they are freed. The
    activations of a training step are such blocks: the system has to clear each of their pages anew at every step,
    which can take longer than computing on them, most of all where several threads wait for it. Other C libraries are
    left alone.
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
