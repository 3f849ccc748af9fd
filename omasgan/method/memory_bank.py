"""The memory bank: distances to the nearest normal samples, as a term of the score and as features for J."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from omasgan.training.batches import split

RANKS = (1, 3, 10)
"""Numbers of neighbours: each neighbour feature is the log mean distance to so many nearest samples of the bank."""

DENSITY_NEIGHBOURS = 10
"""Number of neighbours over which the local density scale is measured."""

FITTED = ("smallest", "density_scales", "shift", "scale")
"""The attributes of `NeighbourFeatures` that `NeighbourFeatures.fit` sets, and that are saved."""

CHUNK = 512
"""Largest number of samples whose neighbours are searched at a time."""

TILE = 2048
"""Number of samples of the memory bank in one matrix product, small enough that the product stays in a core's cache."""

BLOCK = 4
"""Samples of the memory bank in a block; of each block only the smallest distance takes part in the search."""

SLACK = 8
"""Number of blocks that are searched in addition to the nearest ones, because rounding can change their order."""

MOST_FETCHED = 2**24
"""Largest number of values that are fetched from the memory bank at a time, to compute exact distances."""

PROBES = 256
"""Number of samples that must have the same distances in a type shorter than float32 as in float32."""

TINY = 1e-6
"""Least value of a distance or of a standard deviation, either of which may be zero."""


class MemoryBank:
    """A memory bank: a set of samples, and the search for those of them that are nearest to other samples.

    Squared distances are computed as matrix products of the centred samples, and the smallest one of each block of
    `BLOCK` samples is kept. The n blocks with the smallest values contain the n nearest samples. The distances to the
    samples of these blocks are then computed from differences, because the rounding error of a product grows with the
    distance from the centre.

    Parameters
    ----------
    samples
        (Q, ...), flattened to rows.
    dtype
        Type of the products; None for float32. A shorter type is used only if some samples of the memory bank find the
        same neighbours with it as with float32.

    Attributes
    ----------
    size
        Q, the number of samples.
    blocks
        The samples, (Q / `BLOCK` rounded up, `BLOCK`, k), float32; missing ones in the last block are infinite.
    tiles
        The samples in the form of the products' right factor, `TILE` at a time.

    Examples
    --------
    >>> memory_bank = MemoryBank(torch.arange(20.0).view(20, 1))
    >>> memory_bank.nearest(torch.tensor([[4.25]]), 3)
    (tensor([[0.2500, 0.7500, 1.2500]]), tensor([[4, 5, 3]]))
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
        """The n nearest samples of the memory bank to each sample.

        Parameters
        ----------
        x
            (m, ...), flattened to rows.
        n
            At most Q.

        Returns
        -------
        tuple of Tensor
            Euclidean distances in ascending order, float32, and indices into the memory bank, int64; each (m, n).
        """
        x = x.flatten(1).float()
        blocks = min(n + SLACK, len(self.blocks))
        chunk = max(1, min(CHUNK, MOST_FETCHED // (blocks * self.blocks[0].numel())))
        found = [self._nearest(part, n, blocks) for part in split(x, chunk)]
        return torch.cat([distances for distances, _ in found]), torch.cat([places for _, places in found])

    def _nearest(self, x: Tensor, n: int, blocks: int) -> tuple[Tensor, Tensor]:
        factors = _of_x(x - self.centre, self.tiles[0].dtype)
        smallest = [(factors @ tile.T).view(x.shape[0], BLOCK, len(tile) // BLOCK).amin(dim=1) for tile in self.tiles]
        chosen = torch.cat(smallest, dim=1).topk(blocks, largest=False, sorted=False).indices
        candidates = self.blocks[chosen].flatten(1, 2)
        places = (chosen.unsqueeze(2) * BLOCK + torch.arange(BLOCK, device=x.device)).flatten(1)
        distances, order = torch.linalg.vector_norm(candidates - x.unsqueeze(1), dim=2).topk(n, largest=False)
        return distances, places.gather(1, order).clamp_max(self.size - 1)  # where x is not finite, any index will do

    @property
    def is_short(self) -> bool:
        """Whether the products are computed in a shorter type than float32."""
        return self.tiles[0].dtype != torch.float32

    def _prepare(self, dtype: torch.dtype) -> None:
        # A tile holds the first samples of all its blocks, then the second ones, and so on: the smallest distance of
        # each block is then a minimum over whole rows of the product, which is fast.
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
    """The other factor of `_of_x`; rows that are infinite are infinitely far away."""
    missing = centred.isinf().any(dim=1, keepdim=True)
    centred = centred.masked_fill(missing, 0)
    high, low = _half_squares(centred, dtype)
    one = torch.ones_like(high)
    return torch.cat([centred.to(dtype), one, one, high.masked_fill(missing, torch.inf), low], dim=1)


def _half_squares(rows: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Half the squared lengths, (m, 1), as a sum of two numbers, because one number of a short type is not precise."""
    half = rows.square().sum(dim=1, keepdim=True) / 2
    high = half.to(dtype)
    return high, (half - high.float()).to(dtype)


