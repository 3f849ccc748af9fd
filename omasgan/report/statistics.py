"""Statistics of scores: the interval of an AUROC, the p-value of a difference, ROC curves and histograms.

An AUROC is a mean over the abnormal samples and a mean over the normal ones, so its standard deviation follows from
the samples' contributions to these means. The contributions to a mean over seeds are the mean of the seeds'
contributions, sample by sample, and those to a mean over classes are the mean of the classes'. A test sample that
several classes share therefore counts as one sample.

References
----------
E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson (1988), Comparing the areas under two or more correlated receiver
operating characteristic curves: a nonparametric approach. Biometrics 44, 837-845.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959963984540054
"""The normal distribution's 97.5 % quantile."""


@dataclass(frozen=True, eq=False)
class Ranked:
    """The scores of n test samples, sorted once for all statistics of them.

    Attributes
    ----------
    label
        (n,), True for an anomaly.
    distinct
        (d,), the d different scores in rising order.
    rank
        (n,), the place of each sample's score in `distinct`.
    normal, abnormal
        (d,), how many samples of each kind have a score.
    """

    label: NDArray[np.bool_]
    distinct: NDArray[np.float64]
    rank: NDArray[np.intp]
    normal: NDArray[np.intp]
    abnormal: NDArray[np.intp]

    @classmethod
    def of(cls, label: NDArray[np.bool_], scores: NDArray[np.float64]) -> Ranked:
        """Sort the scores of some samples.

        Parameters
        ----------
        label
            (n,), True for an anomaly.
        scores
            (n,), higher for a more anomalous sample.

        Returns
        -------
        Ranked
            The sorted scores.
        """
        distinct, rank = np.unique(scores, return_inverse=True)
        total = np.bincount(rank, minlength=len(distinct))
        abnormal = np.bincount(rank[label], minlength=len(distinct))
        return cls(label, distinct, rank, total - abnormal, abnormal)

    def contributions(self) -> tuple[float, NDArray[np.float32]]:
        """Return the AUROC, and what each sample contributes to its deviation.

        Returns
        -------
        tuple[float, NDArray[np.float32]]
            The AUROC, and the contributions (n,), the sum of whose squares is the AUROC's variance by DeLong.
        """
        n, m = int(self.normal.sum()), int(self.abnormal.sum())
        below = (np.cumsum(self.normal) - self.normal / 2) / n  # the share of normals below; a tie counts half
        above = (m - np.cumsum(self.abnormal) + self.abnormal / 2) / m
        area = float(below @ self.abnormal / m)
        of_abnormal, of_normal = (below - area) / _root(m), (above - area) / _root(n)
        return area, np.where(self.label, of_abnormal[self.rank], of_normal[self.rank]).astype(np.float32)

    def shares_below(self) -> NDArray[np.float64]:
        """Return, for each sample (n,), the share of all samples that have a lower score; a tie counts half."""
        total = self.normal + self.abnormal
        shares: NDArray[np.float64] = ((np.cumsum(total) - total / 2) / len(self.label))[self.rank]
        return shares

    def roc(self, rates: Sequence[float]) -> list[float]:
        """Return the ROC curve.

        Parameters
        ----------
        rates
            False-positive rates, rising from 0 to 1.

        Returns
        -------
        list[float]
            The true-positive rate at each of them, with three decimals.
        """
        counts = self.normal, self.abnormal
        fpr, tpr = (np.append(0, np.cumsum(kind[::-1])) / max(int(kind.sum()), 1) for kind in counts)
        return [round(float(value), 3) for value in np.interp(rates, fpr, tpr)]

    def histogram(self, bins: int) -> dict[str, Any]:
        """Return the histograms of the normal and of the abnormal scores.

        Parameters
        ----------
        bins
            The number of bins between the quantiles .005 and .995 of all scores.

        Returns
        -------
        dict[str, Any]
            'low' and 'high', the outer edges; 'normal' and 'abnormal', the share of each kind in every bin, in
            thousandths. The outer bins also count what lies beyond the edges.
        """
        cumulative = np.cumsum(self.normal + self.abnormal)
        low, high = self.distinct[np.searchsorted(cumulative, np.array([0.005, 0.995]) * cumulative[-1])]
        if not high > low:
            low, high = low - 0.5, high + 0.5
        place = ((self.distinct - low) / (high - low) * bins).clip(0, bins - 1).astype(int)
        shares = {
            name: np.round(1000 * np.bincount(place, counts, bins) / max(int(counts.sum()), 1)).astype(int).tolist()
            for name, counts in (("normal", self.normal), ("abnormal", self.abnormal))
        }
        return {"low": float(f"{low:.5g}"), "high": float(f"{high:.5g}"), **shares}


def _root(n: int) -> float:
    """The divisor of n deviations from a mean, by which their squares add up to the variance of the mean."""
    return math.sqrt(n * max(n - 1, 1))


def interval(value: float, deviation: float) -> tuple[float, float]:
    """Return the 95 % interval of a share by the normal distribution.

    Parameters
    ----------
    value
        The share, from 0 to 1.
    deviation
        Its standard deviation.

    Returns
    -------
    tuple[float, float]
        Both bounds, from 0 to 1.
    """
    return max(value - Z95 * deviation, 0.0), min(value + Z95 * deviation, 1.0)


def two_sided(difference: float, deviation: float) -> float:
    """Return the two-sided p-value of a difference by the normal distribution.

    Parameters
    ----------
    difference
        The difference of two values.
    deviation
        Its standard deviation.

    Returns
    -------
    float
        The p-value of no difference; where the deviation is 0, 1 for no difference and 0 for any other.
    """
    if deviation == 0:
        return 1.0 if difference == 0 else 0.0
    return math.erfc(abs(difference) / deviation / math.sqrt(2))
