"""What the four tasks train with."""

from __future__ import annotations

from dataclasses import dataclass

from omasgan.method.divergences import Divergence
from omasgan.training.settings import Budget, Optimisation


@dataclass(frozen=True)
class Recipe:
    """What all stages train with. latent: l, the length of z."""

    latent: int
    divergence: Divergence
    optimisation: Optimisation
    budget: Budget
