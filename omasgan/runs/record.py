"""The record of a run: the file `metrics.jsonl` in its folder, which is complete without a network or a logger.

Each line of `metrics.jsonl` is a JSON object with stage, step, time (seconds since 1970) and the recorded values, where
null stands for a value that is not finite. Loggers get copies. If a logger fails, the run and its record go on.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omasgan.errors import UserError
from omasgan.files import make_folder, write_text
from omasgan.runs.logger import Exporter, Identity, Logger, reason

log = logging.getLogger(__name__)

HISTORY = "metrics.jsonl"
"""The file that the losses of training are recorded in."""


class RunRecord:
    """The record in a run's folder; an existing one is continued.

    Parameters
    ----------
    folder
        The run's folder, which exists.

    Attributes
    ----------
    exporters
        The exporters of the loggers, which get a copy of everything.
    """

    def __init__(self, folder: Path) -> None:
        self.exporters: list[Exporter] = []
        self._path = folder / HISTORY
        self._warned: set[str] = set()
        # Removes an incomplete last line, which a killed process leaves: the next line would be appended to it.
        self._rewrite(_rows(self._path))

    def open(self, logger: Logger, identity: Identity, config: dict[str, Any]) -> None:
        """Open a logger's exporter. If that fails, warn of it; the run is recorded in its folder all the same."""
        folder = self._path.parent
        try:
            exporter = logger.open(folder, identity, config)
        except Exception as error:
            log.warning("%s does not record this run, its folder does: %s", type(logger).__name__, reason(error))
            return
        if exporter is not None:
            self.exporters.append(exporter)

    def scalars(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        """Append a line to the file, and pass its values to the exporters.

        Raises
        ------
        UserError
            Where the disk is full.
        TypeError
            For a value with the name `stage`, `step` or `time`.
        """
        finite = {name: float(value) if math.isfinite(value) else None for name, value in values.items()}
        when = round(time.time(), 3)
        line = _line(dict(stage=stage, step=step, time=when, **finite))
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise UserError(f"cannot write {self._path}: {error.strerror}; make room there") from error
        row = dict(stage=stage, step=step, time=when, **{name: float(value) for name, value in values.items()})
        self._export(lambda exporter: exporter.scalars(row))

    def rewind(self, stage: str, step: int) -> None:
        """Remove what the stage recorded after `step`."""
        rows = [row for row in _rows(self._path) if row["stage"] != stage or row["step"] <= step]
        self._rewrite(rows)
        kept = [_floats(row) for row in rows if row["stage"] == stage]
        self._export(lambda exporter: exporter.rewind(stage, kept))

    def picture(self, name: str, path: Path) -> None:
        """Pass a picture, a file in the run's folder, to the loggers."""
        self._export(lambda exporter: exporter.picture(name, path))

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Pass a table to the loggers."""
        self._export(lambda exporter: exporter.table(name, columns, rows))

    def bars(self, name: str, label: str, value: str, values: Mapping[str, float]) -> None:
        """Pass a bar chart to the loggers."""
        self._export(lambda exporter: exporter.bars(name, label, value, values))

    def summary(self, values: Mapping[str, float | str]) -> None:
        """Pass results of the whole run to the loggers."""
        self._export(lambda exporter: exporter.summary(values))

    def finish(self, exit_code: int) -> None:
        """Close the loggers' copies; they show a failed run unless the exit code is 0."""
        self._export(lambda exporter: exporter.finish(exit_code))

    def _export(self, tell: Callable[[Exporter], object]) -> None:
        """Call a function with each exporter. Warn of the first error of an exporter, and ignore its later ones."""
        for exporter in self.exporters:
            try:
                tell(exporter)
            except Exception as error:
                if exporter.title not in self._warned:
                    folder = self._path.parent
                    log.warning("%s's copy of %s is not complete: %s", exporter.title, folder, reason(error))
                self._warned.add(exporter.title)

    def _rewrite(self, rows: list[dict[str, Any]]) -> None:
        write_text(self._path, "".join(map(_line, rows)))


@contextmanager
def open_record(
    folder: Path, identity: Identity, config: dict[str, Any], loggers: Sequence[Logger]
) -> Iterator[RunRecord]:
    """Open the record of the run in a folder, new or resumed, with its loggers.

    Parameters
    ----------
    folder
        The run's folder; it is made if it does not exist.
    identity
        The name and tags under which loggers list the run.
    config
        The run's configuration, as plain containers.
    loggers
        Where copies of the record go. After an exception inside the `with` block they show a failed run.

    Raises
    ------
    UserError
        Where the folder cannot be written, or holds a record that is damaged.
    """
    make_folder(folder)
    record = RunRecord(folder)
    exit_code = 1
    try:
        for logger in loggers:
            record.open(logger, identity, config)
        yield record
        exit_code = 0
    finally:
        record.finish(exit_code)


def history(folder: Path) -> dict[str, dict[str, tuple[list[int], list[float]]]]:
    """Read the record in a folder: stage -> name -> (steps, values); raises UserError if it is damaged."""
    curves: dict[str, dict[str, tuple[list[int], list[float]]]] = {}
    for row in _rows(folder / HISTORY):
        stage, step, _ = row.pop("stage"), row.pop("step"), row.pop("time")
        for name, value in row.items():
            steps, values = curves.setdefault(stage, {}).setdefault(name, ([], []))
            steps.append(step)
            values.append(math.nan if value is None else value)
    return curves


def _floats(row: dict[str, Any]) -> dict[str, Any]:
    """A line with its values as they were recorded; an infinite value is read back as NaN."""
    return {name: math.nan if value is None else value for name, value in row.items()}


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, allow_nan=False) + "\n"


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    *lines, _cut_short = path.read_text(encoding="utf-8").split("\n")
    try:
        return [json.loads(line) for line in lines]
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is damaged: remove the line {error.doc[:80]!r}") from error
