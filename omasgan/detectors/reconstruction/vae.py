"""A variational autoencoder, whose score is the negative evidence lower bound."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from omasgan.data.dataset import Spec
from omasgan.detectors.reconstruction.autoencoder import Autoencoder
from omasgan.networks.base import Architecture
from omasgan.training.augmentation import Augmentation
from omasgan.training.gaussians import kl_divergences
from omasgan.training.settings import Budget, Count, NonNegative, Positive
from omasgan.training.stage import Stage, Workspace


class VAE(Autoencoder):
    """A variational autoencoder with a Gaussian likelihood of fixed deviation.

    For a sample x of k values, with the posterior N(mu, diag(variance)) of its latent variables z,

        negative ELBO = E_z ||x - decoder(z)||^2 / (2 sigma^2) + k/2 log(2 pi sigma^2) + KL(posterior || N(0, I)).

    In training, z is drawn from the posterior once. In scoring, z = mu, so that a score is no random number. The terms
    are elbo, the negative ELBO, which is the detector's score; reconstruction, the mean squared error; kl, the
    divergence; and sap and nap as of `Autoencoder`.

    Parameters
    ----------
    spec, workspace, architecture, augmentation, budget, lr, gap_samples
        See `Autoencoder`.
    sigma
        The standard deviation of the likelihood, in units of the scaled data.
    kl
        Weight of the divergence in the loss and in elbo; 1 is the evidence lower bound.

    Raises
    ------
    UserError
        As `Autoencoder`.

    Notes
    -----
    The paper names its VAE without defining it. RaPP's has a mean squared error in sum, which is sigma = sqrt(1/2), on
    pixels in [0, 1] and ten fully connected layers; on our pixels in [-1, 1] this would be sigma = sqrt(2). The
    default was chosen on pseudo-anomalies of MNIST.

    References
    ----------
    Kingma & Welling 2014, "Auto-encoding variational Bayes", ICLR; Kim et al. 2020, "RaPP: novelty detection with
    reconstruction along projection pathway", ICLR.
    """

    main_term = "elbo"
    stage: ClassVar[str] = "vae"
    own_terms: ClassVar[tuple[str, ...]] = ("elbo", "reconstruction", "kl")
    outputs_per_latent: ClassVar[int] = 2

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        architecture: Architecture,
        augmentation: Augmentation,
        budget: Budget,
        lr: Positive = 1e-3,
        gap_samples: Count = 20_000,
        sigma: Positive = 0.7,
        kl: NonNegative = 1.0,
    ) -> None:
        super().__init__(spec, workspace, architecture, augmentation, budget, lr, 0.0, gap_samples)
        self.sigma, self.kl = sigma, kl

    def losses(self, x: Tensor, stage: Stage) -> dict[str, Tensor]:
        """See `Autoencoder`; the loss is the negative ELBO for one z of each sample, divided by k."""
        noise = stage.latents(len(x), self.latent)
        with self.workspace.autocast():
            mu, log_variance = self.encoder(x).float().chunk(2, dim=1)
            decoded = self.decoder(mu + noise * (log_variance / 2).exp()).float()
        elbo, error, kl = negative_elbo(x, decoded, mu, log_variance, self.sigma, self.kl).mean(dim=0)
        return {"loss": elbo / self.spec.size, "error": error, "KL": kl}

    def own_scores(self, x: Tensor, code: Tensor, decoded: Tensor) -> Tensor:
        """See `Autoencoder`."""
        mu, log_variance = code.double().chunk(2, dim=1)
        return negative_elbo(x.double(), decoded.double(), mu, log_variance, self.sigma, self.kl)


def negative_elbo(
    x: Tensor, decoded: Tensor, mu: Tensor, log_variance: Tensor, sigma: float, weight: float = 1.0
) -> Tensor:
    """The negative ELBO and its parts.

    Parameters
    ----------
    x, decoded
        Samples and their reconstructions, (n, ...), of k values each.
    mu, log_variance
        Mean and logarithm of the variance of the posterior, (n, l).
    sigma
        The standard deviation of the likelihood.
    weight
        Weight of the divergence.

    Returns
    -------
    Tensor
        (n, 3): the negative ELBO in nats, the mean squared error, and KL(posterior || N(0, I)).
    """
    error = (x - decoded).square().flatten(1).mean(dim=1)
    k = x[0].numel()
    likelihood = k / 2 * (error / sigma**2 + math.log(2 * math.pi * sigma**2))
    kl = kl_divergences(mu, log_variance)
    return torch.stack([likelihood + weight * kl, error, kl], dim=1)
