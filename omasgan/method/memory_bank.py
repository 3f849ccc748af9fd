"""The memory bank: a search for those normal samples that are nearest to other samples."""

from __future__ import annotations

import torch
from torch import Tensor

from omasgan.training.batches import split

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

MOST_NEIGHBOURS = 10
"""Largest number of neighbours that anything is computed from; so many distances of each probe must be the same."""

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
            probes, n, exact = rows[:: max(1, len(rows) // PROBES)], min(MOST_NEIGHBOURS, len(rows)), self.tiles
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
