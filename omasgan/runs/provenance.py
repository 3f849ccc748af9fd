"""What a run was made with: versions, commit, code, machine, command."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from omasgan import __version__


def provenance() -> dict[str, Any]:
    """Versions, commit and dirty flag (null outside a checkout), code, machine and command, as plain types."""
    import torch  # reading a record needs none of it

    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return {
        "omasgan": __version__,
        "commit": commit,
        "dirty": None if changes is None else bool(changes),
        "code": _code(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "torchvision", "hydra-core", "scikit-learn", "numpy")},
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }


def _code() -> str:
    """Sixteen hexadecimal digits, others where any of the package's modules is another, committed or not."""
    digest = hashlib.sha256()
    package = Path(__file__).parents[1]
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _git(*arguments: str) -> str | None:
    folder = Path(__file__).parent
    try:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
