"""What a sweep says: its settings ranked, and which of them noise cannot tell from the best.

The end of a sweep prints these results and the page draws them. All functions are pure; they read no files. How much
each parameter matters is in `omasgan.report.parameter_effects`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from omasgan.report.common import shared
from omasgan.report.configurations import baselines_of
from omasgan.report.folders import Run
from omasgan.report.significance import holm, signed_rank
from omasgan.runs.folder import main_term

if TYPE_CHECKING:
    from omasgan.report.study import Study

Cell = tuple[str, int]
"""A class and a seed, over which the runs of a setting are repeated; two settings are paired over the same cells."""

LOWER_IS_BETTER = frozenset({"fpr95"})
"""The metrics of which the smallest value is the best."""


@dataclass(frozen=True)
class Variant:
    """A setting of a sweep: a value of every parameter that the sweep varies.

    Attributes
    ----------
    values
        The parameters' values by name, such as {'boundary.mu': 0.1}.
    runs
        Its finished runs, all of one data set and protocol.
    """

    values: Mapping[str, Any]
    runs: Mapping[Cell, Run]

    @property
    def label(self) -> str:
        """The values as text: 'boundary.mu=0.1 boundary.nu=0.3'."""
        return " ".join(f"{name}={value}" for name, value in self.values.items())


@dataclass(frozen=True)
class Row:
    """A ranked setting.

    Attributes
    ----------
    variant
        The setting.
    mean
        The mean over classes of the mean over seeds.
    deviation
        The standard deviation over seeds (ddof 1) of the mean over classes; NaN for fewer than two seeds.
    parts
        The mean of every term and baseline that all its runs have, over the same cells.
    """

    variant: Variant
    mean: float
    deviation: float
    parts: Mapping[str, float]


@dataclass(frozen=True)
class Ranking:
    """Settings in their order, compared on the same cells.

    Attributes
    ----------
    metric, term
        What they are ranked by; the term None stands for the main term of each detector.
    cells
        The classes and seeds that every row is a mean over.
    rows
        The settings, the best first.
    left_out
        The settings that are not ranked, because they lack some of these cells, with the cells that they lack.
    """

    metric: str
    term: str | None
    cells: list[Cell]
    rows: list[Row]
    left_out: list[tuple[Variant, list[Cell]]]

    def values(self, row: Row) -> list[float]:
        """The values of a row, in the order of `cells`."""
        return [value(row.variant.runs[cell], self.metric, self.term) for cell in self.cells]


def variants_of(study: Study, setting: int) -> list[Variant]:
    """The settings of the detectors with finished runs on a data set and protocol, without those of baselines.

    Parameters
    ----------
    study
        The runs and their methods.
    setting
        The data set and protocol, by its place in the study.
    """
    found: dict[str, Variant] = {}
    for method in (study.methods[number] for number in study.of(setting)):
        if method.main and not method.baseline:
            runs = {(cls, seed): study.runs[n[0]] for cls, seeds in method.done.items() for seed, n in seeds.items()}
            if runs:
                detector = next(iter(runs.values())).choices.get("detector", "")
                values = {"detector": detector, "ablation": method.ablation, **method.varied}
                found[method.name] = Variant(values, runs)
    names = varied(found.values())
    return [Variant({k: v for k, v in each.values.items() if k in names}, each.runs) for each in found.values()]


def varied(variants: Iterable[Variant]) -> list[str]:
    """The parameters whose values differ among some settings; a missing value differs from any other."""
    every = list(variants)
    names = dict.fromkeys(name for variant in every for name in variant.values)
    return [name for name in names if len({str(variant.values.get(name)) for variant in every}) > 1]


def value(run: Run, metric: str, term: str | None = None) -> float:
    """A run's value of a metric for a term, or for the main term; NaN where it has none."""
    return value_of(run.metrics, metric, term)


def value_of(metrics: Mapping[str, Mapping[str, float]], metric: str, term: str | None = None) -> float:
    """The value of a metric for a term, or for the main term, among figures by term; NaN where there is none."""
    chosen = main_term(dict(metrics)) if term is None else term
    return metrics.get(chosen or "", {}).get(metric, math.nan)


