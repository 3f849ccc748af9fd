"""The finished run that a command is given by the path of its folder."""

from __future__ import annotations

from pathlib import Path

from omasgan.errors import UserError
from omasgan.files import user_path
from omasgan.runs.folder import METRICS, SUMMARY, find


def find_run(given: str, key: str) -> Path:
    """The folder of a finished run.

    Parameters
    ----------
    given
        The path.
    key
        The key of the configuration that has it, for messages.

    Raises
    ------
    UserError
        Where the folder is not that of one finished run.
    """
    folder = user_path(given)
    if (folder / SUMMARY).is_file():
        one = next((part for part in find(folder) if part != folder), folder)
        raise UserError(f"{key}={folder} holds a run for each class: give one of them, such as {key}={one}")
    if not (folder / METRICS).is_file():
        raise UserError(f"{key}={folder} is not the folder of a finished run: it has no metrics.json")
    return folder
