"""Random changes of a training batch that leave a normal image normal.

Every augmentation is called with images (n, C, H, W) in [-1, 1] and a generator, draws for each image by
itself, and returns images in [-1, 1]. One with `images_only` set has no meaning for rows of numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Generator, Tensor

from omasgan.errors import UserError


class Augmentation(Protocol):
    """What the module's docstring says."""

    images_only: ClassVar[bool]

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """The changed batch, of the shape and type of x."""
        ...


@dataclass(frozen=True)
class NoAugmentation:
    """The batch as it is."""

    images_only: ClassVar[bool] = False

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """See `Augmentation`; any shape."""
        return x


@dataclass(frozen=True)
class Flip:
    """Every image is mirrored left to right with probability 1/2."""

    images_only: ClassVar[bool] = True

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """See `Augmentation`."""
        return torch.where(_uniform(x, 1, generator) < 0, x.flip(-1), x)


@dataclass(frozen=True)
class FlipColour:
    """A flip, then a change of contrast, brightness and each channel's brightness by up to `strength`, 0..1.

    x -> mean + (1 + strength a) (x - mean) + strength (b + c): a, b and, for every channel, c in [-1, 1).
    """

    strength: float = 0.2

    images_only: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise UserError(f"strength={self.strength}: the strength of an augmentation must lie in 0..1")

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """See `Augmentation`."""
        x = Flip()(x, generator)
        mean = x.mean(dim=(1, 2, 3), keepdim=True)
        contrast, brightness = _uniform(x, 1, generator), _uniform(x, 1, generator)
        channel = _uniform(x, x.shape[1], generator)
        x = mean + (1 + self.strength * contrast) * (x - mean) + self.strength * (brightness + channel)
        return x.clamp(-1, 1)


def _uniform(x: Tensor, channels: int, generator: Generator) -> Tensor:
    """Draws from [-1, 1), (n, channels, 1, 1), on the device of x."""
    draws = torch.rand(len(x), channels, 1, 1, generator=generator, device=generator.device)
    return (2 * draws - 1).to(x)
