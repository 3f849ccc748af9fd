"""Distances to the nearest normal samples, as a term of the score and as features for J."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from omasgan.method.memory_bank import MOST_NEIGHBOURS, TINY, MemoryBank

RANKS = (1, 3, MOST_NEIGHBOURS)
"""Numbers of neighbours: each neighbour feature is the log mean distance to so many nearest samples of the bank."""

DENSITY_NEIGHBOURS = MOST_NEIGHBOURS
"""Number of neighbours over which the local density scale is measured."""

FITTED = ("smallest", "density_scales", "shift", "scale")
"""The attributes of `NeighbourFeatures` that `NeighbourFeatures.fit` sets, and that are saved."""


def input_size(k: int, alone: bool) -> int:
    """The number of values that J gets for a row of k values; see `NeighbourFeatures.input_of_J`."""
    return len(RANKS) + (1 if alone else k)


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
        """Measure the local density scales, and the scale of the features on training samples x (n, ...)."""
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
