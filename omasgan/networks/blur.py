"""A Gaussian blur before a network, so that it cannot see texture that is finer than the blur."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad


class Blur(nn.Module):
    """Blurs images with a Gaussian.

    Parameters
    ----------
    sigma
        Standard deviation of the Gaussian, in pixels.

    Examples
    --------
    >>> blur, x = Blur(1.0), torch.full((2, 3, 8, 8), 0.25)
    >>> torch.allclose(blur(x), x)
    True
    """

    weights: Tensor

    def __init__(self, sigma: float) -> None:
        super().__init__()
        radius = math.ceil(3 * sigma)
        values = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma).square())
        self.register_buffer("weights", values / values.sum(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, C, H, W) to the same shape; pixels beyond the edge equal those at the edge."""
        channels, radius = x.shape[1], len(self.weights) // 2
        kernel = self.weights.to(x.dtype).expand(channels, 1, -1)
        padded = pad(x, (radius,) * 4, mode="replicate")
        columns = conv2d(padded, kernel.unsqueeze(-1), groups=channels)
        return conv2d(columns, kernel.unsqueeze(-2), groups=channels)


def blurred(network: nn.Module, sigma: float) -> nn.Module:
    """The network for blurred images; the network itself where `sigma` is 0."""
    return nn.Sequential(Blur(sigma), network) if sigma > 0 else network
