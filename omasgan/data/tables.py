"""Tables of numbers in text files, Parquet and Feather: columns with names, labels, and cells that are missing."""

from __future__ import annotations

import bz2
import csv
import gzip
import importlib
import io
import logging
import lzma
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omasgan.errors import UserError

log = logging.getLogger("omasgan")

TEXT, COLUMNAR = (".csv", ".tsv", ".txt"), (".parquet", ".feather")
PACKED = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress}

SEPARATORS = (",", ";", "\t", "|")
"""Between the cells of a line; the one that divides the first lines into most cells, all alike, is taken."""

BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
"""The first bytes of a file that tell its encoding; without them it is UTF-8."""

MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "?"))
"""Texts of a missing cell, in lower case."""

TRUTH = {"true": 1.0, "false": 0.0}

LABEL_NAMES = frozenset(
    ("label", "labels", "class", "target", "y", "anomaly", "outlier", "is_anomaly", "is_outlier", "ground_truth")
)
"""Names, in lower case, of columns that most likely hold labels, and must not be learned from by mistake."""

INDEX_NAMES = frozenset(("", "index", "unnamed: 0", "__index_level_0__"))
"""Names, in lower case, of a column that numbers the rows, as pandas writes it."""

NAMED = 5
"""Columns that a message names at most."""


@dataclass(frozen=True)
class Table:
    """The numbers of a table.

    Parameters
    ----------
    values
        float64 (n, k), NaN where a cell is missing.
    names
        The names of the columns, or None.
    labels
        The column of labels (n,), as texts; None where there is none.
    """

    values: NDArray[np.float64]
    names: tuple[str, ...] | None = None
    labels: NDArray[np.str_] | None = None


