"""Augmentations: random changes of a training batch after which a normal image is still normal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample

from omasgan.errors import UserError
from omasgan.training.settings import Fraction, NonNegative, PositiveFraction


class Augmentation(Protocol):
    """The interface of augmentations: a function that changes each image of a batch at random.

    Attributes
    ----------
    images_only
        Whether the augmentation is defined for images only, not for rows of numbers.

    Examples
    --------
    >>> images = torch.zeros(4, 1, 8, 8)
    >>> augmentation = Affine(rotation=0.1)
    >>> augmentation(images, torch.Generator().manual_seed(0)).shape
    torch.Size([4, 1, 8, 8])
    """

    images_only: ClassVar[bool]

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """Change each image of a batch independently of the others.

        Parameters
        ----------
        x
            Images (n, C, H, W) in [-1, 1].
        generator
            The source of all random numbers.

        Returns
        -------
        Tensor
            The changed images in [-1, 1], with the shape of x.
        """
        ...


@dataclass(frozen=True)
class NoAugmentation:
    """Returns the batch unchanged."""

    images_only: ClassVar[bool] = False

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """See `Augmentation`; x may have any shape."""
        return x


@dataclass(frozen=True)
class Flip:
    """Mirrors each image left to right with probability 1/2."""

    images_only: ClassVar[bool] = True

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """See `Augmentation`."""
        return torch.where(_uniform(x, 1, generator) < 0, x.flip(-1), x)


@dataclass(frozen=True)
class FlipColour:
    """Applies `Flip`, then changes the contrast, the brightness and the brightness of each channel at random.

    x -> mean(x) + (1 + strength a) (x - mean(x)) + strength (b + c), clamped to [-1, 1], where a, b and, for each
    channel, c are uniform in [-1, 1).

    Parameters
    ----------
    strength
        Largest relative change of the contrast, and largest change of the brightness of the image and of each channel,
        in units of the range [-1, 1]; 0..1.
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
    """Rotates, scales, shears and translates each image by random amounts.

    Each amount is uniform between minus and plus its setting. Pixels from outside the image repeat its edge.

    Parameters
    ----------
    rotation
        Largest angle in radians.
    scale
        Largest relative change of width and of height, which are drawn separately.
    shear
        Largest horizontal shear, in pixels per pixel of height.
    translation
        Largest horizontal and vertical shift, in halves of the image's side.
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
    """Crops each image at random and resizes the crop to the image's size, applies `FlipColour`, and greys some images.

    The ratio of a crop's sides lies between 3:4 and 4:3.

    Parameters
    ----------
    smallest
        Smallest area of a crop, as a fraction of the image's area.
    strength
        Largest changes of contrast and brightness, as for `FlipColour`.
    grey
        Probability that an image loses its colours.
    """

    smallest: PositiveFraction = 0.5
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
"""Side of a crop of `five_crops`, as a fraction of the image's side."""


def five_crops(x: Tensor) -> Iterator[Tensor]:
    """Yield images (n, C, H, W), then the crops of each of their four corners, resized to the same shape."""
    corners = [(right, down) for right in (-1, 1) for down in (-1, 1)]
    maps = x.new_tensor([[[CROP, 0, right * (1 - CROP)], [0, CROP, down * (1 - CROP)]] for right, down in corners])
    yield x
    for crop in maps:
        yield _moved(x, crop.expand(len(x), 2, 3))


def _moved(x: Tensor, maps: Tensor) -> Tensor:
    """Resample images (n, C, H, W) with affine maps (n, 2, 3) of the square [-1, 1]^2; the edge repeats outside."""
    grid = affine_grid(maps, list(x.shape), align_corners=False)
    moved = grid_sample(x.float(), grid, padding_mode="border", align_corners=False)
    return moved.contiguous(memory_format=torch.channels_last)


def _uniform(x: Tensor, channels: int, generator: Generator) -> Tensor:
    """Uniform random numbers in [-1, 1), (n, channels, 1, 1), with the device and type of x."""
    draws = torch.rand(len(x), channels, 1, 1, generator=generator, device=generator.device)
    return (2 * draws - 1).to(x)
