"""Random changes of a training batch that leave a normal image normal.

Every augmentation is called with images (n, C, H, W) in [-1, 1] and a generator, draws for each image by
itself, and returns images in [-1, 1]. One with `images_only` set has no meaning for rows of numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample

from omasgan.errors import UserError
from omasgan.training.settings import Fraction, NonNegative, Share


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


@dataclass(frozen=True)
class Affine:
    """A turn by up to `rotation` radians, each side stretched by up to a share `scale`, leaning and moved.

    shear: sideways, in pixels a pixel of height. translation: in halves of the image's side. What comes in from outside
    repeats the image's edge.
    """

    rotation: NonNegative = 0.35
    scale: Fraction = 0.25
    shear: NonNegative = 0.3
    translation: NonNegative = 0.15

    images_only: ClassVar[bool] = True

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """See `Augmentation`."""
        draws = 2 * torch.rand(6, len(x), generator=generator, device=generator.device).to(x.device) - 1
        angle, lean = self.rotation * draws[0], self.shear * draws[1]
        wide, high = 1 + self.scale * draws[2], 1 + self.scale * draws[3]
        move = self.translation * draws[4:]
        rows = [
            torch.stack([angle.cos() * wide, lean - angle.sin() * high, move[0]], dim=1),
            torch.stack([angle.sin() * wide, angle.cos() * high, move[1]], dim=1),
        ]
        return _moved(x, torch.stack(rows, dim=1))


@dataclass(frozen=True)
class Crop:
    """A random part of the image at the image's size, then `FlipColour`, and some images lose their colours.

    smallest: the least share of the image's area that a part has; its sides' ratio lies within 3:4 and 4:3. strength:
    FlipColour's. grey: the probability that an image loses its colours.
    """

    smallest: Share = 0.5
    strength: Fraction = 0.4
    grey: Fraction = 0.2

    images_only: ClassVar[bool] = True

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """See `Augmentation`."""
        draws = torch.rand(5, len(x), generator=generator, device=generator.device).to(x.device)
        side = (self.smallest + (1 - self.smallest) * draws[0]).sqrt()
        stretch = (math.log(4 / 3) / 2 * (2 * draws[1] - 1)).exp()
        wide, high = (side * stretch).clamp(max=1), (side / stretch).clamp(max=1)
        right, down = (2 * draws[2] - 1) * (1 - wide), (2 * draws[3] - 1) * (1 - high)
        zero = torch.zeros_like(wide)
        rows = [torch.stack([wide, zero, right], dim=1), torch.stack([zero, high, down], dim=1)]
        cropped = FlipColour(self.strength)(_moved(x, torch.stack(rows, dim=1)), generator)
        greyed = (draws[4] < self.grey)[:, None, None, None]
        return torch.where(greyed, cropped.mean(dim=1, keepdim=True), cropped)


CROP = 0.8
"""Side of a crop of `five_crops`, in sides of the image."""


def five_crops(x: Tensor) -> Iterator[Tensor]:
    """Images (n, C, H, W), then a crop of each of their four corners, resized to the images' size."""
    corners = [(right, down) for right in (-1, 1) for down in (-1, 1)]
    maps = x.new_tensor([[[CROP, 0, right * (1 - CROP)], [0, CROP, down * (1 - CROP)]] for right, down in corners])
    yield x
    for crop in maps:
        yield _moved(x, crop.expand(len(x), 2, 3))


def _moved(x: Tensor, maps: Tensor) -> Tensor:
    """Images (n, C, H, W), each seen through its map (n, 2, 3) of the square [-1, 1]^2; the edge repeats outside."""
    grid = affine_grid(maps, list(x.shape), align_corners=False)
    moved = grid_sample(x.float(), grid, padding_mode="border", align_corners=False)
    return moved.contiguous(memory_format=torch.channels_last)


def _uniform(x: Tensor, channels: int, generator: Generator) -> Tensor:
    """Draws from [-1, 1), (n, channels, 1, 1), on the device of x."""
    draws = torch.rand(len(x), channels, 1, 1, generator=generator, device=generator.device)
    return (2 * draws - 1).to(x)
