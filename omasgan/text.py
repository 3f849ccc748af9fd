"""Figures, durations, tables and names as text.

rich would lay out a table as well, at 6 % of the time of `task=list` for its import (35 of 580 ms).
"""

from __future__ import annotations

import csv
import difflib
import io
import math
import re
from collections.abc import Collection, Sequence


def table(rows: Sequence[Sequence[str]], header: Sequence[str], footer: Sequence[str] | None = None) -> str:
    """Format a table with aligned columns, numbers to the right, and a rule below the header.

    Parameters
    ----------
    rows
        The cells of each row.
    header
        The names of the columns.
    footer
        A last row, below a rule of its own.

    Raises
    ------
    ValueError
        Where a row is longer or shorter than the header.

    Examples
    --------
    >>> print(table([["cat", "1.5"], ["horse", "22.0"]], ["name", "size"]))
    name   size
    -----  ----
    cat     1.5
    horse  22.0
    """
    foot = [] if footer is None else [footer]
    widths = [max(map(len, column)) for column in zip(header, *rows, *foot, strict=True)]
    numbers = [all(re.match(r"[-+<]?[\d.]|-?$", row[i]) for row in rows) for i in range(len(header))]

    def lay(row: Sequence[str]) -> str:
        cells = zip(row, widths, numbers, strict=True)
        line = "  ".join(cell.rjust(width) if number else cell.ljust(width) for cell, width, number in cells)
        return line.rstrip()

    rule = ["-" * width for width in widths]
    lines = [header, rule, *rows, *([rule] if foot else []), *foot]
    return "\n".join(map(lay, lines))


def to_csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Write rows as CSV, in which None is an empty field."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return file.getvalue()


def markdown_line(cells: Sequence[str]) -> str:
    """A line of a table in Markdown."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def figures(value: float) -> str:
    """A fraction such as an AUROC with three decimals, as .934 or 1.000, and - for NaN."""
    return "-" if math.isnan(value) else f"{value:.3f}".removeprefix("0")


def p_text(p: float) -> str:
    """A p-value: .034, or < .001."""
    return "< .001" if p < 0.001 else figures(p)


def duration(seconds: float) -> str:
    """A time in seconds as text in its largest unit, as 12 s, 3 min, 5 h or 8 d."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def shortened(text: str, length: int) -> str:
    """The text, cut to `length` characters where it is longer."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


CHOSEN_ON_TEST = "chosen on the test split; protocol=pseudo_loo chooses without looking"
"""What the end of a sweep and the page say of a choice of settings by figures on the test split."""


def natural(name: str) -> tuple[bool, int, str]:
    """The sort key of names of which some are numbers: numbers first, by their value."""
    return not name.isdecimal(), int(name) if name.isdecimal() else 0, name


NAMES = {"task1": "Task 1", "task3": "Task 3", "j": "J", "nearest_neighbour": "1-NN", "pca": "PCA"}
"""Headings of terms and baselines; all others are headed by their own names."""


def heading(term: str) -> str:
    """The heading of a term or baseline in a table or plot."""
    return NAMES.get(term, term.replace("_", " "))


def did_you_mean(word: str, allowed: Collection[str]) -> str:
    """' (did you mean ...?)' with the allowed word that is most similar; empty where none is similar."""
    close = difflib.get_close_matches(word, list(allowed), n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""
