"""A Gaussian blur before a network, so that it cannot see texture that is finer than the blur."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn.functional import pad
from torchvision.transforms.v2.functional import gaussian_blur


class Blur(nn.Module):
    """Blurs images with a Gaussian.

    Parameters
    ----------
    sigma
        Standard deviation of the Gaussian, in pixels.

    Examples
    --------
    >>> import torch
    >>> blur, x = Blur(1.0), torch.full((2, 3, 8, 8), 0.25)
    >>> torch.allclose(blur(x), x)
    True
    """

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma, self.radius = sigma, math.ceil(3 * sigma)

    def forward(self, x: Tensor) -> Tensor:
        """(n, C, H, W) to the same shape; pixels beyond the edge equal those at the edge."""
        # Padded here and cut again, because gaussian_blur itself would mirror the image at its edges.
        radius = self.radius
        padded = pad(x, (radius,) * 4, mode="replicate")
        seen: Tensor = gaussian_blur(padded, kernel_size=2 * radius + 1, sigma=self.sigma)
        return seen[..., radius:-radius, radius:-radius]


def blurred(network: nn.Module, sigma: float) -> nn.Module:
    """The network for blurred images; the network itself where `sigma` is 0."""
    return nn.Sequential(Blur(sigma), network) if sigma > 0 else network
