"""Figures, durations, tables and names as text.

rich would lay out a table as well, at 6 % of the time of `task=list` for its import (35 of 580 ms).
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Sequence


def table(rows: Sequence[Sequence[str]], header: Sequence[str], footer: Sequence[str] | None = None) -> str:
    """Lay cells of text out in columns, those of numbers to the right, with a rule below the header.

    footer: a last row below a rule of its own. ValueError where a row is longer or shorter than the header.
    """
    foot = [] if footer is None else [footer]
    widths = [max(map(len, column)) for column in zip(header, *rows, *foot, strict=True)]
    numbers = [all(re.match(r"[-+]?[\d.]|-?$", row[i]) for row in rows) for i in range(len(header))]

    def lay(row: Sequence[str]) -> str:
        cells = zip(row, widths, numbers, strict=True)
        line = "  ".join(cell.rjust(width) if number else cell.ljust(width) for cell, width, number in cells)
        return line.rstrip()

    rule = ["-" * width for width in widths]
    lines = [header, rule, *rows, *([rule] if foot else []), *foot]
    return "\n".join(map(lay, lines))


def figures(value: float) -> str:
    """A share such as an AUROC to three figures: .934, 1.000, and - for none."""
    return "-" if math.isnan(value) else f"{value:.3f}".removeprefix("0")


def duration(seconds: float) -> str:
    """A time in its largest unit: 12 s, 3 min, 5 h, 8 d."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def shortened(text: str, length: int) -> str:
    """The text, its end left out where it is longer than `length`."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


NAMES = {"task1": "Task 1", "task3": "Task 3", "j": "J", "nearest_neighbour": "1-NN", "pca": "PCA"}
"""How a term or baseline is headed; any other by its own name."""


def heading(term: str) -> str:
    """The name of a term or baseline as a person reads it."""
    return NAMES.get(term, term.replace("_", " "))


def did_you_mean(word: str, allowed: Collection[str]) -> str:
    """' (did you mean ...?)' when something close is allowed, else nothing."""
    close = difflib.get_close_matches(word, list(allowed), n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""
