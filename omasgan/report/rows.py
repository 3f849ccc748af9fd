"""The rows of the report's tables, as numbers: every cell, the paired comparisons, and which rows are printed."""

from __future__ import annotations

import math

from omasgan.report.comparison import comparisons, headline_pairs
from omasgan.report.scores import Scores
from omasgan.report.study import METRICS, Cell, Study

MEAN = "mean"
"""The column, and in the CSV the class, of the mean over classes."""

ROWS = 40
"""Rows of a printed table at most; the CSV has all."""

COMPARED = 12
"""Methods whose pairs are listed at most; the page compares any two."""

LONG = [
    *("setting", "split", "method", "detector", "ablation", "term", "baseline", "class", "metric"),
    *("mean", "deviation", "n", "low", "high", "state", "complete", "runs"),
]
"""The columns of `long_rows`."""

PAIRED = ["setting", "first", "second", "class", "difference", "low", "high", "p"]
"""The columns of `paired_rows`."""


def cells(study: Study, scores: Scores, number: int, metric: str) -> list[Cell]:
    """Return the row of a method.

    Parameters
    ----------
    study
        The methods and their values.
    scores
        The deviations over test samples.
    number
        The method, by its place in the study.
    metric
        A name of `METRICS`; the AUROC alone has intervals.

    Returns
    -------
    list[Cell]
        A cell a class, then that of the mean.
    """
    method = study.methods[number]
    deviation = scores.deviation if metric == "auroc" else {}
    row = [
        study.cell(method, cls, metric, deviation.get((number, cls), math.nan))
        for cls in study.settings[method.setting].classes
    ]
    return [*row, study.mean(method, metric, deviation.get((number, ""), math.nan))]


def columns(study: Study, setting: int) -> list[str]:
    """Return the titles of the cells of a setting's rows."""
    return [*study.settings[setting].classes, MEAN]


def long_rows(study: Study, scores: Scores, printed: bool = False) -> list[list[object]]:
    """Return every cell of the tables, a row each.

    Parameters
    ----------
    study
        The methods and their values.
    scores
        The deviations over test samples.
    printed
        Whether to return those of the printed methods alone.

    Returns
    -------
    list[list[object]]
        Rows with the columns of `LONG`, with None where there is no number.
    """
    rows: list[list[object]] = []
    every = range(len(study.methods))
    chosen = [n for setting in range(len(study.settings)) for n in ranked(study, setting)] if printed else every
    for number in chosen:
        method = study.methods[number]
        where = study.settings[method.setting]
        who = [where.label, where.split, method.label, method.name, method.ablation, method.term, method.baseline]
        for metric in METRICS:
            row = cells(study, scores, number, metric)
            for name, cell in zip(columns(study, method.setting), row, strict=True):
                values = [_or_none(v) for v in (cell.mean, cell.deviation)]
                bounds = [_or_none(v) for v in (cell.low, cell.high)]
                runs = ";".join(str(study.runs[run].folder) for run in cell.runs)
                rows.append([*who, name, metric, *values, cell.n, *bounds, cell.state, cell.complete, runs])
    return rows


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def paired_rows(study: Study, scores: Scores) -> list[list[object]]:
    """Return the paired comparisons of the best methods of every setting.

    Parameters
    ----------
    study
        The methods and their values.
    scores
        The deviations of the differences.

    Returns
    -------
    list[list[object]]
        Rows with the columns of `PAIRED`.
    """
    rows: list[list[object]] = []
    for pairs in scores.pairs:
        for first, second in headline_pairs(study, pairs, COMPARED):
            for found in comparisons(study, pairs, first, second):
                label = study.settings[study.methods[first].setting].label
                names = [study.methods[number].label for number in (first, second)]
                rows.append([label, *names, found.cls or MEAN, found.difference, found.low, found.high, found.p])
    return rows


def headline(study: Study, setting: int, limit: int) -> list[int]:
    """Return the best of the detectors' own scores and the baselines of a setting, the best mean AUROC first."""

    def rank(number: int) -> float:
        mean = study.mean(study.methods[number], "auroc").mean
        return math.inf if math.isnan(mean) else -mean

    return sorted((number for number in study.of(setting) if study.methods[number].main), key=rank)[:limit]


def ranked(study: Study, setting: int) -> list[int]:
    """Choose the methods of a printed table.

    Parameters
    ----------
    study
        The methods and their values.
    setting
        The setting, by its place in the study.

    Returns
    -------
    list[int]
        The methods, the best in the mean AUROC first: all baselines and the best others, at most `ROWS` together.
    """

    def rank(number: int) -> float:
        mean = study.mean(study.methods[number], "auroc").mean
        return math.inf if math.isnan(mean) else -mean

    of = sorted(study.of(setting), key=rank)
    baselines = [number for number in of if study.methods[number].baseline]
    kept = {*baselines, *[number for number in of if number not in baselines][: max(ROWS - len(baselines), 1)]}
    return [number for number in of if number in kept]
