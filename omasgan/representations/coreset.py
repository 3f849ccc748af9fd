"""A coreset: a part of many rows such that every row is near one of them."""

from __future__ import annotations

import torch
from torch import Tensor


def greedy_coreset(x: Tensor, m: int, first: int = 0) -> Tensor:
    """Choose rows one by one, each the farthest from those chosen before (greedy k-centre).

    The largest distance from a row to the nearest chosen one is at most twice the smallest that m rows can have.

    Parameters
    ----------
    x
        Rows (n, k).
    m
        The number of rows to choose, at most n.
    first
        The place of the first one.

    Returns
    -------
    Tensor
        The places of the chosen rows in x, in the order of their choice; int64 (m,).

    References
    ----------
    Gonzalez 1985, "Clustering to minimize the maximum intercluster distance"; Roth et al. 2022, "Towards total recall
    in industrial anomaly detection" (PatchCore), section 3.2.

    Examples
    --------
    >>> greedy_coreset(torch.tensor([[0.0], [0.1], [5.0], [9.0]]), 3)
    tensor([0, 3, 2])
    """
    chosen = torch.empty(m, dtype=torch.int64)
    nearest = torch.full((len(x),), torch.inf)
    place = first
    for step in range(m):
        chosen[step] = place
        torch.minimum(nearest, (x - x[place]).square().sum(dim=1), out=nearest)
        nearest[place] = -1.0  # not again, also where rows are equal
        place = int(nearest.argmax())
    return chosen
