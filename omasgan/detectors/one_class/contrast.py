"""Global contrast normalisation of images, with constants from the normal training images."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

LEAST_CONTRAST = 1e-8
"""Mean absolute deviation below which an image counts as one colour, which is then all zeros."""


class ContrastNormalisation(nn.Module):
    """Subtracts from each image its mean, divides it by its mean absolute deviation, and maps the result to [-1, 1].

    A module, so that checkpoints hold the constants.

    Attributes
    ----------
    low, high
        The smallest and the largest normalised value in the normal training images; they are mapped to -1 and 1.

    Examples
    --------
    >>> contrast = ContrastNormalisation()
    >>> contrast.fit([torch.tensor([[[[0.0, 2.0]]]])])
    >>> contrast(torch.tensor([[[[10.0, 30.0]]], [[[5.0, 5.0]]]])).flatten(1)
    tensor([[-1.,  1.],
            [ 0.,  0.]])
    """

    low: Tensor
    high: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.tensor(-1.0))
        self.register_buffer("high", torch.tensor(1.0))

    def fit(self, parts: Iterable[Tensor]) -> None:
        """Learn the constants from images, given in parts (n, C, H, W)."""
        ends = torch.stack([torch.stack(normalised(part).aminmax()) for part in parts])
        self.low.copy_(ends[:, 0].min())
        self.high.copy_(ends[:, 1].max())

    def forward(self, x: Tensor) -> Tensor:
        """Normalise images (n, C, H, W), each by itself but for the constants."""
        return (normalised(x) - self.low) / (self.high - self.low) * 2 - 1


def normalised(x: Tensor) -> Tensor:
    """Images minus their means, divided by their mean absolute deviations; (n, C, H, W)."""
    centred = x - x.mean(dim=(1, 2, 3), keepdim=True)
    deviation = centred.abs().mean(dim=(1, 2, 3), keepdim=True)
    return centred / torch.where(deviation > LEAST_CONTRAST, deviation, torch.inf)
