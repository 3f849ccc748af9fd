"""A coupling flow with the density of samples, and its inverse as a generator. Needs the extra omasgan[flows]."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from omasgan.errors import UserError

MARGIN = 0.05
"""Images are squeezed from [0, 1] to [MARGIN, 1 - MARGIN] before the logit, which would be infinite at the ends."""

PIXELS = 256
"""Values of a pixel; dequantisation adds noise of the width of one of them."""


class CouplingFlow(nn.Module):
    """An invertible network between samples and z ~ N(0, I), of affine coupling layers.

    A pixel's value y in [0, 1], with noise of the width of one of its 256 values, is first mapped to
    logit(MARGIN + (1 - 2 MARGIN) y). All densities are those of the scaled samples, so that the volume change of this
    map counts.

    Parameters
    ----------
    shape
        Of a sample.
    layers
        Number of coupling layers.
    width
        Units in the two hidden layers of each.

    Attributes
    ----------
    k
        Number of values of a sample, and length of z.

    Raises
    ------
    UserError
        Where the package zuko is not installed.

    References
    ----------
    Dinh et al. 2017, "Density estimation using Real NVP", ICLR.
    """

    def __init__(self, shape: tuple[int, ...], layers: int, width: int) -> None:
        super().__init__()
        try:
            from zuko.flows import NICE
        except ImportError:
            raise UserError("detector=bdsg needs the package zuko: pip install 'omasgan[flows]'") from None
        self.shape, self.is_image, self.k = shape, len(shape) == 3, math.prod(shape)
        self.flow: Any = NICE(self.k, transforms=layers, hidden_features=(width, width))

    def noisy(self, x: Tensor, random: torch.Generator) -> Tensor:
        """Scaled samples with the noise of dequantisation; rows stay as they are."""
        if not self.is_image:
            return x
        noise = torch.rand(x.shape, generator=random, device=x.device)
        return (x + (2 * noise - 1) / (PIXELS - 1)).clamp(-1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """log p(x) / k, in nats, of scaled samples (n, ...); (n,), float32."""
        rows = x.float().flatten(1)
        volume = rows.new_zeros(rows.shape[0])
        if self.is_image:
            squeezed = MARGIN + (1 - 2 * MARGIN) * (rows + 1) / 2
            volume = ((1 - 2 * MARGIN) / 2 / (squeezed * (1 - squeezed))).log().sum(dim=1)
            rows = squeezed.logit()
        log_p: Tensor = (self.flow().log_prob(rows) + volume) / self.k
        return log_p

    def generate(self, z: Tensor) -> Tensor:
        """The samples (n, ...) that z (n, k) stand for, scaled."""
        rows: Tensor = self.flow().transform.inv(z.float())
        if self.is_image:
            rows = ((rows.sigmoid() - MARGIN) / (1 - 2 * MARGIN) * 2 - 1).clamp(-1, 1)
        return rows.view(-1, *self.shape)


class FlowGenerator(nn.Module):
    """The inverse of a coupling flow as a generator, from z (n, k) to samples.

    Parameters
    ----------
    flow
        The flow.
    """

    def __init__(self, flow: CouplingFlow) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, z: Tensor) -> Tensor:
        """z (n, k) to samples (n, ...)."""
        return self.flow.generate(z)


class FlowCritic(nn.Module):
    """The log-density of a flow as a critic: its output v is high where the flow finds data.

    Parameters
    ----------
    flow
        The flow.
    mean, deviation
        Of log p(x) / k over normal samples; the output is in these units, at most `LARGEST` deviations.
    """

    def __init__(self, flow: CouplingFlow, mean: float, deviation: float) -> None:
        super().__init__()
        self.flow, self.mean, self.deviation = flow, mean, deviation

    def forward(self, x: Tensor) -> Tensor:
        """Samples (n, ...) to v (n,)."""
        log_p: Tensor = self.flow(x)
        return ((log_p - self.mean) / self.deviation).clamp(-LARGEST, LARGEST)


LARGEST = 10.0
"""Where the density has fallen by this many deviations, it need not fall further: a sample of B has left the data."""
