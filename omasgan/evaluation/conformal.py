"""Conformal p-values: how a score compares with those of normal samples that were not learned from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]


def p_values(scores: Scores, normal_scores: Scores) -> Scores:
    """(1 + number of normal scores that are at least as high) / (1 + n) for each score, (m,).

    Of new normal samples that are exchangeable with the n ones, at most a fraction a has a p-value of at most a.

    Parameters
    ----------
    scores
        (m,), higher is more anomalous.
    normal_scores
        (n,), in rising order.

    Examples
    --------
    >>> p_values(np.array([0.5, 2.0, 9.0]), np.array([1.0, 2.0, 3.0]))
    array([1.  , 0.75, 0.25])
    """
    n = len(normal_scores)
    return np.asarray((1.0 + n - np.searchsorted(normal_scores, scores)) / (1 + n))
