"""The residual GAN of Miyato et al. 2018 (SN-GAN), with any number of channels."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from omasgan.networks.base import Flat, Norm, ToPixels, halvings, last_layer, maybe_spectral, norm_layer


@dataclass(frozen=True)
class ResNet:
    """Residual blocks, one for each halving of the image down to at most 7 pixels.

    Parameters
    ----------
    latent
        l, the length of z.
    width
        Channels of every feature map; with `stem`, of the largest one in the discriminator and encoder.
    generator_norm
        The normalisation layers of the generator.
    discriminator_norm
        The normalisation layers of the discriminator and encoder.
    spectral_norm
        Whether the discriminator and encoder have spectral norm.
    stem
        Whether the discriminator and encoder first halve the image by one strided convolution, without a block at the
        full size, and double their channels with every further halving. It takes a tenth of the time, and is meant for
        representations.
    """

    latent: Annotated[int, Ge(1)] = 128
    width: Annotated[int, Ge(1)] = 64
    generator_norm: Norm = "batch"
    discriminator_norm: Norm = "none"
    spectral_norm: bool = True
    stem: bool = False

    def generator(self, shape: tuple[int, ...]) -> nn.Module:
        """A network from z (n, l) to images (n, C, H, W) in [-1, 1]."""
        levels = halvings("resnet", shape)
        channels, height, width = shape
        start = (self.width, height >> levels, width >> levels)
        blocks = [UpBlock(self.width, self.generator_norm) for _ in range(levels)]
        return nn.Sequential(
            nn.Linear(self.latent, start[0] * start[1] * start[2]),
            ToPixels(start),
            *blocks,
            norm_layer(self.generator_norm, self.width),
            nn.ReLU(),
            nn.Conv2d(self.width, channels, 3, padding=1),
            nn.Tanh(),
        )

    def discriminator(self, shape: tuple[int, ...]) -> nn.Module:
        """A network from images (n, C, H, W) to raw outputs v (n,)."""
        return nn.Sequential(self.encoder(shape, 1), Flat())

    def encoder(self, shape: tuple[int, ...], outputs: int) -> nn.Module:
        """A network from images (n, C, H, W) to (n, outputs)."""
        levels = halvings("resnet", shape)
        if self.stem:
            return self._stem_encoder(shape[0], levels, outputs)
        settings = (self.width, self.discriminator_norm, self.spectral_norm)
        blocks = [DownBlock(self.width, *settings) for _ in range(levels - 1)]
        head = maybe_spectral(last_layer(self.width, outputs), self.spectral_norm)
        return nn.Sequential(DownBlock(shape[0], *settings, first=True), *blocks, nn.ReLU(), SumOverSpace(), head)

    def _stem_encoder(self, channels: int, levels: int, outputs: int) -> nn.Module:
        norm, spectral = self.discriminator_norm, self.spectral_norm
        widths = [self.width * 2**level for level in range(levels)]
        return nn.Sequential(
            maybe_spectral(nn.Conv2d(channels, widths[0], 4, 2, 1), spectral),
            PooledBlock(widths[0], widths[0], norm, spectral, halves=False),
            *(PooledBlock(narrow, wide, norm, spectral, halves=True) for narrow, wide in itertools.pairwise(widths)),
            norm_layer(norm, widths[-1]),
            nn.ReLU(),
            nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
            maybe_spectral(last_layer(widths[-1], outputs), spectral),
        )


class UpBlock(nn.Module):
    """A block that doubles the image: norm, ReLU, upsampling, conv, norm, ReLU, conv; plus the upsampled input."""

    def __init__(self, width: int, norm: Norm) -> None:
        super().__init__()
        self.norm1, self.norm2 = norm_layer(norm, width), norm_layer(norm, width)
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, H, W) to (n, width, 2H, 2W)."""
        h: Tensor = self.conv1(interpolate(relu(self.norm1(x)), scale_factor=2))
        h = self.conv2(relu(self.norm2(h)))
        return h + interpolate(x, scale_factor=2)


class DownBlock(nn.Module):
    """A block that halves the image: norm, ReLU, conv, norm, ReLU, conv, pooling; plus the pooled, projected input.

    Parameters
    ----------
    inputs, width
        Channels of its input and of its output.
    norm
        The normalisation layers.
    spectral
        Whether the convolutions have spectral norm.
    first
        Whether its input is the image itself; the first norm and ReLU are then left out.
    """

    def __init__(self, inputs: int, width: int, norm: Norm, spectral: bool, first: bool = False) -> None:
        super().__init__()
        # A ReLU directly on an image would remove all of its negative values.
        self.enter = nn.Identity() if first else nn.Sequential(norm_layer(norm, inputs), nn.ReLU())
        self.conv1 = maybe_spectral(nn.Conv2d(inputs, width, 3, padding=1), spectral)
        self.norm = norm_layer(norm, width)
        self.conv2 = maybe_spectral(nn.Conv2d(width, width, 3, padding=1), spectral)
        self.shortcut = maybe_spectral(nn.Conv2d(inputs, width, 1), spectral)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, 2H, 2W) to (n, width, H, W)."""
        h: Tensor = self.conv2(relu(self.norm(self.conv1(self.enter(x)))))
        shortcut: Tensor = self.shortcut(avg_pool2d(x, 2))
        return avg_pool2d(h, 2) + shortcut


class PooledBlock(nn.Module):
    """A pre-activation block (He et al. 2016): norm, ReLU, conv, norm, ReLU, conv; plus the projected input.

    Parameters
    ----------
    inputs, outputs
        Channels of its input and of its output.
    norm
        The normalisation layers.
    spectral
        Whether the convolutions have spectral norm.
    halves
        Whether mean pooling halves the image first.
    """

    def __init__(self, inputs: int, outputs: int, norm: Norm, spectral: bool, halves: bool) -> None:
        super().__init__()
        self.enter = nn.AvgPool2d(2) if halves else nn.Identity()
        self.norm1, self.norm2 = norm_layer(norm, inputs), norm_layer(norm, outputs)
        self.conv1 = maybe_spectral(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), spectral)
        self.conv2 = maybe_spectral(nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), spectral)
        self.shortcut = (
            nn.Identity() if inputs == outputs else maybe_spectral(nn.Conv2d(inputs, outputs, 1, bias=False), spectral)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, H, W) to (n, outputs, H, W), or to half that height and width."""
        x = self.enter(x)
        h = self.conv2(relu(self.norm2(self.conv1(relu(self.norm1(x))))))
        return torch.add(self.shortcut(x), h)


class SumOverSpace(nn.Module):
    """Sums each channel of a feature map over its pixels."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, H, W) to (n, c)."""
        return torch.sum(x, dim=(2, 3))
