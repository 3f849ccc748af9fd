"""Negatives from the outer shells of a conditional variational autoencoder, and a classifier against them."""

from __future__ import annotations

import math
from typing import Annotated, cast

import numpy as np
import torch
from annotated_types import Ge
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor, nn
from torch.nn.functional import normalize, softplus
from torch.optim import Adam

from omasgan.data.dataset import Spec
from omasgan.detectors.base import Detector, lower_rate, need_steps
from omasgan.errors import UserError
from omasgan.networks.base import Architecture
from omasgan.training.augmentation import Augmentation
from omasgan.training.batches import Batches
from omasgan.training.gaussians import kl_divergences
from omasgan.training.seeding import stream_seed
from omasgan.training.settings import Budget, Count, Positive
from omasgan.training.stage import Stage, Workspace, descend, frozen


class ClusterPriors(nn.Module):
    """The means m_c of the priors N(m_c, I) of the clusters.

    Parameters
    ----------
    clusters
        Number of clusters.
    latent
        l, the length of z.
    """

    def __init__(self, clusters: int, latent: int) -> None:
        super().__init__()
        self.means = nn.Parameter(torch.randn(clusters, latent))

    def kl(self, mu: Tensor, log_variance: Tensor, codes: Tensor) -> Tensor:
        """KL(N(mu, variance) || N(m_c, I)) for posteriors (n, l) and the samples' clusters (n,); (n,)."""
        return kl_divergences(mu - self.means[codes], log_variance)


