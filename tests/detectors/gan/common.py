"""Small detectors, data and two Gaussians on a grid for the tests of this folder."""

import torch
from torch import nn

from omasgan.data.dataset import Spec
from omasgan.networks.base import Flat
from omasgan.networks.mlp import MLP
from omasgan.training.augmentation import NoAugmentation
from omasgan.training.settings import Budget, Optimisation
from omasgan.training.stage import Workspace

GRID = torch.linspace(-12, 12, 2401, dtype=torch.float64)
WIDTH = float(GRID[1] - GRID[0])


class Normed(MLP):
    """Perceptrons with batch norm, whose outputs differ between train and eval mode."""

    def generator(self, shape):
        norm = nn.BatchNorm1d(self.width)
        return nn.Sequential(nn.Linear(self.latent, self.width), norm, nn.ReLU(), nn.Linear(self.width, *shape))

    def discriminator(self, shape):
        norm = nn.BatchNorm1d(self.width)
        layers = [nn.Linear(*shape, self.width), norm, nn.LeakyReLU(0.2), nn.Linear(self.width, 1), Flat()]
        return nn.Sequential(*layers)


def gaussian(mean, deviation):
    """The density of N(mean, deviation^2) on the grid."""
    return torch.distributions.Normal(mean, deviation).log_prob(GRID).exp()


def integral(values):
    return float(values.detach().sum() * WIDTH)


def rows(n, seed=0):
    """Points near the unit circle."""
    angle = 2 * torch.pi * torch.rand(n, generator=torch.Generator().manual_seed(seed))
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def made(kind, workspace=None, architecture=None, optimisation=None, budget=None, **settings):
    """An untrained detector of points in the plane."""
    budget = Budget(**{"representation": 20, "representation_batch": 64, "task1": 60, "batch": 64, **(budget or {})})
    optimisation = Optimisation(**{"lr_generator": 1e-3, "lr_discriminator": 1e-3, "r1": 0.0, **(optimisation or {})})
    architecture = architecture or MLP(latent=4, width=32, depth=2)
    workspace = workspace or Workspace()
    return kind(Spec((2,)), workspace, architecture, NoAugmentation(), optimisation, budget, **settings)


def modes(network):
    """A list that receives, at every later call of a network, whether it is in train mode."""
    seen = []
    network.register_forward_hook(lambda module, given, output: seen.append(module.training))
    return seen