def rank(variants: Sequence[Variant], metric: str = "auroc", term: str | None = None) -> Ranking:
    """Rank settings by the mean of a metric over the classes and seeds that they have in common.

    Settings are never ranked by means over different classes or seeds. Where some settings lack runs, the cells are
    those with which most runs are compared (cells times settings), and the settings that lack any of them are left out.

    Parameters
    ----------
    variants
        The settings, all on one data set and protocol, and on figures of one split.
    metric
        The metric; the smallest value is the best for those of `LOWER_IS_BETTER`.
    term
        The term; None for the main term of each detector.
    """
    have = [{c for c, run in v.runs.items() if not math.isnan(value(run, metric, term))} for v in variants]
    chosen = shared(have)
    cells = sorted(chosen)
    complete = [v for v, cells_of in zip(variants, have, strict=True) if cells and chosen <= cells_of]
    wanted = sorted(set().union(*have))
    left_out = [
        (v, [cell for cell in (cells or wanted) if cell not in cells_of])
        for v, cells_of in zip(variants, have, strict=True)
        if not cells or not chosen <= cells_of
    ]
    rows = []
    for v in complete:
        mean, deviation = over_seeds({cell: value(v.runs[cell], metric, term) for cell in cells})
        rows.append(Row(v, mean, deviation, _parts([v.runs[cell] for cell in cells], cells, metric)))
    rows.sort(key=lambda row: row.mean, reverse=metric not in LOWER_IS_BETTER)
    return Ranking(metric, term, cells, rows, left_out)


def over_seeds(values: Mapping[Cell, float]) -> tuple[float, float]:
    """The mean over classes of the mean over seeds, and the deviation over the seeds that have every class.

    Examples
    --------
    >>> over_seeds({("cat", 0): 0.5, ("cat", 1): 0.75, ("dog", 0): 0.75, ("dog", 1): 1.0})
    (0.75, 0.1767766952966369)
    """
    classes: dict[str, dict[int, float]] = {}
    for (cls, seed), number in values.items():
        classes.setdefault(cls, {})[seed] = number
    mean = fmean(fmean(seeds.values()) for seeds in classes.values())
    every = sorted(set.intersection(*(set(seeds) for seeds in classes.values())))
    means = [fmean(seeds[seed] for seeds in classes.values()) for seed in every]
    return mean, stdev(means) if len(means) > 1 else math.nan


def _parts(runs: Sequence[Run], cells: Sequence[Cell], metric: str) -> dict[str, float]:
    terms = [term for term in runs[0].metrics if all(term in run.metrics for run in runs)]
    return {
        term: over_seeds({cell: value(run, metric, term) for cell, run in zip(cells, runs, strict=True)})[0]
        for term in terms
    }


def best_baseline(ranking: Ranking) -> str | None:
    """The baseline with the best mean over all rows; None where no baseline has been run with all of them."""
    names = baselines_of(next(iter(ranking.rows[0].variant.runs.values()))) if ranking.rows else {}
    shared = [name for name in names if all(name in row.parts for row in ranking.rows)]
    sign = -1 if ranking.metric in LOWER_IS_BETTER else 1
    return max(shared, key=lambda name: sign * fmean(row.parts[name] for row in ranking.rows), default=None)


def p_against(ranking: Ranking, reference: int = 0) -> list[float]:
    """The p-value of no difference between each row and one of them.

    Parameters
    ----------
    ranking
        The settings.
    reference
        The row that the others are compared with; 0 for the best.

    Returns
    -------
    list of float
        Of each row, the p-value of Wilcoxon's signed-rank test of the differences, paired over the same classes and
        seeds, corrected by Holm's method for the number of the other rows; 1 for the reference itself.
    """
    if not ranking.rows:
        return []
    base = ranking.values(ranking.rows[reference])
    others = [row for number, row in enumerate(ranking.rows) if number != reference]
    p = holm([signed_rank([a - b for a, b in zip(ranking.values(row), base, strict=True)]) for row in others])
    return [*p[:reference], 1.0, *p[reference:]]
