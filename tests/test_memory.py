"""Memory that a step frees is there for the next one."""

import ctypes
import resource
import sys

import pytest
import torch

from dlcourse.training.memory import freed_memory_kept

GLIBC = sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallopt")


@pytest.mark.skipif(not GLIBC, reason="the C library is not glibc")
def test_a_freed_block_is_not_cleared_anew() -> None:
    def faults() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

    with freed_memory_kept():
        for _ in range(20):  # it takes some until none of them falls into a hole that is a little too small
            torch.ones(2**24)
        before = faults()
        for _ in range(10):
            torch.ones(2**24)  # 64 MB, 16,384 pages
        assert faults() - before < 16384
