"""Tests of differences that are paired over runs, such as those of two settings on the same classes and seeds.

References
----------
F. Wilcoxon (1945), Individual comparisons by ranking methods. Biometrics Bulletin 1, 80-83.

S. Holm (1979), A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6, 65-70.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

LEVEL = 0.05
"""A difference with a smaller p-value, corrected for the number of comparisons, is not taken for noise."""

EXACT = 50
"""Differences of which `signed_rank` is exact; of more, it uses the normal distribution, as scipy does."""

DIGITS = 9
"""Differences that are equal to so many decimals are ties."""


def signed_rank(differences: Sequence[float]) -> float:
    """The two-sided p-value of Wilcoxon's signed-rank test: that the differences are symmetric about 0.

    Differences of 0 do not count, and 1 is returned where all are. The test is exact for up to `EXACT` differences,
    also where some are tied; for those, scipy enumerates all signs, a quarter of a second for ten differences.

    Examples
    --------
    >>> signed_rank([0.1, 0.2, 0.3])
    0.25
    """
    from scipy.stats import rankdata, wilcoxon  # takes half a second to import

    rest = np.array([round(one, DIGITS) for one in differences])
    rest = rest[rest != 0]
    if not len(rest):
        return 1.0
    if len(rest) > EXACT:
        return float(wilcoxon(rest, method="asymptotic").pvalue)
    ranks = (2 * rankdata(abs(rest))).astype(int)  # ranks of ties are multiples of 1/2
    share = np.zeros(ranks.sum() + 1)  # of all choices of signs, by the sum of the positive ranks
    share[0] = 1
    for rank in ranks:
        share[rank:] = (share[rank:] + share[: len(share) - rank]) / 2
        share[:rank] /= 2
    positive = ranks[rest > 0].sum()
    return min(2 * float(share[: min(positive, ranks.sum() - positive) + 1].sum()), 1.0)


def holm(p: Sequence[float]) -> list[float]:
    """P-values corrected for their number by Holm's method, in the order given.

    Examples
    --------
    >>> holm([0.04, 0.01, 0.03])
    [0.06, 0.03, 0.06]
    """
    corrected = [1.0] * len(p)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=lambda place: p[place])):
        largest = max(largest, min((len(p) - rank) * p[place], 1.0))
        corrected[place] = largest
    return corrected


def fewest_pairs(comparisons: int) -> int:
    """The smallest number of pairs with which `signed_rank` can find a difference at `LEVEL`, after `holm`.

    With n pairs the smallest p-value is 2 / 2^n, where all differences have the same sign.

    Examples
    --------
    >>> fewest_pairs(1), fewest_pairs(26)
    (6, 11)
    """
    return math.ceil(1 + math.log2(max(comparisons, 1) / LEVEL))
