"""Compares every two methods of a setting on the same test samples, by DeLong's test."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from omasgan.report.statistics import Z95, two_sided
from omasgan.report.study import Study

MOST_DEVIATIONS = 200_000
"""Deviations of differences that the page holds at most, over all settings: 0.5 MB of it."""

SMALLEST = np.float32(1e-7)
"""A smaller deviation is what rounding leaves of a difference of equal scores, and taken as 0."""

Array = NDArray[np.float32]


@dataclass
class Pairs:
    """The deviations of the differences of every two of M methods over C classes.

    Attributes
    ----------
    methods
        The M methods that are compared, by their places in the study.
    deviation
        (M, M, C + 1), the standard deviation over test samples of the difference of two AUROCs, by class, and last of
        the mean over those of the setting's averaged classes that both have; NaN where they have no sample in common.
    """

    methods: list[int]
    deviation: Array


@dataclass(frozen=True)
class Comparison:
    """The difference of two methods' AUROCs on the same test samples.

    Attributes
    ----------
    first, second
        The methods, by their places in the study.
    cls
        The class; empty for the mean over classes.
    difference
        First minus second.
    low, high
        The 95 % interval of the difference over test samples.
    p
        The two-sided p-value of no difference, not corrected for the number of comparisons.
    """

    first: int
    second: int
    cls: str
    difference: float
    low: float
    high: float
    p: float


def compare_all(
    study: Study,
    setting: int,
    contributions: Mapping[tuple[int, str], Array],
    index: Mapping[str, NDArray[np.int64]],
) -> tuple[dict[tuple[int, str], float], Pairs]:
    """Return the deviations of a setting's AUROCs, and of the differences of every two of them.

    Parameters
    ----------
    study
        The methods.
    setting
        The setting, by its place in the study.
    contributions
        By method and class (n,), the test samples' contributions to the AUROC.
    index
        By class (n,), the test samples' places in the official split.

    Returns
    -------
    tuple[dict[tuple[int, str], float], Pairs]
        The deviation by method and class, that of the mean under an empty class; and the pairs. Where not all pairs
        fit into the page, those of the detectors' own scores and the baselines come first.
    """
    classes, averaged = study.settings[setting].classes, study.settings[setting].averaged
    members = [number for number in study.of(setting) if any((number, cls) in contributions for cls in classes)]
    size = 1 + max((int(places.max()) for places in index.values()), default=0)
    deviation: dict[tuple[int, str], float] = {}
    for number in members:
        have = [cls for cls in classes if (number, cls) in contributions]
        for cls in have:
            deviation[number, cls] = float(np.linalg.norm(contributions[number, cls]))
        if set(averaged) <= set(have):
            total = np.zeros(size, np.float32)
            for cls in averaged:
                total[index[cls]] += contributions[number, cls]
            deviation[number, ""] = float(np.linalg.norm(total)) / len(averaged)

    room = math.isqrt(2 * MOST_DEVIATIONS // len(study.settings) // (len(classes) + 1))
    chosen = sorted(sorted(members, key=lambda number: not study.methods[number].main)[:room])
    rows = np.zeros((len(chosen), len(classes), size), np.float32)
    have_class = np.zeros((len(chosen), len(classes)), np.float32)
    for i, number in enumerate(chosen):
        for c, cls in enumerate(classes):
            if (number, cls) in contributions:
                rows[i, c, index[cls]] = contributions[number, cls]
                have_class[i, c] = 1
    in_mean = np.array([cls in averaged for cls in classes], np.float32)
    return deviation, Pairs(chosen, _deviations(rows, have_class, in_mean))


def deviations_of(
    study: Study,
    setting: int,
    chosen: Sequence[tuple[int, int]],
    contributions: Mapping[tuple[int, str], Array],
    index: Mapping[str, NDArray[np.int64]],
) -> dict[tuple[int, int, str], float]:
    """Return the deviations of the differences of some pairs of methods; see `compare_all`.

    Parameters
    ----------
    study, setting, contributions, index
        As in `compare_all`.
    chosen
        The pairs, however many others the setting has.

    Returns
    -------
    dict[tuple[int, int, str], float]
        The deviation by both methods and class, without the classes that a method lacks; that of the mean over the
        averaged classes under an empty class.
    """
    averaged = study.settings[setting].averaged
    size = 1 + max((int(places.max()) for places in index.values()), default=0)
    found: dict[tuple[int, int, str], float] = {}
    for first, second in chosen:
        differences = {
            cls: contributions[first, cls] - contributions[second, cls]
            for cls in study.settings[setting].classes
            if (first, cls) in contributions and (second, cls) in contributions
        }
        for cls, difference in differences.items():
            found[first, second, cls] = _norm(difference)
        if averaged and set(averaged) <= set(differences):
            total = np.zeros(size, np.float32)
            for cls in averaged:
                total[index[cls]] += differences[cls]
            found[first, second, ""] = _norm(total) / len(averaged)
    return found


def _norm(contributions: Array) -> float:
    deviation = float(np.linalg.norm(contributions))
    return deviation if deviation >= SMALLEST else 0.0


def _deviations(rows: Array, have: Array, in_mean: Array) -> Array:
    """The deviations of all differences (M, M, C + 1).

    `rows` are the contributions (M, C, n), `have` says which of them exist (M, C), and `in_mean` which classes the mean
    is over (C,).
    """
    m, c, n = rows.shape
    flat = rows.reshape(m * c, n)
    products = (flat @ flat.T).reshape(m, c, m, c)
    own = np.einsum("icid->icd", products)  # (M, C, C)
    result = np.full((m, m, c + 1), np.nan, np.float32)
    for i in range(m):
        both = have[i] * have  # (M, C)
        with_i = products[i].transpose(1, 0, 2)  # (M, C of i, C of j)
        variance = own[i][None] + own - with_i - with_i.transpose(0, 2, 1)
        variance *= both[:, :, None] * both[:, None, :]
        each = np.sqrt(np.maximum(np.einsum("jcc->jc", variance), 0))
        result[i, :, :c] = np.where(both > 0, each, np.nan)
        number = (both * in_mean).sum(axis=1)
        total = np.sqrt(np.maximum(np.einsum("jcd,c,d->j", variance, in_mean, in_mean), 0)) / np.maximum(number, 1)
        result[i, :, c] = np.where(number > 0, total, np.nan)
    result[result < SMALLEST] = 0
    return result


def comparisons(study: Study, pairs: Pairs, first: int, second: int) -> Iterator[Comparison]:
    """Compare two methods on every class that both have, then in the mean over those that the setting's means are over.

    Parameters
    ----------
    study
        The methods and their values.
    pairs
        The deviations of the setting's differences.
    first, second
        The methods, by their places in the study.

    Yields
    ------
    Comparison
        One for every class, then that of the mean, whose class is empty; none at all where the two were not scored on
        the same test samples.
    """
    if first not in pairs.methods or second not in pairs.methods:
        return
    where = study.settings[study.methods[first].setting]
    i, j = pairs.methods.index(first), pairs.methods.index(second)
    differences = []
    for column, cls in enumerate([*where.classes, ""]):
        deviation = float(pairs.deviation[i, j, column])
        if math.isnan(deviation):
            continue
        if cls:
            a, b = (fmean(study.by_seed(study.methods[m], cls, "auroc").values()) for m in (first, second))
            value = a - b
            differences += [value] if cls in where.averaged else []
        else:
            value = fmean(differences)
        spread = Z95 * deviation
        yield Comparison(first, second, cls, value, value - spread, value + spread, two_sided(value, deviation))


def headline_pairs(study: Study, pairs: Pairs, limit: int) -> Sequence[tuple[int, int]]:
    """Return the pairs that the tables list: the best of the detectors' own scores and the baselines in the mean AUROC.

    Parameters
    ----------
    study
        The methods and their values.
    pairs
        The pairs of a setting.
    limit
        How many methods are paired at most.

    Returns
    -------
    Sequence[tuple[int, int]]
        Every two of these methods, the better first.
    """

    means = {number: study.mean(study.methods[number], "auroc").mean for number in pairs.methods}
    able = [number for number, mean in means.items() if study.methods[number].main and not math.isnan(mean)]
    main = sorted(able, key=lambda number: -means[number])[:limit]
    return list(itertools.combinations(main, 2))
