"""The test samples that the page compares one by one, so that it can show where any two runs disagree.

Two runs are compared on the same samples by the share of all test samples that have a lower score, which does not
depend on the scale of either score. The page has room for a few samples of each setting and class: those on which the
runs disagree most, and others evenly spaced, so that a plot of them shows what is usual.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omasgan.configuration import old_names
from omasgan.errors import UserError
from omasgan.evaluation.scores import ScoreTable
from omasgan.report.statistics import Ranked
from omasgan.report.study import Study

MOST_SHARES = 400_000
"""Shares of all runs and terms in the page, a byte each."""

FEWEST, MOST = 48, 400
"""Samples of a setting and class."""

MOST_DISPUTED = 1200
"""Samples of all settings and classes that are shown as pictures."""

FEWEST_OF_A_CLASS, MOST_OF_A_CLASS = 12, 96
"""Samples of a setting and class that are shown as pictures."""

LOOKED_AT = 8
"""Runs of a setting and class by which the samples are chosen, spread evenly over all of them."""


@dataclass(frozen=True)
class Compared:
    """The k samples of a setting and class that are compared one by one.

    Attributes
    ----------
    fingerprint
        Tells whether a run's test samples are these, in this order.
    rows
        (k,), their places in a run's table of scores, those on which runs disagree most first.
    disputed
        How many of them are those on which runs disagree most.
    index
        (k,), their indices in the official split.
    class_index
        (k,), the classes as indices into `class_names`.
    label
        (k,), True for an anomaly.
    class_names
        The classes by name.
    names
        A name for each sample; empty where the samples have none.
    """

    fingerprint: str
    rows: NDArray[np.intp]
    disputed: int
    index: NDArray[np.int64]
    class_index: NDArray[np.int64]
    label: NDArray[np.bool_]
    class_names: tuple[str, ...]
    names: tuple[str, ...]


def fingerprint_of(table: ScoreTable) -> str:
    """Return a text that is equal for equal test samples and labels in the same order."""
    return hashlib.sha256(table.index.tobytes() + table.label.tobytes()).hexdigest()


def runs_by_cell(study: Study) -> dict[tuple[int, str], list[int]]:
    """Return the finished runs of each setting and class, without those of baselines."""
    return {place: list(runs) for place, runs in _main_terms(study).items()}


def _main_terms(study: Study) -> dict[tuple[int, str], dict[int, str]]:
    """By setting and class, the finished runs with the detector's own score of each."""
    found: dict[tuple[int, str], dict[int, str]] = {}
    for method in study.methods:
        if method.main and not method.baseline:
            for cls, seeds in method.done.items():
                cell = found.setdefault((method.setting, cls), {})
                cell.update((number, method.term) for numbers in seeds.values() for number in numbers)
    return found


def choose(study: Study) -> dict[tuple[int, str], Compared]:
    """Choose the samples to compare.

    Parameters
    ----------
    study
        The runs and their methods.

    Returns
    -------
    dict[tuple[int, str], Compared]
        The samples by setting and class; none where fewer than two runs are finished or their scores cannot be read.
    """
    cells = {place: terms for place, terms in _main_terms(study).items() if len(terms) > 1}
    series = sum(len(study.runs[number].metrics) for terms in cells.values() for number in terms)
    size = max(FEWEST, min(MOST, MOST_SHARES // max(series, 1)))
    disputed = max(FEWEST_OF_A_CLASS, min(MOST_OF_A_CLASS, MOST_DISPUTED // max(len(cells), 1), size // 2))
    found = {place: _chosen(study, terms, size, disputed) for place, terms in cells.items()}
    return {place: samples for place, samples in found.items() if samples is not None}


def _chosen(study: Study, terms: dict[int, str], size: int, disputed: int) -> Compared | None:
    """The samples of one setting and class."""
    whole_first = sorted(terms, key=lambda number: study.runs[number].is_partial)
    numbers = whole_first[:: -(-len(terms) // LOOKED_AT)]
    tables = [table for number in numbers if (table := _table(study, number, terms[number])) is not None]
    if not tables:
        return None
    first, fingerprint = tables[0], fingerprint_of(tables[0])
    shares = np.array(
        [
            Ranked.of(table.label, values).shares_below()
            for table in tables
            for values in table.terms.values()
            if fingerprint_of(table) == fingerprint
        ]
    )
    order = np.argsort(-np.ptp(shares, axis=0), kind="stable")
    top = order[:disputed]
    rest = np.setdiff1d(np.arange(len(first)), top)
    others = rest[np.unique(np.linspace(0, len(rest) - 1, min(size - len(top), len(rest))).round().astype(int))]
    rows = np.concatenate([top, others])
    names = tuple(first.names[row] for row in rows) if first.names else ()
    columns = first.index[rows], first.class_index[rows], first.label[rows]
    return Compared(fingerprint, rows, len(top), *columns, first.class_names, names)


def _table(study: Study, number: int, term: str) -> ScoreTable | None:
    """A run's scores of a term; None where they cannot be compared, which whoever reads all of them reports."""
    try:
        table = ScoreTable.load(study.runs[number].folder / "scores.npz", only={term}, renamed=old_names.TERMS)
    except UserError:
        return None
    return table if term in table.terms and np.isfinite(table.terms[term]).all() else None


def packed(shares: NDArray[np.float64]) -> str:
    """Pack shares in a byte each, in steps of 1/255, as Base64."""
    return base64.b64encode(np.round(shares * 255).astype(np.uint8).tobytes()).decode()