@dataclass(frozen=True)
class Neighbours:
    """The distances from each of m samples to its nearest samples in a memory bank.

    Parameters
    ----------
    distances
        To the nearest samples, in ascending order; (m, n), in the units of the samples.
    density_scale
        How far apart samples of the memory bank lie around each sample, (m,): the mean distance of a neighbour to its
        own nearest `DENSITY_NEIGHBOURS` samples, averaged over the neighbours. Large where the density is low.

    Examples
    --------
    >>> neighbours = Neighbours(torch.tensor([[1.0, 2.0, 6.0]]), torch.tensor([4.0]))
    >>> neighbours.distance_term(neighbours=3, density_exponent=0.5)  # a mean of 3, divided by 4 ** 0.5
    tensor([1.5000])
    """

    distances: Tensor
    density_scale: Tensor

    def distance_term(self, neighbours: int, density_exponent: float) -> Tensor:
        """The mean distance to the nearest `neighbours` samples, divided by density_scale ** `density_exponent`.

        With one neighbour and an exponent of 0 it is `losses.distance` from the sample to the memory bank. With an
        exponent of 1 it is a local outlier factor without its reachability distance.

        Returns
        -------
        Tensor
            (m,).

        References
        ----------
        Breunig et al. 2000, "LOF: identifying density-based local outliers".
        """
        return self.distances[:, :neighbours].mean(dim=1) / self.density_scale**density_exponent


