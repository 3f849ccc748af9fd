"""The interface of loggers. A logger holds settings and opens an exporter, which copies the record of a run elsewhere.

The run's folder holds everything and needs no logger. `record.RunRecord` passes all values to the exporters, and turns
their errors into warnings, so that they never end a run.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

Row = Mapping[str, Any]
"""One line of the record: stage, step, time in seconds since 1970, and the recorded values by name, as floats."""


@dataclass(frozen=True)
class Identity:
    """The name and tags under which loggers list a run.

    It is not the run's `identity`, the hash of its settings (`configuration.identity`).

    Attributes
    ----------
    name
        The name of the run.
    group
        What the run is grouped by: the name of its sweep, or else its settings without seed and class.
    job_type
        What the run does: the name of its detector, `summary` or `report`.
    tags
        Words to filter by.
    notes
        A text to show with the run.
    part
        Which run of a job over several classes it is; empty for a job of one run.
    """

    name: str
    group: str
    job_type: str
    tags: tuple[str, ...]
    notes: str = ""
    part: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture in a cell of a table.

    Attributes
    ----------
    pixels
        uint8 (H, W) or (H, W, 3).
    """

    pixels: Any


class Exporter(Protocol):
    """Copies the record of one run elsewhere. Its methods may raise any exception, which becomes a warning."""

    title: str
    """The name of the exporter in messages."""

    def scalars(self, row: Row) -> None:
        """Add the values of one recorded step."""

    def rewind(self, stage: str, rows: Sequence[Row]) -> None:
        """Begin or resume a stage: replace everything that was added for it by `rows`; later rows follow them."""

    def picture(self, name: str, path: Path) -> None:
        """Add a picture, a file in the run's folder."""

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Add a table. A cell is a number, a text, a bool, None or a `Picture`."""

    def bars(self, name: str, label: str, value: str, values: Mapping[str, float]) -> None:
        """Add a bar chart of values by name; `label` and `value` are the titles of its two axes."""

    def summary(self, values: Mapping[str, float | str]) -> None:
        """Add results of the whole run."""

    def finish(self, exit_code: int) -> None:
        """Close the copy; the run failed unless the exit code is 0. No other method is called afterwards."""


class Logger(Protocol):
    """The settings of one logger, an option of the group `logger`."""

    def open(self, folder: Path, identity: Identity, config: dict[str, Any]) -> Exporter | None:
        """Open the exporter of the run in a folder, new or resumed.

        Parameters
        ----------
        folder
            The run's folder.
        identity
            The name and tags under which the run is listed.
        config
            The run's configuration, as plain containers.

        Returns
        -------
        The exporter; None if it cannot be opened, after the logger has warned of that.
        """
        ...


def loggers(nodes: Mapping[str, Mapping[str, Any]]) -> list[Logger]:
    """Build the loggers of a checked configuration.

    Parameters
    ----------
    nodes
        The node `logger` of the configuration, which holds a node with a `_target_` for each logger, by name.

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


def without_pictures(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> tuple[list[str], list[list[object]]]:
    """A table without its columns of pictures, for exporters that write text."""
    kept = [place for place in range(len(columns)) if not any(isinstance(row[place], Picture) for row in rows)]
    return [columns[place] for place in kept], [[row[place] for place in kept] for row in rows]


def reason(error: Exception) -> str:
    """Why something failed, in one line."""
    return " ".join(str(error).split()) or type(error).__name__
