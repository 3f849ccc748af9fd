"""Distances to a bank of normal samples, eq. (4), for the score and for what J sees."""

from __future__ import annotations

import torch
from torch import Tensor, nn

RANKS = (1, 3, 10)
"""J is shown the mean distance to so many nearest samples of the bank."""

CHUNK = 256


def nearest_distances(x: Tensor, bank: Tensor, n: int) -> Tensor:
    """The Euclidean distances of each of x (m, ...) to its n nearest of bank (Q, ...), rising; (m, n)."""
    bank = bank.flatten(1).float()
    parts = [torch.cdist(part, bank).topk(n, largest=False).values for part in torch.split(x.flatten(1).float(), CHUNK)]
    return torch.cat(parts)


class Sight(nn.Module):
    """What J is shown of rows x (n, k): x, and the logarithms of its distances to the bank; (n, k + len(RANKS)).

    bank: scaled normal samples (Q, k), Q > max(RANKS). real: they are training samples, not generated ones. of_bank in
    the call: the rows are training samples, and those in a bank of real ones don't count as their own neighbours.
    """

    bank: Tensor
    shift: Tensor
    scale: Tensor

    def __init__(self, bank: Tensor, real: bool) -> None:
        super().__init__()
        self.real = real
        self.register_buffer("bank", bank)
        self.register_buffer("shift", torch.zeros(len(RANKS), device=bank.device))
        self.register_buffer("scale", torch.ones(len(RANKS), device=bank.device))

    def fit(self, x: Tensor) -> None:
        """Give the distances of training samples zero mean and unit deviation."""
        logarithms = self._logarithms(x, of_bank=True)
        self.shift, self.scale = logarithms.mean(dim=0), logarithms.std(dim=0).clamp_min(1e-6)

    def forward(self, x: Tensor, of_bank: bool = False) -> Tensor:
        """See the class."""
        return torch.cat([x.float(), (self._logarithms(x, of_bank) - self.shift) / self.scale], dim=1)

    def distances(self, x: Tensor, n: int, of_bank: bool = False) -> Tensor:
        """The distances to the n nearest of the bank, rising; (m, n)."""
        itself = int(of_bank and self.real)
        return nearest_distances(x, self.bank, n + itself)[:, itself:]

    def _logarithms(self, x: Tensor, of_bank: bool) -> Tensor:
        distances = self.distances(x, max(RANKS), of_bank)
        return torch.stack([distances[:, :rank].mean(dim=1) for rank in RANKS], dim=1).clamp_min(1e-6).log()
