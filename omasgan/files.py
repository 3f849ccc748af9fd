"""Writing files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import io
import json
import math
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from omasgan.errors import UserError


def make_folder(path: Path) -> None:
    """Make a folder and its parents; one that exists is fine. UserError where it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Put what `write` writes into its file at `path`, whose folder exists; until then an old file stays.

    UserError where the disk refuses. What `write` itself raises passes through, before the disk is touched.
    """
    # In memory first: zipfile, and all that builds on it, hides a full disk behind errors of its own.
    content = io.BytesIO()
    write(content)
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        temporary.write_bytes(content.getbuffer())
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with contextlib.suppress(OSError):  # after a success there is nothing left to remove
            temporary.unlink()


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes atomically."""
    write_atomically(path, lambda file: file.write(content))


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 atomically; what UTF-8 cannot hold (the raw bytes of a file's name) is escaped."""
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_json(path: Path, value: object) -> None:
    """Write JSON atomically; NaN and infinity, which JSON lacks, become null."""
    write_atomically(path, lambda file: file.write(json_bytes(value)))


def json_bytes(value: object) -> bytes:
    """What `write_json` writes."""
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
