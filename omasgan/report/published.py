"""The paper's own means, which the plots show as reference lines; none of them was measured here."""

from __future__ import annotations

from dataclasses import dataclass, field

from omasgan.report.study import Setting

CLASSES = 10
"""Number of classes that the paper's means are over."""


@dataclass(frozen=True)
class Published:
    """The paper's means over the ten classes of a data set.

    Attributes
    ----------
    full
        AUROC of the whole method.
    terms
        AUROC of the ablation, by term; empty where the paper gives none.
    auprc_balanced
        AUPRC of the whole method at equal weight of normal samples and anomalies.
    """

    full: float
    terms: dict[str, float] = field(default_factory=dict)
    auprc_balanced: float | None = None


PUBLISHED = {
    ("mnist", "loo"): Published(0.85, {"task1": 0.59, "task3": 0.71, "full": 0.84}, 0.82),
    ("cifar10", "loo"): Published(0.71, {"task1": 0.57, "task3": 0.64, "full": 0.71}, 0.68),
    ("cifar10", "occ"): Published(0.85, {}, 0.88),
}
"""By data set and protocol; the paper gives .84 in its ablation and .85 in its comparison for MNIST."""


def published(where: Setting) -> Published | None:
    """The paper's means for a setting; None where there are none, or the setting's means are over fewer classes."""
    is_like_it = len(where.averaged) == CLASSES and where.together == 1
    return PUBLISHED.get((where.dataset, where.protocol)) if is_like_it else None
