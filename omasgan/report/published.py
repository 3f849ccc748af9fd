"""Published means: the paper's own, which the plots show as reference lines, and those of other detectors.

None of them was measured here. A figure is listed where its source was read; one that is only quoted elsewhere says so.

References
----------
K. H. Kim et al. (2020), RaPP: novelty detection with reconstruction along projection pathway. ICLR.

L. Ruff et al. (2018), Deep one-class classification. ICML.

I. Golan and R. El-Yaniv (2018), Deep anomaly detection using geometric transformations. NeurIPS.

S. Goyal et al. (2020), DROCC: deep robust one-class classification. ICML.

G. Wang et al. (2023), Unilaterally aggregated contrastive learning with hierarchical augmentation for anomaly
detection. ICCV.
"""

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
    return PUBLISHED.get((where.dataset, where.protocol)) if _is_over_all(where) else None


def _is_over_all(where: Setting) -> bool:
    """Whether the setting's means are over the ten classes, one at a time, as those of the papers are."""
    return len(where.averaged) == CLASSES and where.together == 1


@dataclass(frozen=True)
class Figure:
    """A published mean AUROC over the ten classes.

    Attributes
    ----------
    value
        The mean.
    source
        Who published it.
    differs
        How its protocol differs from the official split; empty where it does not.
    """

    value: float
    source: str
    differs: str = ""


MERGED = "60 % of both splits merged for training, 20 % and all anomalies for the test"
_RAPP = "Kim et al. 2020"
_DROCC = "Goyal et al. 2020"

FIGURES = {
    ("mnist", "loo", "autoencoder", "reconstruction"): Figure(0.825, _RAPP, MERGED),
    ("mnist", "loo", "vae", "elbo"): Figure(0.864, _RAPP, MERGED),
    ("mnist", "loo", "geom", "dirichlet"): Figure(0.893, _RAPP, MERGED),
    ("mnist", "loo", "deep_svdd", "distance"): Figure(0.622, _RAPP, MERGED),
    ("fashion_mnist", "loo", "autoencoder", "reconstruction"): Figure(0.712, _RAPP, MERGED),
    ("fashion_mnist", "loo", "vae", "elbo"): Figure(0.710, _RAPP, MERGED),
    ("fashion_mnist", "loo", "geom", "dirichlet"): Figure(0.725, _RAPP, MERGED),
    ("fashion_mnist", "loo", "deep_svdd", "distance"): Figure(0.610, _RAPP, MERGED),
    ("cifar10", "occ", "anogan", "search"): Figure(0.618, f"quoted by {_DROCC}"),
    ("cifar10", "occ", "autoencoder", "reconstruction"): Figure(0.594, _DROCC),
    ("cifar10", "occ", "deep_svdd", "distance"): Figure(0.648, "Ruff et al. 2018"),
    ("cifar10", "occ", "drocc", "logit"): Figure(0.742, _DROCC, "radius and optimiser chosen for each class"),
    ("cifar10", "occ", "geom", "dirichlet"): Figure(0.860, "Golan and El-Yaniv 2018"),
    ("cifar10", "occ", "goad", "log_probability"): Figure(0.851, "rerun by Wang et al. 2023", "ResNet-18"),
}
"""By data set, protocol, detector and its own score."""

STYLE = frozenset({"adae", "bdsg", "cvae_negatives", "minlgan", "rumi_gan", "tail_gan"})
"""Detectors that are reconstructed in the style of a paper which leaves too much open for a reproduction."""


def figure_of(where: Setting, detector: str, term: str) -> Figure | None:
    """The published mean of a detector's score in a setting; None where none is known, or the means are of less."""
    if detector == "omasgan":
        own = published(where)
        return Figure(own.full, "the paper", "anomalies and normal samples at 1:1") if own and term == "full" else None
    return FIGURES.get((where.dataset, where.protocol, detector, term)) if _is_over_all(where) else None
