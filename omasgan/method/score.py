"""The anomaly score: its two parts, their mean and deviation over normal training samples, and their weighted sum."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from omasgan.method.divergences import Divergence
from omasgan.method.neighbour_features import NeighbourFeatures
from omasgan.method.settings import Inference

Scales = Mapping[str, tuple[float, float]]
"""Mean and standard deviation of each part of the score over normal training samples."""

TINY = 1e-12
"""Least standard deviation that a part is divided by, because a part may be equal for all normal training samples."""


def parts(
    x: Tensor,
    v_J: Callable[[Tensor], Tensor],
    v_C: Callable[[Tensor], Tensor],
    inference: Inference,
    divergence: Divergence,
    neighbour_features: NeighbourFeatures | None,
    in_bank: bool = False,
    minus_log_p: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """The two parts of `total`: J(x) and f_D(G', delta_x), which is a distance if `inference.divergence_term` says so.

    Parameters
    ----------
    x
        Scaled samples, (n, ...).
    v_J, v_C
        Functions from samples to the raw outputs of J and of C, (n,), float64.
    inference
        The forms of the two parts: `j_features`, `j_scale`, `divergence_term`, `neighbours`, `density_exponent`.
    divergence
        The f-divergence of C, which gives T_C and f*(T_C).
    neighbour_features
        The memory bank, if J or the divergence term uses distances to it; else None.
    in_bank
        Whether x are the training samples that the memory bank holds. The nearest sample of each, which is the sample
        itself, is then left out. False for samples that are to be scored.
    minus_log_p
        From samples to -log p(x) under G', (n,), float64, where `divergence_term` is `likelihood`; else None.

    Returns
    -------
    Tensor
        (n, 2), float64: J(x) and f_D(G', delta_x).
    """
    given, neighbours = x, None
    if neighbour_features is not None:
        neighbours = neighbour_features.neighbours(x, in_bank)
        given = x if inference.j_features == "sample" else neighbour_features.input_of_J(x, neighbours)
    v = v_J(given)
    if neighbours is not None and inference.divergence_term == "distance":
        term = neighbours.distance_term(inference.neighbours, inference.density_exponent).double()
    elif minus_log_p is not None and inference.divergence_term == "likelihood":
        term = minus_log_p(x)
    elif inference.divergence_term == "conjugate":
        term = -divergence.conjugate_of_activation(v_C(x))
    else:
        term = -divergence.activation(v_C(x))
    return torch.stack([v.sigmoid() if inference.j_scale == "probability" else v, term], dim=1)


def scales(parts_of_normals: Mapping[str, Tensor]) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of each part (n,) over normal training samples, by which `total` standardises it."""
    return {name: (float(part.mean()), float(part.std())) for name, part in parts_of_normals.items()}


def total(parts: Mapping[str, Tensor], scales: Scales, inference: Inference) -> Tensor:
    """The anomaly score AS(x) = J(x) + lambda f_D(G', delta_x), a weighted sum of standardised parts.

    Each part has zero mean and unit deviation over normal training samples, so that lambda does not depend on units.

    Parameters
    ----------
    parts
        `j`, `divergence` and, where an embedding has auxiliary scores, `auxiliary`; each (n,), float64.
    scales
        What the function `scales` returned for normal training samples.
    inference
        The weights `lambda_` and `auxiliary_weight`.

    Returns
    -------
    Tensor
        (n,), float64; higher is more anomalous.

    References
    ----------
    Eq. (8) of the paper. Standardising the parts, and the part `auxiliary`, are additions to it.

    Examples
    --------
    >>> parts = {"j": torch.tensor([1.0, 3.0]), "divergence": torch.tensor([10.0, 20.0])}
    >>> total(parts, {"j": (1.0, 2.0), "divergence": (10.0, 5.0)}, Inference(lambda_=0.5))
    tensor([0., 2.], dtype=torch.float64)
    """
    weights = {"j": 1.0, "divergence": inference.lambda_, "auxiliary": inference.auxiliary_weight}
    full = torch.zeros_like(parts["j"], dtype=torch.float64)
    for name, (mean, deviation) in scales.items():
        full += weights[name] * (parts[name] - mean) / max(deviation, TINY)
    return full
