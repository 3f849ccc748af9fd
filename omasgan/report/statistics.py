"""What the report says of scores: the AUROC's interval, and the paired comparison of two of them.

DeLong, DeLong and Clarke-Pearson (1988): an AUROC is a mean over the abnormal and a mean over the normal samples, so
its deviation is that of the samples' contributions. Contributions add up: those of a mean over seeds are the mean of
the seeds', those of a mean over classes the mean of the classes', sample by sample. So a test sample that several
classes share counts as one sample, and not as several.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959963984540054
"""The normal distribution's 97.5 % quantile."""


@dataclass(frozen=True, eq=False)
class Ranked:
    """One score of n test samples, sorted once for all that is made of it.

    distinct: its values in rising order; rank (n,): each sample's place among them; normal, abnormal: how many samples
    of each kind have a value.
    """

    label: NDArray[np.bool_]
    distinct: NDArray[np.float64]
    rank: NDArray[np.intp]
    normal: NDArray[np.intp]
    abnormal: NDArray[np.intp]

    @classmethod
    def of(cls, label: NDArray[np.bool_], scores: NDArray[np.float64]) -> Ranked:
        """Sort the scores (n,) of samples with labels (n,), True for an anomaly."""
        distinct, rank = np.unique(scores, return_inverse=True)
        total = np.bincount(rank, minlength=len(distinct))
        abnormal = np.bincount(rank[label], minlength=len(distinct))
        return cls(label, distinct, rank, total - abnormal, abnormal)

    def contributions(self) -> tuple[float, NDArray[np.float32]]:
        """The AUROC, and each sample's contribution (n,): the sum of their squares is the AUROC's variance (DeLong)."""
        n, m = int(self.normal.sum()), int(self.abnormal.sum())
        below = (np.cumsum(self.normal) - self.normal / 2) / n  # the share of normals below; a tie counts half
        above = (m - np.cumsum(self.abnormal) + self.abnormal / 2) / m
        area = float(below @ self.abnormal / m)
        of_abnormal, of_normal = (below - area) / _root(m), (above - area) / _root(n)
        return area, np.where(self.label, of_abnormal[self.rank], of_normal[self.rank]).astype(np.float32)

    def roc(self, points: int) -> list[float]:
        """The true-positive rate at `points` evenly spaced false-positive rates from 0 to 1."""
        counts = self.normal, self.abnormal
        fpr, tpr = (np.append(0, np.cumsum(kind[::-1])) / max(int(kind.sum()), 1) for kind in counts)
        return [round(float(value), 3) for value in np.interp(np.linspace(0, 1, points), fpr, tpr)]

    def histogram(self, bins: int) -> dict[str, Any]:
        """Normal and abnormal samples in thousandths a bin; the outer half hundredths lie in the outer bins."""
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
    """What deviations from a mean of n are divided by, so that their squares add up to the mean's variance."""
    return math.sqrt(n * max(n - 1, 1))


def interval(value: float, deviation: float) -> tuple[float, float]:
    """The 95 % interval of a share by the normal distribution, within 0 and 1."""
    return max(value - Z95 * deviation, 0.0), min(value + Z95 * deviation, 1.0)


def two_sided(difference: float, deviation: float) -> float:
    """The p-value of a difference against none; without a deviation 1 for none, and 0 for any."""
    if deviation == 0:
        return 1.0 if difference == 0 else 0.0
    return math.erfc(abs(difference) / deviation / math.sqrt(2))
