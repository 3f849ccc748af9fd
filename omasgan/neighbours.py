"""Distances to a bank of normal samples, eq. (4), for the score and for what J sees."""

from __future__ import annotations

import torch
from torch import Tensor, nn

RANKS = (1, 3, 10)
"""J is shown the mean distance to so many nearest samples of the bank."""

CHUNK = 256

TINY = 1e-6
"""Stands in for a distance, or a deviation, of zero."""


def nearest_distances(x: Tensor, bank: Tensor, n: int) -> Tensor:
    """The Euclidean distances of each of x (m, ...) to its n nearest of bank (Q, ...), rising; (m, n).

    The nearest are found by matrix products of centred samples, and measured by their differences: a product's rounding
    grows with the distance from the origin.
    """
    x, bank = x.flatten(1).float(), bank.flatten(1).float()
    centre = bank.mean(dim=0)
    centred, parts = bank - centre, []
    for part in torch.split(x, CHUNK):
        distances = torch.cdist(part - centre, centred, compute_mode="use_mm_for_euclid_dist")
        nearest = distances.topk(n, largest=False).indices
        parts.append(torch.linalg.vector_norm(part.unsqueeze(1) - bank[nearest], dim=2).sort(dim=1).values)
    return torch.cat(parts)


class Sight(nn.Module):
    """What J is shown of rows x (n, k): x, and the logarithms of its distances to the bank; (n, k + len(RANKS)).

    bank: scaled normal samples (Q, k), Q > max(RANKS). real: they are training samples, not generated ones. of_bank in
    the call: the rows are training samples, and those in a bank of real ones don't count as their own neighbours.
    Distances below a tenth of the training samples' median count as that: the logarithm of a copy's distance, zero,
    would outweigh all others.
    """

    bank: Tensor
    smallest: Tensor
    shift: Tensor
    scale: Tensor

    def __init__(self, bank: Tensor, real: bool) -> None:
        super().__init__()
        self.real = real
        self.register_buffer("bank", bank)
        self.register_buffer("smallest", torch.tensor(TINY, device=bank.device))
        self.register_buffer("shift", torch.zeros(len(RANKS), device=bank.device))
        self.register_buffer("scale", torch.ones(len(RANKS), device=bank.device))

    def fit(self, x: Tensor) -> None:
        """Give the distances of training samples zero mean and unit deviation."""
        distances = self.distances(x, max(RANKS), of_bank=True)
        self.smallest = (distances[:, 0].median() / 10).clamp_min(TINY)
        logarithms = self._logarithms(distances)
        self.shift, self.scale = logarithms.mean(dim=0), logarithms.std(dim=0).clamp_min(TINY)

    def forward(self, x: Tensor, of_bank: bool = False) -> Tensor:
        """See the class."""
        logarithms = self._logarithms(self.distances(x, max(RANKS), of_bank))
        return torch.cat([x.float(), (logarithms - self.shift) / self.scale], dim=1)

    def distances(self, x: Tensor, n: int, of_bank: bool = False) -> Tensor:
        """The distances to the n nearest of the bank, rising; (m, n)."""
        itself = int(of_bank and self.real)
        return nearest_distances(x, self.bank, n + itself)[:, itself:]

    def _logarithms(self, distances: Tensor) -> Tensor:
        return torch.stack([distances[:, :rank].mean(dim=1) for rank in RANKS], dim=1).maximum(self.smallest).log()