class CVAENegatives(Detector):
    """A variational autoencoder with a prior for each cluster, and a classifier of normal samples against negatives.

    The normal samples are clustered by k-means. With c the cluster of x, the autoencoder minimises

        ||x - decoder(z)||^2 / (2 sigma^2) + KL(posterior of z || N(m_c, I)).

    A negative is decoded from a shell around a cluster: z = m_c + rho sqrt(l) u, with u a random direction and rho
    drawn evenly from `shell_min` to `shell_max`; a z of the prior itself has a rho near 1. The classifier f minimises
    mean log(1 + exp f(x)) + mean log(1 + exp -f(negative)). The one term is logit = f.

    Parameters
    ----------
    spec, workspace
        See `Detector`.
    architecture
        Its encoder and generator make the autoencoder, its discriminator is f.
    augmentation
        The random change of each training sample.
    budget
        The autoencoder trains for `task1` steps and f for `j` steps, with `batch` samples.
    clusters
        Number of clusters.
    sigma
        The standard deviation of the likelihood, in units of the scaled data.
    shell_min, shell_max
        The range of rho.
    lr
        Adam's learning rate for both trainings, which falls linearly to 0.

    Attributes
    ----------
    encoder, decoder, priors, f
        The networks and the priors, frozen after `fit`.

    Raises
    ------
    UserError
        Where the augmentation does not suit the samples, the budget has no steps, there are fewer samples than
        clusters, or `shell_min` exceeds `shell_max`.

    Notes
    -----
    A "-style" reconstruction: the paper names generation of out-of-distribution samples by a conditional variational
    autoencoder without saying which. The works that use one condition on classes. Labels of normal classes must not
    reach a detector here, so the condition is a cluster, and it is put into the prior, so that any architecture will
    do. All settings are ours.

    References
    ----------
    Vernekar et al. 2019, "Out-of-distribution detection in classifiers via generation", arXiv 1910.04241; Bian et al.
    2019, "Adversarial learning on an informative manifold", IEEE Access 7.
    """

    main_term = "logit"

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        architecture: Architecture,
        augmentation: Augmentation,
        budget: Budget,
        clusters: Count = 10,
        sigma: Positive = 0.7,
        shell_min: Annotated[float, Ge(0)] = 1.5,
        shell_max: Annotated[float, Ge(0)] = 2.5,
        lr: Positive = 1e-3,
    ) -> None:
        super().__init__(spec, workspace)
        if shell_min > shell_max:
            raise UserError(
                f"shell_min is {shell_min:g} and shell_max {shell_max:g}: shell_min must be at most shell_max"
            )
        self.augmentation, self.budget, self.latent = self.suitable(augmentation), budget, architecture.latent
        self.clusters, self.sigma, self.lr = clusters, sigma, lr
        self.shell = shell_min, shell_max
        latent = architecture.latent
        self.encoder = self.make("encoder", lambda shape: architecture.encoder(shape, 2 * latent))
        self.decoder = self.make("decoder", architecture.generator)
        self.priors = cast(ClusterPriors, self.make("priors", lambda _: ClusterPriors(clusters, latent)))
        self.f = self.make("f", architecture.discriminator)

    def check(self, n: int) -> None:
        """See `Detector`; both trainings need steps, and each cluster a sample."""
        super().check(n)
        need_steps("cvae_negatives", task1=self.budget.task1, j=self.budget.j)
        if n < self.clusters:
            raise UserError(
                f"there are {n} normal samples for {self.clusters} clusters: set detector.detector.clusters lower"
            )

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.check(len(train))
        batches = self.batches(train, self.augmentation)
        self.train_autoencoder(batches, self.codes(batches))
        self.train_classifier(batches)

    def codes(self, batches: Batches) -> Tensor:
        """The cluster of each training sample by k-means on the scaled samples; (n,), int64, on the device."""
        rows = batches.scaling(batches.x).flatten(1).cpu().numpy()
        seed = stream_seed(self.workspace.seed, "clusters") % 2**32
        found = MiniBatchKMeans(self.clusters, random_state=seed, n_init=3).fit_predict(rows)
        return torch.from_numpy(np.asarray(found, dtype=np.int64)).to(batches.x.device)

    def train_autoencoder(self, batches: Batches, codes: Tensor) -> None:
        """Train the autoencoder and the priors, which are frozen afterwards."""
        networks = {"encoder": self.encoder, "decoder": self.decoder, "priors": self.priors}
        adam = Adam([weight for network in networks.values() for weight in network.parameters()], self.lr, fused=True)
        remedy = lower_rate(self.lr)
        stage = Stage("cvae", self.budget.task1, self.workspace, networks, {"adam": adam}, 1.0, remedy)
        for _ in stage:
            index = torch.randint(len(codes), (self.budget.batch,), generator=stage.random, device=codes.device)
            x = batches.augmentation(batches.scaling(batches.x[index]), stage.random)
            noise = stage.latents(len(x), self.latent)
            with self.workspace.autocast():
                mu, log_variance = self.encoder(x).float().chunk(2, dim=1)
                decoded = self.decoder(mu + noise * (log_variance / 2).exp()).float()
            error = (x - decoded).square().mean()
            kl = self.priors.kl(mu, log_variance, codes[index]).mean()
            loss = error / (2 * self.sigma**2) + kl / self.spec.size
            descend(loss, adam)
            if stage.due():
                stage.record({"loss/cvae": loss, "loss/error": error, "loss/KL": kl})
        for network in networks.values():
            frozen(network)

    def train_classifier(self, batches: Batches) -> None:
        """Train f, which is frozen afterwards."""
        adam = Adam(self.f.parameters(), self.lr, fused=True)
        remedy = lower_rate(self.lr)
        stage = Stage("classifier", self.budget.j, self.workspace, {"f": self.f}, {"adam": adam}, 1.0, remedy)
        for _ in stage:
            x = batches.draw(self.budget.batch, stage.random)
            with self.workspace.autocast():
                negatives = self.negatives(self.budget.batch, stage.random)
                f_x, f_negative = self.f(x), self.f(negatives)
            loss = softplus(f_x).mean() + softplus(-f_negative).mean()
            descend(loss, adam)
            if stage.due():
                stage.record({"loss/f": loss, "logit/normal": f_x.mean(), "logit/negative": f_negative.mean()})
        frozen(self.f)

    @torch.no_grad()
    def negatives(self, n: int, random: torch.Generator) -> Tensor:
        """Draw n negatives; (n, ...), scaled."""
        negatives: Tensor = self.decoder(self.shell_latents(n, random))
        return negatives.float()

    def shell_latents(self, n: int, random: torch.Generator) -> Tensor:
        """The z of n negatives; (n, l)."""
        means = self.priors.means.detach()
        device = means.device
        c = torch.randint(self.clusters, (n,), generator=random, device=device)
        u = torch.randn(n, self.latent, generator=random, device=device)
        low, high = self.shell
        rho = low + (high - low) * torch.rand(n, 1, generator=random, device=device)
        return means[c] + rho * math.sqrt(self.latent) * normalize(u, dim=1)

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`; the term is in the class's docstring."""
        return {"logit": self.outputs(lambda part: self.v(self.f, part), x)}

    def generators(self) -> dict[str, nn.Module]:
        """See `Detector`."""
        return {"decoder": self.decoder}

    def networks(self) -> dict[str, nn.Module]:
        """The networks of the detector's state, by name."""
        return {"encoder": self.encoder, "decoder": self.decoder, "priors": self.priors, "f": self.f}
