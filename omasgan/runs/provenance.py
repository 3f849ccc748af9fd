"""The provenance of a run: versions, commit, code, machine and command."""

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
    """Collect the provenance of a run that starts now.

    Returns
    -------
    dict of str to Any
        Plain types by name: versions, commit and whether tracked files differ from it (both None outside a checkout),
        the hash of the package's code, machine, threads and command.
    """
    import torch  # imported here because reading a record does not need it

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
    """The hash of the package's modules as they are on disk, sixteen hexadecimal digits."""
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
