"""Multi-layer perceptrons: for rows, 2-D sets, and images so small that convolution has nothing to share."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import torch
from annotated_types import Ge
from torch import nn

from omasgan.networks.base import Flat, last_layer, maybe_spectral


@dataclass(frozen=True)
class MLP:
    """Fully connected generator (ReLU; tanh at the end for images) and discriminator (leaky ReLU).

    latent: l. width, depth: of the hidden layers. spectral_norm: in the discriminator.
    """

    latent: Annotated[int, Ge(1)] = 16
    width: Annotated[int, Ge(1)] = 256
    depth: Annotated[int, Ge(1)] = 3
    spectral_norm: bool = False

    def generator(self, shape: tuple[int, ...]) -> nn.Module:
        """z (n, l) -> (n, *shape)."""
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise([self.latent, *[self.width] * self.depth]):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        layers += [nn.Linear(self.width, torch.Size(shape).numel())]
        if len(shape) == 3:
            layers += [nn.Tanh()]
        return nn.Sequential(*layers, nn.Unflatten(1, shape))

    def discriminator(self, shape: tuple[int, ...]) -> nn.Module:
        """(n, *shape) -> v (n,)."""
        return nn.Sequential(self.encoder(shape, 1), Flat())

    def encoder(self, shape: tuple[int, ...], outputs: int) -> nn.Module:
        """(n, *shape) -> (n, outputs)."""
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, hidden in pairwise([torch.Size(shape).numel(), *[self.width] * self.depth]):
            layers += [maybe_spectral(nn.Linear(inputs, hidden), self.spectral_norm), nn.LeakyReLU(0.2)]
        return nn.Sequential(*layers, maybe_spectral(last_layer(self.width, outputs), self.spectral_norm))
