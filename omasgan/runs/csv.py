"""CSV files of a run's values: one for each stage of training, one for the results, and one for each table."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omasgan.files import make_folder, write_text
from omasgan.runs.logger import Identity, Row, without_pictures


@dataclass(frozen=True)
class CSVLogger:
    """`logger=csv`: the folder `csv` in the run's folder."""

    def open(self, folder: Path, identity: Identity, config: dict[str, Any]) -> CSVExporter:
        """See `Logger`."""
        return CSVExporter(folder / "csv")


class CSVExporter:
    """Writes `<stage>.csv` (step, time in seconds since 1970, the values), `summary.csv` and `<table>.csv`.

    A value that is not finite is `nan` or `inf` there.

    Parameters
    ----------
    folder
        The folder of the files; it is made with the first file.
    """

    title = "CSV"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._columns: dict[str, list[str]] = {}
        self._summary: dict[str, float | str] = {}

    def scalars(self, row: Row) -> None:
        """See `Exporter`."""
        stage, values = _split(row)
        path = self._path(stage)
        if not values.keys() <= set(self._columns.get(stage, ())):  # the first row, or one with a new column
            self._write_stage(stage, [*_read(path), values])
            return
        with path.open("a", encoding="utf-8", newline="") as file:
            file.write(_text([[values.get(column, "") for column in self._columns[stage]]]))

    def rewind(self, stage: str, rows: Sequence[Row]) -> None:
        """See `Exporter`. The file is written from the record, so it is complete even if it did not exist before."""
        if rows:
            self._write_stage(stage, [_split(row)[1] for row in rows])
        else:
            self._columns.pop(stage, None)
            self._path(stage).unlink(missing_ok=True)

    def picture(self, name: str, path: Path) -> None:
        """See `Exporter`. Nothing is copied, because the picture is in the run's folder."""

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """See `Exporter`; columns of pictures are left out."""
        columns, rows = without_pictures(columns, rows)
        self._write(name, [columns, *rows])

    def bars(self, name: str, label: str, value: str, values: Mapping[str, float]) -> None:
        """See `Exporter`. Nothing is written, because the tables have these values."""

    def summary(self, values: Mapping[str, float | str]) -> None:
        """See `Exporter`."""
        self._summary |= values
        self._write("summary", [("name", "value"), *self._summary.items()])

    def finish(self, exit_code: int) -> None:
        """See `Exporter`. There is nothing to do, because every line is already on the disk."""

    def _write_stage(self, stage: str, rows: Sequence[Mapping[str, Any]]) -> None:
        columns = list(dict.fromkeys(name for row in rows for name in row))
        self._write(stage, [columns, *([row.get(column, "") for column in columns] for row in rows)])
        self._columns[stage] = columns

    def _write(self, name: str, rows: Iterable[Sequence[object]]) -> None:
        make_folder(self._folder)
        write_text(self._path(name), _text(rows))

    def _path(self, name: str) -> Path:
        return self._folder / f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', name)}.csv"


def _split(row: Row) -> tuple[str, dict[str, Any]]:
    """The stage of a row, and the row's other values by name."""
    return row["stage"], {name: value for name, value in row.items() if name != "stage"}


def _read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _text(rows: Iterable[Sequence[object]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue()
