"""The lock of a run's folder, which only one process at a time can hold: the file `lock` in that folder.

The operating system holds the lock and releases it when the process ends in any way, so a killed run can be resumed.
The file `lock` stays in the folder. The file `owner` exists only while a process holds the lock. Its first line names
that process, and its second line the process that started it: the sweep, where a launcher makes a process for each job.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from omasgan.errors import UserError
from omasgan.files import make_folder, write_text

LOCK = "lock"
"""The file that is locked."""

OWNER = "owner"
"""The file that names the process that holds the lock."""

PATIENCE = 1.0
"""Seconds to wait for the lock. `held`, which looks whether it is free, holds it for less than a millisecond."""


class HeldError(UserError):
    """Another process, which is still alive, holds the lock of a run."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder inside a `with` block; the folder is created if it does not exist.

    Raises
    ------
    HeldError
        Where another process holds the lock; the message names that process.
    UserError
        Where the folder or the lock cannot be written.
    """
    make_folder(folder)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=PATIENCE, poll_interval=0.02)
    except Timeout:
        raise HeldError(f"{folder} is being run by process {owner(folder)}: wait for it, or end that process") from None
    except OSError as error:
        raise UserError(f"cannot lock {folder / LOCK}: {error.strerror or error}; choose another folder") from error
    try:
        with suppress(UserError):  # only a message needs this file; a full disk is reported by other writes
            write_text(folder / OWNER, f"{_here(os.getpid())}\n{starter()}\n")
        yield
    finally:
        with suppress(OSError):
            (folder / OWNER).unlink()
        lock.release()


def owner(folder: Path) -> str:
    """The process that holds the lock of a run, as 'process@host'; 'unknown' if it cannot be read."""
    return (_owner_lines(folder) or ["unknown"])[0]


def started_here(folder: Path) -> bool:
    """Whether this process, or one that it started, holds the lock of a run."""
    return starter() in _owner_lines(folder)


def _owner_lines(folder: Path) -> list[str]:
    try:
        return (folder / OWNER).read_text(encoding="utf-8").split()
    except OSError:  # the process has only just begun, or has just ended
        return []


def starter() -> str:
    """The process that started this one to run jobs, or this one, as 'process@host'."""
    parent = multiprocessing.parent_process()
    return _here(os.getpid() if parent is None or parent.pid is None else parent.pid)


def _here(pid: int) -> str:
    return f"{pid}@{socket.gethostname()}"


def held(folder: Path) -> bool:
    """Whether a process that is still alive holds the lock of a run."""
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
