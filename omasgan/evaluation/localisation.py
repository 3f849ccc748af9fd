"""How well anomaly maps tell where in an image an anomaly is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.metrics import roc_auc_score, roc_curve

MOST_FALSE = 0.3
"""The largest false-positive rate that the per-region overlap is averaged over."""

UNKNOWN = 255
"""The value of a mask's pixels where it is not known whether they are anomalous."""

Maps = NDArray[np.floating[Any]]
Masks = NDArray[np.uint8]


@dataclass(frozen=True)
class Localisation:
    """The metrics of the anomaly maps of a test set.

    Parameters
    ----------
    pixel_auroc
        AUROC of all pixels, 0..1.
    aupro
        Area under the per-region overlap up to a false-positive rate of `MOST_FALSE`, 0..1; see `aupro`.
    images
        Number of images whose masks are known.
    """

    pixel_auroc: float
    aupro: float
    images: int


def localisation(masks: Masks, maps: Maps) -> Localisation | None:
    """The metrics of anomaly maps.

    Parameters
    ----------
    masks
        uint8 (n, H, W): 1 for an anomalous pixel, 0 for a normal one, `UNKNOWN` in images without a mask.
    maps
        (n, H, W), higher is more anomalous.

    Returns
    -------
    Localisation or None
        None where the known masks have no anomalous or no normal pixel.
    """
    known = (masks != UNKNOWN).all(axis=(1, 2))
    masks, maps = masks[known], maps[known]
    if masks.size == 0 or masks.min() == masks.max():
        return None
    auroc = float(roc_auc_score(masks.ravel() > 0, maps.ravel()))
    return Localisation(auroc, aupro(masks, maps), int(known.sum()))


def aupro(masks: Masks, maps: Maps, most_false: float = MOST_FALSE) -> float:
    """The area under the curve of the per-region overlap over the false-positive rate, divided by `most_false`.

    The per-region overlap at a threshold is the fraction of an anomalous region whose pixels are above it, averaged
    over the connected regions of all masks, so that small regions count as much as large ones.

    Parameters
    ----------
    masks, maps
        (n, H, W); every pixel of a mask is 0 or 1, and both occur.
    most_false
        The largest false-positive rate, 0..1.

    References
    ----------
    Bergmann et al. 2020, "Uninformed students: student-teacher anomaly detection with discriminative latent
    embeddings".

    Examples
    --------
    >>> mask = np.array([[[1, 0, 0, 0]]], dtype=np.uint8)
    >>> aupro(mask, np.array([[[0.9, 0.1, 0.2, 0.3]]]))
    1.0
    """
    # The overlap averaged over regions is a true-positive rate in which each region has the same total weight.
    weights = np.ones(masks.shape)
    for mask, weight in zip(masks, weights, strict=True):
        regions, count = ndimage.label(mask, structure=np.ones((3, 3)))
        if count:
            sizes = np.bincount(regions.ravel())
            weight[regions > 0] = 1 / sizes[regions[regions > 0]]
    false, overlap, _ = roc_curve(
        masks.ravel() > 0, maps.ravel(), sample_weight=weights.ravel(), drop_intermediate=False
    )
    at_end = float(np.interp(most_false, false, overlap))
    inside = false <= most_false
    area = np.trapezoid(np.append(overlap[inside], at_end), np.append(false[inside], most_false))
    return float(area / most_false)