class NeighbourFeatures:
    """A memory bank of normal samples, and the features that it gives J: log mean distances to the nearest `RANKS`.

    Either they are appended to a sample, or J gets them without the sample, together with the log density scale. Then J
    learns from them how far is too far at which density, as a local outlier factor says by a fixed rule.

    Distances and density scales that are below a tenth of the median distance between neighbours in the memory bank
    (without copies) are raised to it. Otherwise the log distance to a copy would outweigh all other values.

    Parameters
    ----------
    samples
        The memory bank: scaled normal samples, (Q, ...) with Q > `DENSITY_NEIGHBOURS`.
    real
        Whether they are training samples rather than samples of G'.
    dtype
        See `MemoryBank`.
    alone
        Whether the features are those without the sample.

    Attributes
    ----------
    bank
        The `MemoryBank` of the samples.
    smallest
        The least distance; scalar.
    density_scales
        The mean distance of each sample to its nearest `DENSITY_NEIGHBOURS` in the memory bank, (Q,).
    shift, scale
        Mean and standard deviation of the features over training samples, (len(RANKS),), or one more if `alone`.

    References
    ----------
    Goodge et al. 2022, "LUNAR: unifying local outlier detection methods via graph neural networks", AAAI: a network
    that is shown nothing but the distances of a sample to its nearest neighbours, with noise as anomalies.

    Examples
    --------
    >>> normals = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    >>> neighbour_features = NeighbourFeatures(normals, real=True)
    >>> neighbour_features.fit(normals)
    >>> neighbour_features(torch.tensor([[0.0, 0.0], [9.0, 9.0]])).shape  # 2 columns of the rows, 3 of distances
    torch.Size([2, 5])
    """

    def __init__(self, samples: Tensor, real: bool, dtype: torch.dtype | None = None, alone: bool = False) -> None:
        self.samples, self.real, self.alone = samples, real, alone
        self.bank = MemoryBank(samples, dtype)
        self.smallest = torch.tensor(TINY, device=samples.device)
        self.shift = torch.zeros(len(RANKS) + alone, device=samples.device)
        self.scale = torch.ones(len(RANKS) + alone, device=samples.device)
        self.density_scales = torch.ones(len(samples), device=samples.device)

    def fit(self, x: Tensor) -> None:
        """Measure the local density scales, and the scale of the log distances on training samples x (n, ...)."""
        own = self.bank.nearest(self.samples, DENSITY_NEIGHBOURS + 1)[0]
        if self.bank.is_short and own[:, 0].any():  # a sample is not found as its own neighbour
            self.bank = MemoryBank(self.samples)
            own = self.bank.nearest(self.samples, DENSITY_NEIGHBOURS + 1)[0]
        apart = own[:, 1:][own[:, 1:] > 0]  # without copies, whose distance is 0
        self.smallest = (apart.median() / 10 if len(apart) else self.smallest).clamp_min(TINY)
        self.density_scales = own[:, 1:].mean(dim=1).maximum(self.smallest)
        logarithms = self._logarithms(self.neighbours(x, in_bank=True))
        self.shift, self.scale = logarithms.mean(dim=0), logarithms.std(dim=0).clamp_min(TINY)

    def neighbours(self, x: Tensor, in_bank: bool = False) -> Neighbours:
        """The distances to the nearest `DENSITY_NEIGHBOURS` samples of the memory bank.

        Parameters
        ----------
        x
            Scaled samples, (n, ...).
        in_bank
            Whether x are the training samples that a memory bank of real samples holds. The nearest sample of each is
            then left out, because it is the sample itself.
        """
        itself = int(in_bank and self.real)
        distances, places = self.bank.nearest(x, DENSITY_NEIGHBOURS + itself)
        return Neighbours(distances[:, itself:], self.density_scales[places[:, itself:]].mean(dim=1))

    def input_of_J(self, x: Tensor, neighbours: Neighbours) -> Tensor:
        """Rows x (n, k) and their features, (n, k + len(RANKS)); if `alone`, the features only, (n, len(RANKS) + 1)."""
        features = (self._logarithms(neighbours) - self.shift) / self.scale
        return features if self.alone else torch.cat([x.float(), features], dim=1)

    def __call__(self, x: Tensor, in_bank: bool = False) -> Tensor:
        """`input_of_J` for rows x (n, k); `in_bank` as for `neighbours`."""
        return self.input_of_J(x, self.neighbours(x, in_bank))

    def _logarithms(self, neighbours: Neighbours) -> Tensor:
        distances = [neighbours.distances[:, :rank].mean(dim=1) for rank in RANKS]
        columns = [*distances, neighbours.density_scale] if self.alone else distances
        return torch.stack(columns, dim=1).maximum(self.smallest).log()

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that `from_state_dict` needs, as tensors."""
        short = torch.tensor(self.bank.is_short)
        return {"bank": self.samples, "short": short, **{name: getattr(self, name) for name in FITTED}}

    @classmethod
    def from_state_dict(
        cls, state: Mapping[str, Any], real: bool, dtype: torch.dtype | None = None, alone: bool = False
    ) -> NeighbourFeatures:
        """Restore the neighbour features from what `state_dict` gave; the other parameters as for the class."""
        restored = cls(state["bank"], real, dtype if state["short"] else None, alone)
        for name in FITTED:
            setattr(restored, name, state[name])
        return restored
