"""What training a detector costs: how many parameters are trained, and the time spent in earlier attempts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from torch import Tensor
from torch.optim import Optimizer


@dataclass
class Cost:
    """The cost of all stages of a detector; each stage adds its own.

    Attributes
    ----------
    earlier
        Seconds of training that the stages continue from, in an interrupted attempt or in a run that is reused; NaN
        where a checkpoint of an earlier version does not say.
    trained
        The parameters that optimisers change, each once.
    """

    earlier: float = 0.0
    trained: dict[int, Tensor] = field(default_factory=dict)

    def train(self, optimisers: Iterable[Optimizer]) -> None:
        """Count the parameters of a stage's optimisers."""
        for optimiser in optimisers:
            self.trained |= {
                id(weight): weight
                for group in optimiser.param_groups
                for weight in group["params"]
                if weight.requires_grad
            }

    def resume(self, state: Mapping[str, object]) -> float:
        """Count the seconds that a stage's checkpoint has taken, and return them."""
        seconds = state.get("seconds")
        earlier = seconds if isinstance(seconds, float) else math.nan
        self.earlier += earlier
        return earlier

    @property
    def parameters(self) -> int:
        """The number of parameters that are trained."""
        return sum(weight.numel() for weight in self.trained.values())
