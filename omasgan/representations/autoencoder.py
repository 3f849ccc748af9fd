"""The latent space of a variational autoencoder."""

from __future__ import annotations

from torch import Tensor, nn

from omasgan.data.dataset import Spec
from omasgan.networks.base import Architecture
from omasgan.representations.learned import Learned
from omasgan.training.gaussians import kl_to_standard_normal
from omasgan.training.settings import Budget, Count, NonNegative, Positive
from omasgan.training.stage import Stage, Workspace, in_batches


class Autoencoder(Learned):
    """The mean of a sample's posterior in a variational autoencoder; for images and rows.

    Minimises d / 2 log(mean squared error) + kl * KL(N(mean, variance) || N(0, I)) for samples of d values, the
    likelihood with the decoder's variance at its optimum for each batch.

    Parameters
    ----------
    spec, workspace
        See `Representation`.
    architecture
        Its encoder is the trunk and its generator the decoder; its latent size is the number of columns of an
        embedding.
    budget, lr
        See `Learned`.
    features
        Number of outputs of the trunk.
    kl
        Weight of the Kullback-Leibler divergence.

    References
    ----------
    Kingma & Welling 2014, "Auto-encoding variational Bayes"; Rybkin et al. 2021, "Simple and effective VAE training
    with calibrated decoders".
    """

    stage = "autoencoder"

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        architecture: Architecture,
        budget: Budget,
        features: Count = 256,
        kl: NonNegative = 1.0,
        lr: Positive = 1e-3,
    ) -> None:
        super().__init__(spec, workspace, budget, lr)
        self.latent, self.kl = architecture.latent, kl
        self.embedding = Spec((self.latent,))
        self.trunk = workspace.network("trunk", lambda: architecture.encoder(spec.shape, features))
        self.posterior = workspace.network(
            "posterior", lambda: nn.Sequential(nn.LeakyReLU(0.2), nn.Linear(features, 2 * self.latent))
        )
        self.decoder = workspace.network("decoder", lambda: architecture.generator(spec.shape))

    def losses(self, x: Tensor, stage: Stage) -> dict[str, Tensor]:
        """See `Learned`."""
        noise = stage.latents(len(x), self.latent)
        with self.workspace.autocast():
            mean, log_variance = self.posterior(self.trunk(x)).float().chunk(2, dim=1)
            decoded = self.decoder(mean + noise * (log_variance / 2).exp()).float()
        error = (decoded - x).square().mean()
        divergence = kl_to_standard_normal(mean, log_variance)
        # The likelihood with the decoder's variance at its optimum (Rybkin et al. 2021).
        return {"loss": self.spec.size / 2 * error.log() + self.kl * divergence, "error": error, "KL": divergence}

    def networks(self) -> dict[str, nn.Module]:
        """See `Learned`."""
        return {"trunk": self.trunk, "posterior": self.posterior, "decoder": self.decoder}

    def embed(self, x: Tensor) -> Tensor:
        """See `Learned`."""
        mean: Tensor = self.posterior(self.trunk(x))[:, : self.latent]
        return mean

    def decode(self, embeddings: Tensor) -> Tensor:
        """See `Representation`."""
        device = self.workspace.device
        return in_batches(lambda part: self.scaling.invert(self.decoder(part.to(device))).cpu(), embeddings)
