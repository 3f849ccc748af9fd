"""Multi-layer perceptrons for rows, points in the plane and very small images."""

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
    """A fully connected generator (ReLU; tanh at the end for images) and discriminator (leaky ReLU).

    Parameters
    ----------
    latent
        l, the length of z.
    width
        Units in a hidden layer.
    depth
        Number of hidden layers.
    spectral_norm
        Whether the discriminator and encoder have spectral norm.
    """

    latent: Annotated[int, Ge(1)] = 16
    width: Annotated[int, Ge(1)] = 256
    depth: Annotated[int, Ge(1)] = 3
    spectral_norm: bool = False

    def generator(self, shape: tuple[int, ...]) -> nn.Module:
        """A network from z (n, l) to (n, *shape); images are in [-1, 1]."""
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise([self.latent, *[self.width] * self.depth]):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        layers += [nn.Linear(self.width, torch.Size(shape).numel())]
        if len(shape) == 3:
            layers += [nn.Tanh()]
        return nn.Sequential(*layers, nn.Unflatten(1, shape))

    def discriminator(self, shape: tuple[int, ...]) -> nn.Module:
        """A network from (n, *shape) to raw outputs v (n,)."""
        return nn.Sequential(self.encoder(shape, 1), Flat())

    def encoder(self, shape: tuple[int, ...], outputs: int) -> nn.Module:
        """A network from (n, *shape) to (n, outputs)."""
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, hidden in pairwise([torch.Size(shape).numel(), *[self.width] * self.depth]):
            layers += [maybe_spectral(nn.Linear(inputs, hidden), self.spectral_norm), nn.LeakyReLU(0.2)]
        return nn.Sequential(*layers, maybe_spectral(last_layer(self.width, outputs), self.spectral_norm))