def is_table(path: Path) -> bool:
    """Whether a file is one of a table, by its suffix."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = suffixes[-2:-1] if suffixes and suffixes[-1] in PACKED else suffixes[-1:]
    return bool(kind) and kind[0] in (*TEXT, *COLUMNAR)


def read(path: Path, label: str | None = None, needed: bool = True) -> Table:
    """Read a table.

    Parameters
    ----------
    path
        A text file (.csv, .tsv, .txt, also packed as .gz, .bz2 or .xz) whose cells are separated by commas, semicolons,
        tabs or bars, with or without a first line of names; lines that begin with # are left out. Or a .parquet or
        .feather file, for which pandas and pyarrow must be installed.
    label
        The name of the column of labels; None where there is none.
    needed
        Whether a table without the column `label` is refused.

    Returns
    -------
    Table
        Without a first column that only numbers the rows.

    Raises
    ------
    UserError
        For a file that cannot be read, for cells that are no numbers, for a column that seems to hold labels although
        `label` is not given, and where there is no column `label`.
    """
    try:
        names, columns = _columnar(path) if path.suffix.lower() in COLUMNAR else _text(path)
    except (OSError, EOFError, UnicodeError, lzma.LZMAError, csv.Error) as error:
        raise UserError(f"{path} can't be read as a table ({error}): replace the file") from error
    labels = None
    if label is not None and (needed or label in (names or ())):
        if names is None or label not in names:
            told = "its columns have no names" if names is None else f"its columns are {', '.join(names)}"
            raise UserError(f"{path} has no column '{label}' of labels: {told}")
        labels = np.array([str(cell).strip() for cell in columns[names.index(label)]], dtype=np.str_)
        columns = [cells for name, cells in zip(names, columns, strict=True) if name != label]
        names = tuple(name for name in names if name != label)
    if found := _like_labels(names or ()):
        raise UserError(
            f"{path} has the column '{found[0]}', which seems to hold labels and would be learned from: "
            f"give dataset.label={found[0]} (in Python, leave the column out), or rename it if it is a measurement"
        )
    if not columns:
        raise UserError(f"{path} has no column besides that of labels: give at least one measurement")
    values = np.column_stack([_numbers(cells, path, place, names) for place, cells in enumerate(columns)])
    return _without_index(Table(values, names, labels), path)


def matched(table: Table, names: Sequence[str] | None, name: str) -> Table:
    """The table with its columns in the order of `names`; by position where either has no names.

    Raises
    ------
    UserError
        Where columns are missing or new; `name` is what the message calls the table.
    """
    if names is None or table.names is None or tuple(names) == table.names:
        return table
    told = []
    if missing := [column for column in names if column not in table.names]:
        told.append(f"lacks the columns {_few(missing)}")
    if new := [column for column in table.names if column not in names]:
        told.append(f"has the new columns {_few(new)}")
    if told:
        raise UserError(f"{name} {' and '.join(told)}: give the columns of the training data, in any order")
    log.info("the columns of %s have another order than in training, and are matched by name", name)
    order = [table.names.index(column) for column in names]
    return replace(table, values=table.values[:, order], names=tuple(names))


def filled(values: NDArray[np.float64], medians: NDArray[np.float64] | None, name: str) -> NDArray[np.float64]:
    """The values with medians in place of missing cells.

    Parameters
    ----------
    values
        (n, k).
    medians
        (k,), those of the training data; None to refuse missing cells.
    name
        What the message calls the table.
    """
    missing = np.isnan(values)
    if not missing.any():
        return values
    if medians is None:
        row, column = np.argwhere(missing)[0]
        raise UserError(
            f"{name} has {int(missing.sum())} missing cells (the first in row {row + 1}, column {column + 1}): remove "
            "these rows, or set dataset.missing=median to put the median of the training data in their place"
        )
    log.info("%d missing cells of %s are filled with medians of the training data", int(missing.sum()), name)
    return np.where(missing, medians, values)


def _like_labels(names: Sequence[str]) -> list[str]:
    """The columns that seem to hold labels; beside an x, y is a measurement, too."""
    lower = [name.strip().lower() for name in names]
    return [
        name for name, low in zip(names, lower, strict=True) if low in LABEL_NAMES and not (low == "y" and "x" in lower)
    ]


def _few(names: Sequence[str]) -> str:
    return ", ".join(map(str, names[:NAMED])) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _columnar(path: Path) -> tuple[tuple[str, ...] | None, list[Sequence[Any]]]:
    """Names and columns of a Parquet or Feather file."""
    try:
        pandas = importlib.import_module("pandas")
        importlib.import_module("pyarrow")
    except ImportError:
        raise UserError(f"{path} needs pandas and pyarrow: pip install 'omasgan[tables]', or give a .csv") from None
    try:
        frame = pandas.read_parquet(path) if path.suffix.lower() == ".parquet" else pandas.read_feather(path)
    except Exception as error:  # a damaged file may raise anything
        raise UserError(f"{path} can't be read as a table ({error}): replace the file") from error
    cells = frame.astype(object).where(frame.notna(), "")
    columns: list[Sequence[Any]] = [cells[name].tolist() for name in cells]
    return tuple(map(str, frame.columns)), columns


def _text(path: Path) -> tuple[tuple[str, ...] | None, list[Sequence[Any]]]:
    """Names, if there are any, and columns of a text file."""
    content = path.read_bytes()
    if path.suffix.lower() in PACKED:
        content = PACKED[path.suffix.lower()](content)
    encoding = next((encoding for start, encoding in BOMS.items() if content.startswith(start)), "utf-8")
    lines = [line for line in io.StringIO(content.decode(encoding), newline="") if not line.startswith("#")]
    separator = _separator(lines)
    reader = csv.reader(lines, delimiter=separator)
    rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    if not rows:
        raise UserError(f"{path} is an empty table: give at least one row")
    for number, row in rows:
        if len(row) != len(rows[0][1]):
            raise UserError(
                f"{path}, line {number}, has {len(row)} values, the first row {len(rows[0][1])}: "
                "give every row the same number of values"
            )
    cells = [row for _, row in rows]
    if separator != "," and any(re.fullmatch(r"\s*-?\d+,\d+\s*", cell) for row in cells[:50] for cell in row):
        cells = [[re.sub(r"^(\s*-?\d+),(\d+\s*)", r"\1.\2", cell) for cell in row] for row in cells]
    first = cells[0]
    names = tuple(name.strip() for name in first) if _are_names(first) else None
    return names, list(zip(*cells[bool(names) :], strict=True)) or [() for _ in first]


def _separator(lines: Sequence[str]) -> str:
    few = lines[:20]
    best, most = ",", 1
    for separator in SEPARATORS:
        counts = {len(row) for row in csv.reader(few, delimiter=separator) if any(row)}
        if len(counts) == 1 and (count := counts.pop()) > most:
            best, most = separator, count
    return best


def _are_names(cells: Sequence[str]) -> bool:
    """Whether the cells of a first line are the names of columns, not numbers.

    0, 1, 2, ... are names, too, which pandas gives to columns without any; it leaves that of row numbers empty.
    """
    stripped = [cell.strip() for cell in cells]
    numbered = stripped[1:] if stripped[0] == "" else stripped
    if len(numbered) > 1 and numbered == [str(place) for place in range(len(numbered))]:
        return True
    return not any(_is_number(cell) for cell in stripped) and any(cell.lower() not in MISSING for cell in stripped)


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _numbers(cells: Sequence[Any], path: Path, place: int, names: tuple[str, ...] | None) -> NDArray[np.float64]:
    """A column of cells as numbers, NaN where one is missing."""
    numbers = np.empty(len(cells))
    for row, cell in enumerate(cells):
        text = str(cell).strip().lower()
        try:
            numbers[row] = np.nan if text in MISSING else TRUTH[text] if text in TRUTH else float(cell)
        except (TypeError, ValueError):
            column = f"'{names[place]}'" if names else str(place + 1)
            raise UserError(
                f"{path}, row {row + 1}: '{cell}' in the column {column} is not a number, and a table may hold only "
                "numbers: remove columns of texts and dates, or write them as numbers"
            ) from None
    return numbers


def _without_index(table: Table, path: Path) -> Table:
    """The table without a first column that numbers the rows."""
    names, values = table.names, table.values
    if names is None or len(names) < 2 or names[0].lower() not in INDEX_NAMES or len(values) < 2:
        return table
    first = values[:, 0]
    if not (np.diff(first) > 0).all() or not (first == np.rint(first)).all():
        return table
    log.warning("the first column of %s, '%s', numbers the rows and is left out", path, names[0])
    return replace(table, values=values[:, 1:], names=names[1:])
