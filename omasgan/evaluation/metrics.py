"""How well scores separate anomalies from normal samples.

In every function labels are (n,), 1 or True for an anomaly, which is the positive class, and scores are (n,), higher is
more anomalous. `evaluate` checks its input; the single metrics do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve
from sklearn.utils.class_weight import compute_sample_weight

from omasgan.errors import UserError

Labels = NDArray[np.bool_] | NDArray[np.integer[Any]]
Scores = NDArray[np.float64]

_CELLS = 2**20
"""Cells of the count tables that the bootstrap holds at a time: 8 MB, which fit a cache."""


@dataclass(frozen=True)
class Metrics:
    """The metrics of one score on one test set.

    Parameters
    ----------
    auroc
        Area under the ROC curve, 0..1.
    auroc_low, auroc_high
        Its 95 % bootstrap interval.
    auprc
        Average precision, 0..1, at the prevalence of the test set.
    auprc_balanced
        Average precision, 0..1, with both classes weighted equally.
    prevalence
        Fraction of anomalies in the test set, 0..1.
    fpr95
        False-positive rate, 0..1, at a true-positive rate of 0.95.
    """

    auroc: float
    auroc_low: float
    auroc_high: float
    auprc: float
    auprc_balanced: float
    prevalence: float
    fpr95: float

    def as_dict(self) -> dict[str, float]:
        """The fields by name, in the order of their declaration."""
        return asdict(self)


def evaluate(labels: Labels, scores: Scores, seed: int) -> Metrics:
    """Compute all metrics of a score.

    Parameters
    ----------
    labels, scores
        The n test samples.
    seed
        Seed of the bootstrap.

    Raises
    ------
    UserError
        Where a class has no samples, or a score is NaN or infinite.
    """
    labels = np.asarray(labels, dtype=bool)
    n_abnormal = int(labels.sum())
    n_normal = len(labels) - n_abnormal
    if not n_normal or not n_abnormal:
        raise UserError(
            f"the test set has {n_normal} normal and {n_abnormal} abnormal samples, but metrics need both; "
            "choose another protocol or abnormal class"
        )
    broken = np.flatnonzero(~np.isfinite(scores))
    if len(broken):
        raise UserError(
            f"{len(broken)} of {len(scores)} scores are NaN or infinite (sample {broken[0]} has "
            f"{scores[broken[0]]}), but metrics need finite scores; training diverged: lower its learning rate"
        )
    low, high = bootstrap_interval(labels, scores, seed)
    return Metrics(
        auroc=auroc(labels, scores),
        auroc_low=low,
        auroc_high=high,
        auprc=auprc(labels, scores),
        auprc_balanced=auprc_balanced(labels, scores),
        prevalence=n_abnormal / len(labels),
        fpr95=fpr_at_tpr(labels, scores),
    )


def auroc(labels: Labels, scores: Scores) -> float:
    """The fraction of (abnormal, normal) pairs in which the abnormal score is higher; a tie counts half.

    Examples
    --------
    >>> auroc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.3, 0.8]))
    0.75
    """
    return float(roc_auc_score(labels, scores))


def auprc(labels: Labels, scores: Scores) -> float:
    """Average precision at the prevalence of the test set; random scores get that prevalence."""
    return float(average_precision_score(labels, scores))


def auprc_balanced(labels: Labels, scores: Scores) -> float:
    """Average precision with both classes weighted equally, so that random scores get 0.5 on every test set.

    Weights balance the classes rather than a random subset, so that all samples count and no noise is added.
    """
    weights = compute_sample_weight("balanced", labels)
    return float(average_precision_score(labels, scores, sample_weight=weights))


def fpr_at_tpr(labels: Labels, scores: Scores, tpr: float = 0.95) -> float:
    """The smallest false-positive rate of a threshold whose true-positive rate is at least `tpr`, 0..1.

    Papers that take the normal class as the positive one report a different number under the same name.
    """
    flagged_normal, flagged_abnormal, _ = roc_curve(labels, scores, drop_intermediate=False)
    return float(flagged_normal[np.searchsorted(flagged_abnormal, tpr)])


def bootstrap_interval(
    labels: Labels, scores: Scores, seed: int, resamples: int = 1000, level: float = 0.95
) -> tuple[float, float]:
    """The bootstrap percentile interval of the AUROC.

    Each class is resampled separately, so that every resample has both classes at the prevalence of the test set. An
    AUROC of 0 or 1 gives an interval of zero width.

    Parameters
    ----------
    labels, scores
        The n test samples.
    seed
        Seed of the resampling.
    resamples
        Number of resampled test sets.
    level
        Confidence level of the interval, 0..1.

    Returns
    -------
    tuple of float
        The lower and the upper end.
    """
    values = np.concatenate(list(_resampled_aurocs(labels, scores, seed, resamples)))
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _resampled_aurocs(labels: Labels, scores: Scores, seed: int, resamples: int) -> Iterator[Scores]:
    # The AUROC depends on the ranks alone: sort once, then describe a resample by the count of each distinct score.
    distinct, rank = np.unique(scores, return_inverse=True)
    abnormal = np.asarray(labels, dtype=bool)
    rng = np.random.default_rng(seed)
    chunk = max(1, _CELLS // len(scores))
    for done in range(0, resamples, chunk):
        shape = min(chunk, resamples - done), len(distinct)
        yield auroc_of_counts(_resample(rank[~abnormal], shape, rng), _resample(rank[abnormal], shape, rng))


def _resample(ranks: NDArray[np.intp], shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.intp]:
    """Resample `ranks` with replacement; counts of each distinct score, (resamples, distinct scores)."""
    rows, size = shape
    drawn = ranks[rng.integers(len(ranks), size=(rows, len(ranks)))]
    cells = drawn + size * np.arange(rows)[:, None]
    return np.bincount(cells.ravel(), minlength=rows * size).reshape(shape)


def auroc_of_counts(normal: NDArray[np.intp], abnormal: NDArray[np.intp]) -> Scores:
    """The AUROCs (r,) of r test sets from their counts (r, k) of the k distinct scores, in rising order."""
    below = np.cumsum(normal, axis=1) - normal / 2
    pairs = normal.sum(axis=1) * abnormal.sum(axis=1)
    return np.asarray(np.einsum("rk,rk->r", abnormal, below) / pairs)
