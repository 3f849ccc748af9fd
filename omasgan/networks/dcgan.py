"""DCGAN (Radford et al. 2016) with spectral norm in the discriminator (Miyato et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn

from omasgan.networks.base import Flat, FromPixels, Norm, ToPixels, halvings, last_layer, maybe_spectral, norm_layer


@dataclass(frozen=True)
class DCGAN:
    """Strided convolutions, one for each halving of the image down to at most 7 pixels.

    Parameters
    ----------
    latent
        l, the length of z.
    width
        Channels of the largest feature map; they double with every halving, up to eight times this number.
    generator_norm
        The normalisation layers of the generator.
    discriminator_norm
        The normalisation layers of the discriminator and encoder.
    spectral_norm
        Whether the discriminator and encoder have spectral norm.
    refinements
        Number of 3 x 3 convolutions on the smallest feature map of the discriminator and encoder; the first of them
        doubles its channels.
    """

    latent: Annotated[int, Ge(1)] = 128
    width: Annotated[int, Ge(1)] = 32
    generator_norm: Norm = "batch"
    discriminator_norm: Norm = "none"
    spectral_norm: bool = True
    refinements: Annotated[int, Ge(0)] = 0

    def generator(self, shape: tuple[int, ...]) -> nn.Module:
        """A network from z (n, l) to images (n, C, H, W) in [-1, 1]."""
        widths = self._widths(shape)
        channels, height, width = shape
        start = (widths[-1], height >> len(widths), width >> len(widths))
        layers: list[nn.Module] = [
            nn.Linear(self.latent, start[0] * start[1] * start[2], bias=False),
            ToPixels(start),
            norm_layer(self.generator_norm, start[0]),
            nn.ReLU(),
        ]
        for inputs, outputs in zip(widths[:0:-1], widths[-2::-1], strict=True):
            layers += [
                nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False),
                norm_layer(self.generator_norm, outputs),
                nn.ReLU(),
            ]
        layers += [nn.ConvTranspose2d(widths[0], channels, 4, 2, 1), nn.Tanh()]
        return nn.Sequential(*layers).apply(initialise)

    def discriminator(self, shape: tuple[int, ...]) -> nn.Module:
        """A network from images (n, C, H, W) to raw outputs v (n,)."""
        return nn.Sequential(self.encoder(shape, 1), Flat())

    def encoder(self, shape: tuple[int, ...], outputs: int) -> nn.Module:
        """A network from images (n, C, H, W) to (n, outputs)."""
        widths = self._widths(shape)
        channels, height, width = shape
        levels = pairwise([channels, *widths])
        convolutions = [nn.Conv2d(*level, 4, 2, 1).apply(initialise) for level in levels]
        inputs = widths[-1]
        for _ in range(self.refinements):
            convolutions.append(nn.Conv2d(inputs, 2 * widths[-1], 3, padding=1).apply(initialise))
            inputs = 2 * widths[-1]
        layers: list[nn.Module] = []
        for conv in convolutions:
            norm = norm_layer(self.discriminator_norm, conv.out_channels)
            layers += [maybe_spectral(conv, self.spectral_norm), norm, nn.LeakyReLU(0.2)]
        features = inputs * (height >> len(widths)) * (width >> len(widths))
        head = last_layer(features, outputs).apply(initialise)
        return nn.Sequential(*layers, FromPixels(), maybe_spectral(head, self.spectral_norm))

    def _widths(self, shape: tuple[int, ...]) -> list[int]:
        return [self.width * min(2**level, 8) for level in range(halvings("dcgan", shape))]


def initialise(layer: nn.Module) -> None:
    """Draw the weights of a linear or convolutional layer from N(0, 0.02^2), as in DCGAN, and set its biases to 0."""
    weight, bias = getattr(layer, "weight", None), getattr(layer, "bias", None)
    if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d) and isinstance(weight, Tensor):
        nn.init.normal_(weight, 0.0, 0.02)
        if bias is not None:
            nn.init.zeros_(bias)
