"""-log p(x) under G', which is one reading of f_D(G', delta_x) in eq. (8): the KL divergence."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from omasgan.method.recipe import Recipe
from omasgan.training.batches import Batches
from omasgan.training.gaussians import kl_divergences, kl_to_standard_normal
from omasgan.training.stage import Stage, Workspace, adam, descend, frozen, in_batches

NORMALS = 10_000
"""Largest number of normal training samples by which the noise is measured."""


class Likelihood(nn.Module):
    """An estimate of -log p(x), where p is the density of G'(z) + noise with z ~ N(0, I) and Gaussian noise.

    The KL divergence of the point x from p is -log p(x), up to a constant that is the same for every x. G' alone has no
    density; the noise has the root mean squared error with which the encoder and G' reconstruct normal samples. The
    estimate is the negative ELBO, whose error of reconstruction is that at the mean of the encoder's posterior, so that
    a score is no random number.

    Parameters
    ----------
    encoder
        From samples (n, *shape) to (n, 2 l): the mean and the logarithm of the variance of z.

    References
    ----------
    Rybkin et al. 2021, "Simple and effective VAE training with calibrated decoders", ICML: the deviation of the noise.
    """

    variance: Tensor

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("variance", torch.ones((), dtype=torch.float64))

    def forward(self, x: Tensor, G_new: nn.Module) -> Tensor:
        """The estimate for scaled samples x (n, *shape) in nats, (n,), float64."""
        mu, log_variance, error = self.reconstruct(x, G_new)
        normal = error / self.variance + (2 * math.pi * self.variance).log()
        minus_log_p: Tensor = kl_divergences(mu.double(), log_variance.double()) + x[0].numel() / 2 * normal
        return minus_log_p

    def reconstruct(self, x: Tensor, G_new: nn.Module) -> tuple[Tensor, Tensor, Tensor]:
        """mu and log variance of z, (n, l), and the mean squared error of G'(mu), (n,), float64."""
        mu, log_variance = self.encoder(x).float().chunk(2, dim=1)
        return mu, log_variance, (x - G_new(mu).float()).double().square().flatten(1).mean(dim=1)


def train(likelihood: Likelihood, G_new: nn.Module, batches: Batches, recipe: Recipe, workspace: Workspace) -> None:
    """Train the encoder of `likelihood` in place for `budget.j` steps, then freeze it; G' is frozen.

    The loss is k/2 log(mean squared error) + KL(posterior || N(0, I)), divided by the number k of values in a sample:
    the negative ELBO with the best deviation of the noise.

    Raises
    ------
    UserError
        Where the loss is not finite.
    """
    optimisation, n = recipe.optimisation, recipe.budget.batch
    optimiser = adam(likelihood, optimisation.lr_discriminator, optimisation)
    networks: dict[str, nn.Module] = {"likelihood": likelihood}
    stage = Stage("likelihood", recipe.budget.j, workspace, networks, {"adam_E": optimiser}, optimisation.decay)
    for _ in stage:
        x = batches.draw(n, stage.random)
        noise = stage.latents(n, recipe.latent)
        with workspace.autocast():
            mu, log_variance = likelihood.encoder(x).float().chunk(2, dim=1)
            decoded = G_new(mu + noise * (log_variance / 2).exp()).float()
        error = (x - decoded).square().mean()
        divergence = kl_to_standard_normal(mu, log_variance)
        loss = error.log() / 2 + divergence / x[0].numel()
        descend(loss, optimiser)
        if stage.due():
            stage.record({"loss/E": loss, "error/E": error, "KL/E": divergence})
    frozen(likelihood)
    normals = batches.scaling(batches.x[:NORMALS])
    errors = in_batches(lambda part: likelihood.reconstruct(part, G_new)[2], normals)
    likelihood.variance.copy_(errors.mean())
