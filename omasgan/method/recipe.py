"""What Tasks 1 to 3 and J share: the divergence, the optimisers and the number of steps."""

from __future__ import annotations

from dataclasses import dataclass

from omasgan.method.divergences import Divergence
from omasgan.training.settings import Budget, Optimisation


@dataclass(frozen=True)
class Recipe:
    """The settings that the training loops of Tasks 1 to 3 and J share.

    Parameters
    ----------
    latent
        l, the length of z ~ N(0, I_l).
    divergence
        The f-divergence of Tasks 1 to 3.
    optimisation
        The settings of Adam, of the gradient penalty and of the running averages of weights.
    budget
        The number of steps of each stage and of samples in a batch.
    """

    latent: int
    divergence: Divergence
    optimisation: Optimisation
    budget: Budget
