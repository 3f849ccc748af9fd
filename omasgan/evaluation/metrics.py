"""How well scores separate anomalies from normal samples.

Everywhere: labels (n,), 1 or True for an anomaly, which is the positive class; scores (n,), higher = more
anomalous. `evaluate` checks its input; the single metrics leave that to their callers.
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

_CELLS = 2**20  # of the count tables that the bootstrap holds at a time: 8 MB each, which fits a cache


@dataclass(frozen=True)
class Metrics:
    """One score's metrics on one test set; auroc_low and auroc_high bound the 95 % bootstrap interval."""

    auroc: float
    auroc_low: float
    auroc_high: float
    auprc: float
    auprc_balanced: float
    prevalence: float
    fpr95: float
    n_normal: int
    n_abnormal: int

    def as_dict(self) -> dict[str, float]:
        """The fields by name, in the order of their declaration."""
        return asdict(self)


def evaluate(labels: Labels, scores: Scores, seed: int) -> Metrics:
    """All metrics; `seed` is the bootstrap's. UserError for a class without samples, NaN or infinity."""
    labels = np.asarray(labels, dtype=bool)
    n_abnormal = int(labels.sum())
    n_normal = len(labels) - n_abnormal
    if not n_normal or not n_abnormal:
        raise UserError(
            f"the test set has {n_normal} normal and {n_abnormal} abnormal samples, and metrics need both; "
            "choose another protocol or abnormal class"
        )
    broken = np.flatnonzero(~np.isfinite(scores))
    if len(broken):
        raise UserError(
            f"{len(broken)} of {len(scores)} scores are NaN or infinite (sample {broken[0]} has "
            f"{scores[broken[0]]}), and metrics need finite ones; training diverged: lower its learning rate"
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
        n_normal=n_normal,
        n_abnormal=n_abnormal,
    )


def auroc(labels: Labels, scores: Scores) -> float:
    """The share of (abnormal, normal) pairs that the scores put in order; a tie counts half."""
    return float(roc_auc_score(labels, scores))


def auprc(labels: Labels, scores: Scores) -> float:
    """Average precision at the test set's own prevalence, which is also what random scores get."""
    return float(average_precision_score(labels, scores))


def auprc_balanced(labels: Labels, scores: Scores) -> float:
    """Average precision at 1:1, where random scores get 0.5 on every test set.

    Weights make the classes equal instead of a drawn subset: no sample is lost and no noise is added.
    """
    weights = compute_sample_weight("balanced", labels)
    return float(average_precision_score(labels, scores, sample_weight=weights))


def fpr_at_tpr(labels: Labels, scores: Scores, tpr: float = 0.95) -> float:
    """The smallest share of normal samples flagged by a threshold that flags a share `tpr` of the anomalies.

    Papers that take the normal class as positive report another number by the same name.
    """
    flagged_normal, flagged_abnormal, _ = roc_curve(labels, scores, drop_intermediate=False)
    return float(flagged_normal[np.searchsorted(flagged_abnormal, tpr)])


def bootstrap_interval(
    labels: Labels, scores: Scores, seed: int, resamples: int = 1000, level: float = 0.95
) -> tuple[float, float]:
    """The AUROC's percentile interval over test sets drawn from this one; of no width where it is 0 or 1.

    Each class is drawn from apart, so that no resample lacks one and all have this test set's prevalence.
    """
    values = np.concatenate(list(_resampled_aurocs(labels, scores, seed, resamples)))
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _resampled_aurocs(labels: Labels, scores: Scores, seed: int, resamples: int) -> Iterator[Scores]:
    # AUROC depends on the ranks alone: sort once, and a resample is how often it holds every distinct score.
    distinct, rank = np.unique(scores, return_inverse=True)
    abnormal = np.asarray(labels, dtype=bool)
    rng = np.random.default_rng(seed)
    chunk = max(1, _CELLS // len(scores))
    for done in range(0, resamples, chunk):
        shape = min(chunk, resamples - done), len(distinct)
        yield auroc_of_counts(_resample(rank[~abnormal], shape, rng), _resample(rank[abnormal], shape, rng))


def _resample(ranks: NDArray[np.intp], shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.intp]:
    """Resamples of `ranks` with replacement, each as counts: (resamples, distinct scores)."""
    rows, size = shape
    drawn = ranks[rng.integers(len(ranks), size=(rows, len(ranks)))]
    cells = drawn + size * np.arange(rows)[:, None]
    return np.bincount(cells.ravel(), minlength=rows * size).reshape(shape)


def auroc_of_counts(normal: NDArray[np.intp], abnormal: NDArray[np.intp]) -> Scores:
    """AUROCs (r,) of r test sets, given how often each holds each distinct score, in rising order: (r, k)."""
    below = np.cumsum(normal, axis=1) - normal / 2
    pairs = normal.sum(axis=1) * abnormal.sum(axis=1)
    return np.asarray(np.einsum("rk,rk->r", abnormal, below) / pairs)
