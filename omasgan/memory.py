"""How the C library hands freed memory back, which costs a training step on a CPU up to half its time."""

from __future__ import annotations

import contextlib
import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt(3)."""

DEFAULT = 128 * 1024
LARGEST_MMAP_THRESHOLD = 32 * 1024**2
NEVER_TRIM = 2**31 - 1


def keep_freed_memory(keep: bool = True) -> None:
    """Keep freed memory for the next tensor (or go back to glibc's defaults); elsewhere than on glibc nothing happens.

    By default every tensor of some megabytes is mapped afresh and unmapped when freed, so that each of its pages faults
    in anew at every step.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD if keep else DEFAULT)
        mallopt(TRIM_THRESHOLD, NEVER_TRIM if keep else DEFAULT)
