"""Functions that write files atomically: an interrupted write leaves the old file, or none, but no incomplete one."""

from __future__ import annotations

import contextlib
import io
import json
import math
import uuid
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO

from omasgan.errors import UserError

_start: ContextVar[Path | None] = ContextVar("start", default=None)


@contextlib.contextmanager
def relative_to(start: Path | None) -> Iterator[None]:
    """Let `user_path` take relative paths as relative to this folder; None stands for the current one."""
    before = _start.set(start)
    try:
        yield
    finally:
        _start.reset(before)


def user_path(path: str | Path) -> Path:
    """A path that the user gave: ~ is the home, and a relative path starts where the command was started.

    That is another folder than the current one where `hydra.job.chdir=true` makes a job change into its own.
    """
    expanded, start = Path(path).expanduser(), _start.get()
    return expanded if start is None else start / expanded


def make_folder(path: Path) -> None:
    """Make a folder and its parents where they do not exist; raises UserError where that is not possible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file atomically.

    Parameters
    ----------
    path
        The file, in an existing folder.
    write
        A function that writes the content to a binary file object. An exception that it raises is passed on, before
        anything is written to the disk.

    Raises
    ------
    UserError
        Where the file cannot be written, for example because the disk is full.
    """
    # In memory first, because zipfile, and what is built on it, replaces the error of a full disk by errors of its own.
    content = io.BytesIO()
    write(content)
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        temporary.write_bytes(content.getbuffer())
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with contextlib.suppress(OSError):  # after a successful write there is nothing to remove
            temporary.unlink()


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes atomically; see `write_atomically`."""
    write_atomically(path, lambda file: file.write(content))


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8 atomically; characters that UTF-8 cannot encode (raw bytes of a file name) are escaped."""
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_json(path: Path, value: object) -> None:
    """Write JSON atomically; NaN and infinity, which JSON does not have, become null."""
    write_atomically(path, lambda file: file.write(json_bytes(value)))


def json_bytes(value: object) -> bytes:
    """The bytes that `write_json` writes."""
    text = json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode(errors="backslashreplace")


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _unwritable(path: Path, error: OSError) -> UserError:
    reason = error.strerror or str(error)
    return UserError(f"cannot write {path}: {reason}; make room there or choose a folder that can be written to")
