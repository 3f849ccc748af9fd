"""The memory bank: distances to normal samples, eq. (4), as a term of the score and as features for J."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

RANKS = (1, 3, 10)
"""The neighbour features are the log mean distances to this many nearest samples of the bank."""

DENSITY_NEIGHBOURS = 10
"""Neighbours over which the local density scale is measured."""

FITTED = ("smallest", "density_scales", "shift", "scale")
"""What `NeighbourFeatures.fit` learns."""

CHUNK = 512
"""Samples that are looked up at a time, at most."""

TILE = 2048
"""Samples of the bank that they are compared to at a time: what both give stays in a core's cache."""

BLOCK = 4
"""Samples of a bank that lie together; only the nearest of them takes part in the search."""

SLACK = 8
"""Blocks that are measured beyond the n which hold the n nearest, for the product's rounding."""

MEASURED = 2**24
"""Numbers that may be fetched from the bank at a time, to be measured."""

PROBES = 256
"""Samples on which the search in a short type must find what float32 finds."""

TINY = 1e-6
"""Stands in for a distance, or a deviation, of zero."""


class MemoryBank:
    """Samples (Q, ...) among which others find their nearest.

    Squared distances are matrix products of the centred samples, of which the smallest of every block are looked at.
    The n blocks with the smallest ones hold the n nearest; what is in them is measured by differences, because a
    product's rounding grows with the distance from the centre.

    dtype: what the products are computed in where samples of the bank find the same neighbours by it, which is tried on
    some at the start; None: float32.
    """

    tiles: list[Tensor]

    def __init__(self, samples: Tensor, dtype: torch.dtype | None = None) -> None:
        rows = samples.flatten(1).float()
        self.size, self.centre = len(rows), rows.mean(dim=0)
        missing = rows.new_full((-len(rows) % BLOCK, rows.shape[1]), torch.inf)
        self.blocks = torch.cat([rows, missing]).view(-1, BLOCK, rows.shape[1])
        self._prepare(torch.float32)
        if dtype not in (None, torch.float32):
            probes, n, exact = rows[:: max(1, len(rows) // PROBES)], min(max(RANKS), len(rows)), self.tiles
            expected = self.nearest(probes, n)[0]
            self._prepare(dtype)
            if not torch.allclose(self.nearest(probes, n)[0], expected, rtol=1e-3, atol=TINY):
                self.tiles = exact

    def nearest(self, x: Tensor, n: int) -> tuple[Tensor, Tensor]:
        """The n nearest, n <= Q, of each of x (m, ...): Euclidean distances, rising, float32, and places; (m, n)."""
        x = x.flatten(1).float()
        blocks = min(n + SLACK, len(self.blocks))
        chunk = max(1, min(CHUNK, MEASURED // (blocks * self.blocks[0].numel())))
        found = [self._nearest(part, n, blocks) for part in torch.split(x, chunk)]
        return torch.cat([distances for distances, _ in found]), torch.cat([places for _, places in found])

    def _nearest(self, x: Tensor, n: int, blocks: int) -> tuple[Tensor, Tensor]:
        factors = _of_x(x - self.centre, self.tiles[0].dtype)
        smallest = [(factors @ tile.T).view(len(x), BLOCK, len(tile) // BLOCK).amin(dim=1) for tile in self.tiles]
        chosen = torch.cat(smallest, dim=1).topk(blocks, largest=False, sorted=False).indices
        candidates = self.blocks[chosen].flatten(1, 2)
        places = (chosen.unsqueeze(2) * BLOCK + torch.arange(BLOCK, device=x.device)).flatten(1)
        distances, order = torch.linalg.vector_norm(candidates - x.unsqueeze(1), dim=2).topk(n, largest=False)
        return distances, places.gather(1, order).clamp_max(self.size - 1)  # where x is not finite, any place will do

    @property
    def is_short(self) -> bool:
        """Whether the products are computed in a shorter type than float32."""
        return self.tiles[0].dtype != torch.float32

    def _prepare(self, dtype: torch.dtype) -> None:
        # In a tile's product the first samples of all blocks come first, then the second ones, ...: so the smallest of
        # a block is a minimum of whole rows, which is fast.
        self.tiles = [
            _of_bank(tile.transpose(0, 1).flatten(0, 1) - self.centre, dtype)
            for tile in torch.split(self.blocks, TILE // BLOCK)
        ]


def _of_x(centred: Tensor, dtype: torch.dtype) -> Tensor:
    """Rows (m, k + 4) whose products with those of `_of_bank` are |x - b|^2 / 2 = |x|^2 / 2 + |b|^2 / 2 - x b."""
    high, low = _half_squares(centred, dtype)
    one = torch.ones_like(high)
    return torch.cat([-centred.to(dtype), high, low, one, one], dim=1)


def _of_bank(centred: Tensor, dtype: torch.dtype) -> Tensor:
    """See `_of_x`; infinite rows are infinitely far away."""
    missing = centred.isinf().any(dim=1, keepdim=True)
    centred = centred.masked_fill(missing, 0)
    high, low = _half_squares(centred, dtype)
    one = torch.ones_like(high)
    return torch.cat([centred.to(dtype), one, one, high.masked_fill(missing, torch.inf), low], dim=1)


def _half_squares(rows: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Half the squared lengths, (m, 1), as the sum of two numbers: one of a short type has too few digits."""
    half = rows.square().sum(dim=1, keepdim=True) / 2
    high = half.to(dtype)
    return high, (half - high.float()).to(dtype)


@dataclass(frozen=True)
class Neighbours:
    """The nearest samples that a memory bank holds for each of m samples.

    Attributes
    ----------
    distances
        To the nearest samples of the bank, ascending; (m, n), in the units of the samples.
    density_scale
        The local density scale: the mean over these neighbours of each one's own mean distance to its nearest
        `DENSITY_NEIGHBOURS` samples of the bank; (m,). Large where the bank is sparse.
    """

    distances: Tensor
    density_scale: Tensor

    def distance_term(self, neighbours: int, density_exponent: float) -> Tensor:
        """The mean distance to the nearest `neighbours` samples, over the local density scale ** `density_exponent`.

        Returns
        -------
        Tensor
            (m,). With an exponent of 1 it is a local outlier factor without its reachability distance.

        References
        ----------
        Eq. (4) of the paper; Breunig et al. 2000, "LOF: identifying density-based local outliers".
        """
        return self.distances[:, :neighbours].mean(dim=1) / self.density_scale**density_exponent


class NeighbourFeatures:
    """A memory bank of normal samples, and the features that it gives J: log mean distances to the nearest `RANKS`.

    Distances and density scales below a tenth of the bank's median distance between neighbours that are no copies
    of each other count as that tenth: the logarithm of the distance to a copy would outweigh all other values.

    Parameters
    ----------
    samples
        The bank: scaled normal samples, (Q, ...) with Q > `DENSITY_NEIGHBOURS`.
    real
        Whether they are training samples rather than samples of G'.
    dtype
        See `MemoryBank`.
    """

    def __init__(self, samples: Tensor, real: bool, dtype: torch.dtype | None = None) -> None:
        self.samples, self.real = samples, real
        self.bank = MemoryBank(samples, dtype)
        self.smallest = torch.tensor(TINY, device=samples.device)
        self.shift = torch.zeros(len(RANKS), device=samples.device)
        self.scale = torch.ones(len(RANKS), device=samples.device)
        self.density_scales = torch.ones(len(samples), device=samples.device)

    def fit(self, x: Tensor) -> None:
        """Measure the bank's density scales, and standardise the log distances of the training samples x (n, ...)."""
        own = self.bank.nearest(self.samples, DENSITY_NEIGHBOURS + 1)[0]
        if self.bank.is_short and own[:, 0].any():  # a sample that does not find itself
            self.bank = MemoryBank(self.samples)
            own = self.bank.nearest(self.samples, DENSITY_NEIGHBOURS + 1)[0]
        apart = own[:, 1:][own[:, 1:] > 0]  # copies have no distance
        self.smallest = (apart.median() / 10 if len(apart) else self.smallest).clamp_min(TINY)
        self.density_scales = own[:, 1:].mean(dim=1).maximum(self.smallest)
        logarithms = self._logarithms(self.neighbours(x, in_bank=True))
        self.shift, self.scale = logarithms.mean(dim=0), logarithms.std(dim=0).clamp_min(TINY)

    def neighbours(self, x: Tensor, in_bank: bool = False) -> Neighbours:
        """The nearest `DENSITY_NEIGHBOURS` samples of the bank.

        Parameters
        ----------
        x
            Scaled samples, (n, ...).
        in_bank
            Whether x are training samples: those that are in the bank themselves are then not their own neighbours.
        """
        itself = int(in_bank and self.real)
        distances, places = self.bank.nearest(x, DENSITY_NEIGHBOURS + itself)
        return Neighbours(distances[:, itself:], self.density_scales[places[:, itself:]].mean(dim=1))

    def append(self, x: Tensor, neighbours: Neighbours) -> Tensor:
        """Rows x (n, k) with their neighbour features appended; (n, k + len(RANKS))."""
        return torch.cat([x.float(), (self._logarithms(neighbours) - self.shift) / self.scale], dim=1)

    def __call__(self, x: Tensor, in_bank: bool = False) -> Tensor:
        """As `append`, for rows whose neighbours are not known yet."""
        return self.append(x, self.neighbours(x, in_bank))

    def _logarithms(self, neighbours: Neighbours) -> Tensor:
        distances = torch.stack([neighbours.distances[:, :rank].mean(dim=1) for rank in RANKS], dim=1)
        return distances.maximum(self.smallest).log()

    def state_dict(self) -> dict[str, Tensor]:
        """All that is needed to restore it, as tensors."""
        short = torch.tensor(self.bank.is_short)
        return {"bank": self.samples, "short": short, **{name: getattr(self, name) for name in FITTED}}

    @classmethod
    def from_state_dict(
        cls, state: Mapping[str, Any], real: bool, dtype: torch.dtype | None = None
    ) -> NeighbourFeatures:
        """Restore what `state_dict` gave."""
        restored = cls(state["bank"], real, dtype if state["short"] else None)
        for name in FITTED:
            setattr(restored, name, state[name])
        return restored
