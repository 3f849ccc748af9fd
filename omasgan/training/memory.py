"""Keeps the C library from returning freed memory to the system, and the garbage collector from the libraries' objects.

The first takes a tenth of a training step on a CPU, the second a sixth of the time of drawing a run's plots.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
from functools import cache

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt(3)."""

LARGEST_MMAP_THRESHOLD = 32 * 1024**2
"""The largest MMAP_THRESHOLD that glibc accepts, in bytes."""

NEVER_TRIM = 2**31 - 1
"""A TRIM_THRESHOLD, in bytes, that is never reached."""


def keep_freed_memory() -> None:
    """Make glibc keep freed memory for the next tensors; with other C libraries, do nothing.

    By default glibc returns much of the memory of a training step to the system, and the next step causes a page fault
    for each of its pages.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD)
        mallopt(TRIM_THRESHOLD, NEVER_TRIM)


@cache  # once in a process: what an earlier job left behind must stay collectable
def set_libraries_aside() -> None:
    """Take the objects that exist by now, nearly all of them of imported libraries, out of garbage collection."""
    gc.collect()
    gc.freeze()
