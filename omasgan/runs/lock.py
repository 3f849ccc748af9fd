"""A run's lock: one process at a time owns a run's folder.

The lock is the operating system's: it is freed when its holder dies however it dies, so a run that was killed can be
resumed. The file `owner` names the holder while it lives.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from omasgan.errors import UserError
from omasgan.files import make_folder, write_text

LOCK = "lock"
OWNER = "owner"

PATIENCE = 1.0
"""Seconds that a claim waits: whoever looks at a run's state holds its lock for less than a millisecond."""


class HeldError(UserError):
    """The run is another living process's."""


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold the run's folder. Raises HeldError, naming the holder, where another process has it."""
    make_folder(folder)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=PATIENCE, poll_interval=0.02)
    except Timeout:
        raise HeldError(f"{folder} is being run by process {owner(folder)}: wait for it, or end that process") from None
    except OSError as error:
        raise UserError(f"cannot lock {folder / LOCK}: {error.strerror or error}; choose another folder") from error
    try:
        with suppress(UserError):  # it is a courtesy: a full disk is told of by what needs it
            write_text(folder / OWNER, f"{os.getpid()}@{socket.gethostname()}\n")
        yield
    finally:
        with suppress(OSError):
            (folder / OWNER).unlink()
        lock.release()


def owner(folder: Path) -> str:
    """Who holds the run, as process@host."""
    try:
        return (folder / OWNER).read_text(encoding="utf-8").strip()
    except OSError:  # it has just begun, or just ended
        return "unknown"


def held(folder: Path) -> bool:
    """Whether a living process holds the run."""
    path = folder / LOCK
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    lock.release()
    return False
