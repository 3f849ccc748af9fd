"""The anomaly score of eq. (8): AS(x) = J(x) + lambda f_D(G', delta_x)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from omasgan.method.divergences import Divergence
from omasgan.method.memory_bank import NeighbourFeatures
from omasgan.method.settings import Inference

Scales = Mapping[str, tuple[float, float]]
"""Mean and deviation of each part of the score over training normals."""

TINY = 1e-12
"""Stands in for the deviation of a part that is the same for all training normals."""


def parts(
    x: Tensor,
    v_J: Callable[[Tensor], Tensor],
    v_C: Callable[[Tensor], Tensor],
    inference: Inference,
    divergence: Divergence,
    neighbour_features: NeighbourFeatures | None,
    in_bank: bool = False,
) -> Tensor:
    """J(x) and f_D(G', delta_x), each in the reading that `inference` chooses.

    Parameters
    ----------
    x
        Scaled samples, (n, ...).
    v_J, v_C
        The raw outputs of J and of C, (n,), float64.
    neighbour_features
        The memory bank, where J or the divergence term measures distances to it.
    in_bank
        Whether x are training samples, see `NeighbourFeatures.neighbours`.

    Returns
    -------
    Tensor
        (n, 2), float64.
    """
    given, neighbours = x, None
    if neighbour_features is not None:
        neighbours = neighbour_features.neighbours(x, in_bank)
        given = neighbour_features.append(x, neighbours) if inference.j_features == "neighbours" else x
    v = v_J(given)
    if neighbours is not None and inference.divergence_term == "distance":
        term = neighbours.distance_term(inference.neighbours, inference.density_exponent)
    elif inference.divergence_term == "conjugate":
        term = -divergence.conjugate_of_activation(v_C(x))
    else:
        term = -divergence.activation(v_C(x))
    return torch.stack([v.sigmoid() if inference.j_scale == "probability" else v, term], dim=1)


def scales(parts_of_normals: Mapping[str, Tensor]) -> dict[str, tuple[float, float]]:
    """Mean and deviation of each part over training normals, so that the weights of the sum mean something."""
    return {name: (float(part.mean()), float(part.std())) for name, part in parts_of_normals.items()}


def total(parts: Mapping[str, Tensor], scales: Scales, inference: Inference) -> Tensor:
    """The weighted sum of the standardised parts, AS(x); (n,), float64."""
    weights = {"j": 1.0, "divergence": inference.lambda_, "auxiliary": inference.auxiliary_weight}
    full = torch.zeros(len(parts["j"]), dtype=torch.float64)
    for name, (mean, deviation) in scales.items():
        full += weights[name] * (parts[name] - mean) / max(deviation, TINY)
    return full
