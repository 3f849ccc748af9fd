"""Ranks methods class by class, and tests whether their ranks differ.

References
----------
J. Demšar (2006), Statistical comparisons of classifiers over multiple data sets. Journal of Machine Learning Research
7, 1-30.

A. Benavoli, G. Corani and F. Mangili (2016), Should we really use post-hoc tests based on mean-ranks? Journal of
Machine Learning Research 17, 1-10.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from omasgan.report.common import shared
from omasgan.report.significance import LEVEL, holm, signed_rank
from omasgan.report.study import Method, Study
from omasgan.report.sweep_analysis import LOWER_IS_BETTER

MOST_RANKED = 20
"""Methods that are ranked at most: more do not fit into a diagram."""

MOST_DEGREES = 200
"""Degrees of freedom up to which the page has Student's t distribution; beyond, it is the normal one to two digits."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """The ranks of M methods on C classes; rank 1 is the best.

    Attributes
    ----------
    methods
        The methods by their places in the study, the best mean rank first.
    classes
        The classes, which all of the methods have.
    values
        (M, C), the means over seeds.
    ranks
        (M, C), the ranks of the methods on each class; methods of equal value share the mean of their ranks.
    friedman
        The p-value of Friedman's test of equal ranks; NaN for fewer than three methods.
    critical
        Nemenyi's critical difference of two mean ranks at `LEVEL`.
    wilcoxon
        (M, M), the p-values of Wilcoxon's signed-rank tests of every two methods over the classes, by Holm's correction
        for all pairs.
    lacking
        The methods that are not ranked, with the classes that each lacks.
    """

    methods: list[int]
    classes: list[str]
    values: NDArray[np.float64]
    ranks: NDArray[np.float64]
    friedman: float
    critical: float
    wilcoxon: NDArray[np.float64]
    lacking: dict[int, list[str]]

    @property
    def mean_ranks(self) -> NDArray[np.float64]:
        """(M,), the mean of each method's ranks."""
        mean: NDArray[np.float64] = self.ranks.mean(axis=1)
        return mean


def rank(study: Study, numbers: Sequence[int], metric: str) -> Ranking | None:
    """Rank methods on the classes that they have in common.

    Parameters
    ----------
    study
        The methods and their values.
    numbers
        Methods of one setting, by their places in the study.
    metric
        A name of `METRICS`.

    Returns
    -------
    Ranking or None
        The ranks on the classes of `shared`; None where fewer than two methods have two classes in common.
    """
    found = {number: _means(study, study.methods[number], metric) for number in numbers}
    common = shared([set(means) for means in found.values()])
    every = study.settings[study.methods[numbers[0]].setting].classes if numbers else []
    classes = [cls for cls in every if cls in common]
    lacking = {n: [cls for cls in classes if cls not in means] for n, means in found.items()}
    able = [number for number in numbers if not lacking[number]]
    if len(able) < 2 or len(classes) < 2:
        return None
    values = np.array([[found[number][cls] for cls in classes] for number in able])
    ranks = stats.rankdata(values if metric in LOWER_IS_BETTER else -values, axis=0)
    order = np.argsort(ranks.mean(axis=1), kind="stable")
    values, ranks = values[order], ranks[order]
    return Ranking(
        methods=[able[place] for place in order],
        classes=classes,
        values=values,
        ranks=ranks,
        friedman=_friedman(values),
        critical=critical_difference(*values.shape),
        wilcoxon=_wilcoxon(values),
        lacking={number: names for number, names in lacking.items() if names},
    )


def _means(study: Study, method: Method, metric: str) -> dict[str, float]:
    """A method's means over seeds, by class, with the six decimals of the page, so that both have the same ties."""
    means = {cls: study.cell(method, cls, metric).mean for cls in study.settings[method.setting].classes}
    return {cls: round(mean, 6) for cls, mean in means.items() if not math.isnan(mean)}


def _friedman(values: NDArray[np.float64]) -> float:
    if len(values) < 3:
        return math.nan
    if (values == values[0]).all():
        return 1.0
    return float(stats.friedmanchisquare(*values).pvalue)


def critical_difference(methods: int, classes: int) -> float:
    """Return Nemenyi's critical difference of two mean ranks at `LEVEL`, for some methods on some classes."""
    return range_quantile(methods) * math.sqrt(methods * (methods + 1) / (6 * classes))


def range_quantile(methods: int) -> float:
    """Return the quantile 1 - `LEVEL` of the studentized range of some methods, divided by the root of 2."""
    return float(stats.studentized_range.ppf(1 - LEVEL, methods, math.inf)) / math.sqrt(2)


def quantiles() -> dict[str, list[float]]:
    """Return the quantiles that the page needs, as its methods are ticked by the reader.

    Returns
    -------
    dict[str, list[float]]
        'range', the values of `range_quantile` for two methods, three, and so on; 't', the 97.5 % quantile of Student's
        t distribution for one degree of freedom, two, and so on.
    """
    ranges = [range_quantile(methods) for methods in range(2, MOST_RANKED + 1)]
    return {"range": ranges, "t": stats.t.ppf(1 - LEVEL / 2, np.arange(1, MOST_DEGREES + 1)).tolist()}


def _wilcoxon(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The corrected p-values of every two rows; 1 on the diagonal."""
    first, second = np.triu_indices(len(values), 1)
    result = np.ones((len(values), len(values)))
    corrected = holm(
        [signed_rank((values[i] - values[j]).round(6).tolist()) for i, j in zip(first, second, strict=True)]
    )
    result[first, second] = result[second, first] = corrected
    return result


def indistinguishable(different: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Find the groups of methods that a diagram joins by a line.

    Parameters
    ----------
    different
        (M, M), which two methods differ; the methods are in the order of their mean ranks.

    Returns
    -------
    list[tuple[int, int]]
        The first and the last method of every group of neighbours of which no two differ and which no other group
        contains.
    """
    groups: list[tuple[int, int]] = []
    for first in range(len(different)):
        last = first
        while last + 1 < len(different) and not different[first : last + 2, last + 1].any():
            last += 1
        if last > first and (not groups or last > groups[-1][1]):
            groups.append((first, last))
    return groups
