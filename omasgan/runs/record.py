"""The run's own record: `metrics.jsonl` in its folder, the truth that needs no network. Loggers get copies of it.

`metrics.jsonl` holds a JSON object a line: stage, step, time (seconds since 1970) and the values, null
for one that is not finite. No error of a logger ends a run or costs a record.
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

METRICS = "metrics.jsonl"


class RunRecord:
    """The record in a run's folder, continued where there is one.

    Parameters
    ----------
    folder
        The run's folder, which exists.

    Attributes
    ----------
    exporters
        Those that are handed a copy of everything.
    """

    def __init__(self, folder: Path) -> None:
        self.exporters: list[Exporter] = []
        self._path = folder / METRICS
        self._warned: set[str] = set()
        # Without a line that a kill cut short, or else the next one would continue it.
        self._rewrite(_rows(self._path))

    def open(self, logger: Logger, identity: Identity, config: dict[str, Any]) -> None:
        """Open a logger's exporter. An error of its is a warning, and the run is recorded all the same."""
        folder = self._path.parent
        try:
            exporter = logger.open(folder, identity, config)
        except Exception as error:
            log.warning("%s does not record this run, its folder does: %s", type(logger).__name__, reason(error))
            return
        if exporter is not None:
            self.exporters.append(exporter)

    def scalars(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        """Append a line. UserError where the disk is full, TypeError for a value named as a key."""
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
        """Drop the stage's lines after `step`."""
        rows = [row for row in _rows(self._path) if row["stage"] != stage or row["step"] <= step]
        self._rewrite(rows)
        kept = [_floats(row) for row in rows if row["stage"] == stage]
        self._export(lambda exporter: exporter.rewind(stage, kept))

    def picture(self, name: str, path: Path) -> None:
        """Hand a picture to the loggers; it lies in the folder."""
        self._export(lambda exporter: exporter.picture(name, path))

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Hand a table to the loggers."""
        self._export(lambda exporter: exporter.table(name, columns, rows))

    def bars(self, name: str, label: str, value: str, values: Mapping[str, float]) -> None:
        """Hand bars to the loggers."""
        self._export(lambda exporter: exporter.bars(name, label, value, values))

    def summary(self, values: Mapping[str, float | str]) -> None:
        """Hand results to the loggers."""
        self._export(lambda exporter: exporter.summary(values))

    def finish(self, exit_code: int) -> None:
        """End the loggers' copies, which are those of a failed run unless the exit code is 0."""
        self._export(lambda exporter: exporter.finish(exit_code))

    def _export(self, tell: Callable[[Exporter], object]) -> None:
        """Tell each exporter. The first error of one is a warning, its later ones are nothing new."""
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
        The run's folder; it is made where it is missing.
    identity
        What loggers list the run under.
    config
        The run's configuration, as plain containers.
    loggers
        Where copies of the record go. An exception inside shows there as a failed run.

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
    """Read the record in a folder back: stage -> name -> (steps, values). UserError where it is damaged."""
    curves: dict[str, dict[str, tuple[list[int], list[float]]]] = {}
    for row in _rows(folder / METRICS):
        stage, step, _ = row.pop("stage"), row.pop("step"), row.pop("time")
        for name, value in row.items():
            steps, values = curves.setdefault(stage, {}).setdefault(name, ([], []))
            steps.append(step)
            values.append(math.nan if value is None else value)
    return curves


def _floats(row: dict[str, Any]) -> dict[str, Any]:
    """A line as it was recorded, as far as JSON can say."""
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
