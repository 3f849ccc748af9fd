"""What a logger is: settings that open an exporter, which is handed the values of a run's record.

The run's folder is the truth, and needs no logger. An exporter copies what it is handed to a place of its own; the
record sees to it that none of its errors ends a run.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

Row = Mapping[str, Any]
"""A recorded step: stage, step, time in seconds since 1970, and the values by name, as floats."""


@dataclass(frozen=True)
class Identity:
    """What a run is listed under.

    Attributes
    ----------
    name
        The run's own name.
    group
        The sweep, or the settings, that it is one of.
    job_type
        What it does: a detector's name, `summary` or `report`.
    tags
        Words to filter by.
    """

    name: str
    group: str
    job_type: str
    tags: tuple[str, ...]


class Exporter(Protocol):
    """Takes the values of one run. Its methods may raise anything: the record turns the first error into a warning."""

    title: str
    """What messages call it."""

    def scalars(self, row: Row) -> None:
        """Take the values of one recorded step."""

    def rewind(self, stage: str, rows: Sequence[Row]) -> None:
        """Begin or resume a stage: `rows` are what the record keeps of it, and all that later ones follow on."""

    def picture(self, name: str, path: Path) -> None:
        """Take a picture that lies in the run's folder."""

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Take a table."""

    def bars(self, name: str, label: str, value: str, values: Mapping[str, float]) -> None:
        """Take values by name, to be shown as bars; label and value are what the two axes are called."""

    def summary(self, values: Mapping[str, float | str]) -> None:
        """Take results of the whole run."""

    def finish(self, exit_code: int) -> None:
        """End; the run failed unless the exit code is 0. Nothing is handed over afterwards."""


class Logger(Protocol):
    """The settings of one logger, an option of the group `logger`."""

    def open(self, folder: Path, identity: Identity, config: dict[str, Any]) -> Exporter | None:
        """Open the exporter of the run in a folder, new or resumed.

        Parameters
        ----------
        folder
            The run's folder.
        identity
            What the run is listed under.
        config
            The run's configuration, as plain containers.

        Returns
        -------
        The exporter, or None where none can be had, which the logger has then said.
        """
        ...


def loggers(nodes: Mapping[str, Mapping[str, Any]]) -> list[Logger]:
    """Build the loggers of a checked configuration.

    Parameters
    ----------
    nodes
        The configuration's `logger`: a node with a `_target_` for each logger, by name.

    Raises
    ------
    UserError
        Where a logger needs a package that is not installed.
    """
    made = []
    for node in nodes.values():
        settings = {key: value for key, value in node.items() if key != "_target_"}
        made.append(cast(Logger, pkgutil.resolve_name(node["_target_"])(**settings)))
    return made


def reason(error: Exception) -> str:
    """Why something failed, in one line."""
    return " ".join(str(error).split()) or type(error).__name__
