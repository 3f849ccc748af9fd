"""What the stages ask of an architecture, and the small parts that architectures share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from omasgan.errors import UserError


class Architecture(Protocol):
    """Makes fresh networks for samples of a shape: (k,) for rows, (C, H, W) for images."""

    @property
    def latent(self) -> int:
        """l, the length of z ~ N(0, I_l)."""

    def generator(self, shape: tuple[int, ...]) -> nn.Module:
        """A network from z (n, l) to samples (n, *shape)."""

    def discriminator(self, shape: tuple[int, ...]) -> nn.Module:
        """A network from samples (n, *shape) to raw outputs v (n,), float32."""

    def encoder(self, shape: tuple[int, ...], outputs: int) -> nn.Module:
        """A network from samples (n, *shape) to (n, outputs), of which a discriminator is the case of one output."""


class Precise(nn.Linear):
    """In float32 under autocast, too: in bfloat16 there are 128 scores from 4 to 8, which samples would share."""

    def forward(self, x: Tensor) -> Tensor:
        """As nn.Linear's."""
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float())


def last_layer(inputs: int, outputs: int) -> nn.Linear:
    """Of an encoder; one output is a score."""
    return Precise(inputs, outputs) if outputs == 1 else nn.Linear(inputs, outputs)


class Flat(nn.Module):
    """(n, 1) or (n, 1, 1, 1) to (n,)."""

    def forward(self, v: Tensor) -> Tensor:
        """Drop all axes but the first."""
        return v.flatten()


Layer = TypeVar("Layer", bound=nn.Module)

Norm = Literal["batch", "instance", "layer", "group", "none"]


class ToPixels(nn.Module):
    """(n, C H W) to a feature map (n, C, H, W) whose channels lie next to each other in memory.

    The plain reshapes, nn.Unflatten and nn.Flatten, keep each channel's pixels together: every layer after them, and
    its gradient, would then work across two memory layouts, at five times the cost.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """A view, not a copy."""
        channels, height, width = self.shape
        return x.view(len(x), height, width, channels).permute(0, 3, 1, 2)


class FromPixels(nn.Module):
    """The reverse of `ToPixels`."""

    def forward(self, x: Tensor) -> Tensor:
        """A view where the channels lie next to each other."""
        return x.permute(0, 2, 3, 1).flatten(1)


NORMS: dict[Norm, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
    "layer": lambda channels: nn.GroupNorm(1, channels),
    "group": lambda channels: nn.GroupNorm(math.gcd(8, channels), channels),
    "none": lambda channels: nn.Identity(),
}


def norm_layer(name: Norm, channels: int) -> nn.Module:
    """The normalisation of a feature map with that many channels."""
    return NORMS[name](channels)


def halvings(architecture: str, shape: tuple[int, ...]) -> int:
    """How often an image is halved until neither side exceeds 7 pixels.

    Raises UserError for rows, and for sides that do not come down to 7 by whole halvings.
    """
    if len(shape) != 3:
        raise UserError(
            f"architecture={architecture} is for images, but is given rows of {shape[0]} (data, or the embeddings of a "
            "representation): use architecture=mlp, for images experiment=pixels, or where a representation learns "
            "by it, representation=pixels"
        )
    level, height, width = 0, *shape[1:]
    while max(height, width) > 7 and height % 2 == 0 and width % 2 == 0:
        level, height, width = level + 1, height // 2, width // 2
    if level == 0 or max(height, width) > 7:
        raise UserError(
            f"architecture={architecture} cannot make images of {shape[1]} x {shape[2]} pixels: their sides must halve "
            "down to 7 or less, as 8, 16, 28, 32, 48 and 64 do; resize them (of a folder: dataset.size), use "
            "architecture=mlp, or where a representation learns by it, representation=[visual_words,pca]"
        )
    return level


def maybe_spectral(layer: Layer, spectral: bool) -> Layer:
    """The layer with its spectral norm held at 1 (Miyato et al. 2018), or as it is."""
    if spectral:
        spectral_norm(layer)
    return layer
