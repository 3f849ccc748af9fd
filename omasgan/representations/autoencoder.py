"""The codes of a variational autoencoder, and beside them codes in which two views of one sample are near."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize
from torch.optim import Adam

from omasgan.architectures.base import Architecture
from omasgan.data.augmentation import Augmentation
from omasgan.data.batches import Batches, Scaling
from omasgan.data.dataset import Spec
from omasgan.errors import UserError
from omasgan.representations.base import Representation
from omasgan.settings import Budget, Count, NonNegative, Positive
from omasgan.stages.stage import Stage, Workspace, descend, frozen, in_batches


class Autoencoder(Representation):
    """A code is the mean of a sample's posterior, (latent,), and its normalised projection, (projection,).

    The mean tells what a sample looks like (a variational autoencoder, Kingma & Welling 2014), the projection what it
    has in common with its changed views (SimCLR, Chen et al. 2020); both are linear or nearly so in the features of one
    trunk. architecture: its encoder is the trunk, its generator the decoder, its latent the length of the mean.
    views: the random change that makes a view. contrast: weight of the contrastive term, 0 for a plain autoencoder
    without projection. kl: weight of the Kullback-Leibler term. temperature: of the contrastive term. lr: Adam's.
    """

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        architecture: Architecture,
        views: Augmentation,
        budget: Budget,
        features: Count = 256,
        projection: Count = 64,
        contrast: NonNegative = 50.0,
        temperature: Positive = 0.3,
        kl: NonNegative = 1.0,
        lr: Positive = 1e-3,
    ) -> None:
        super().__init__(spec, workspace)
        if contrast > 0 and views.images_only and not spec.is_image:
            raise UserError(
                f"views {type(views).__name__} is for images, the data are rows: use representation=autoencoder"
            )
        self.latent = architecture.latent
        self.views, self.budget = views, budget
        self.contrast, self.temperature, self.kl, self.lr = contrast, temperature, kl, lr
        self.codes = Spec((self.latent + projection * (contrast > 0),))

        def projector() -> nn.Module:
            hidden = [nn.BatchNorm1d(features), nn.ReLU(), nn.Linear(features, features), nn.ReLU()]
            return nn.Sequential(*hidden, nn.Linear(features, projection))

        self.trunk = workspace.network("trunk", lambda: architecture.encoder(spec.shape, features))
        self.posterior = workspace.network(
            "posterior", lambda: nn.Sequential(nn.LeakyReLU(0.2), nn.Linear(features, 2 * self.latent))
        )
        self.decoder = workspace.network("decoder", lambda: architecture.generator(spec.shape))
        self.projector = workspace.network("projector", projector)

    def fit(self, train: Tensor) -> None:
        """See `Representation`. Raises UserError where a loss is not finite."""
        n = self.budget.representation_batch
        if n > len(train):
            raise UserError(
                f"budget.representation_batch is {n}, but there are {len(train)} training normals: make it smaller"
            )
        self.scaling = Scaling(train)
        batches = Batches(train, self.scaling, device=self.workspace.device)
        networks = self.networks()
        adam = Adam(nn.ModuleDict(networks).parameters(), self.lr)
        stage = Stage("representation", self.budget.representation, self.workspace, networks, {"adam": adam}, decay=1.0)
        for _ in stage:
            x = batches.draw(n, stage.random)
            noise = stage.latents(n, self.latent)
            seen = [x, self.views(x, stage.random), self.views(x, stage.random)] if self.contrast > 0 else [x]
            with self.workspace.autocast():
                features = self.trunk(torch.cat(seen))
                mean, log_variance = self.posterior(features[:n]).float().chunk(2, dim=1)
                decoded = self.decoder(mean + noise * (log_variance / 2).exp()).float()
            error = (decoded - x).square().mean()
            divergence = kl_to_standard_normal(mean, log_variance)
            # The likelihood with the decoder's variance at its optimum (Rybkin et al. 2021).
            loss = self.spec.size / 2 * error.log() + self.kl * divergence
            values = {"loss/autoencoder": loss, "autoencoder/error": error, "autoencoder/KL": divergence}
            if self.contrast > 0:
                with self.workspace.autocast():
                    projections = self.projector(features[n:])
                values["loss/contrast"] = contrastive_loss(projections.float(), self.temperature)
                loss = loss + self.contrast * values["loss/contrast"]
            descend(loss, adam)
            if stage.due():
                stage.record(values)
        for network in networks.values():
            frozen(network)

    def networks(self) -> dict[str, nn.Module]:
        """All networks, by name."""
        networks = {"trunk": self.trunk, "posterior": self.posterior, "decoder": self.decoder}
        return {**networks, "projector": self.projector} if self.contrast > 0 else networks

    def encode(self, x: Tensor) -> Tensor:
        """See `Representation`."""
        return in_batches(lambda part: self._code(self.scaling(part.to(self.workspace.device))).cpu(), x)

    def _code(self, x: Tensor) -> Tensor:
        features = self.trunk(x)
        mean: Tensor = self.posterior(features)[:, : self.latent]
        if self.contrast == 0:
            return mean
        return torch.cat([mean, normalize(self.projector(features))], dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        """See `Representation`: of the mean alone."""
        device = self.workspace.device
        means = codes[:, : self.latent]
        return in_batches(lambda part: self.scaling.invert(self.decoder(part.to(device))).cpu(), means)

    def state_dict(self) -> dict[str, Any]:
        """See `Representation`."""
        networks = {name: network.state_dict() for name, network in self.networks().items()}
        return {"scaling": self.scaling.state_dict(), "networks": networks}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Representation`."""
        self.scaling = Scaling.from_state_dict(state["scaling"]).to(self.workspace.device)
        for name, network in self.networks().items():
            network.load_state_dict(state["networks"][name])
            frozen(network)


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, I)) for (n, l), summed over l, averaged over n; scalar."""
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean() / 2


def contrastive_loss(projections: Tensor, temperature: float) -> Tensor:
    """The normalised, temperature-scaled cross entropy of SimCLR for (2n, k); row i's partner is row i + n; scalar."""
    codes = normalize(projections)
    similarity = codes @ codes.T / temperature
    similarity = similarity.masked_fill(torch.eye(len(codes), dtype=torch.bool, device=codes.device), -torch.inf)
    return cross_entropy(similarity, torch.arange(len(codes), device=codes.device).roll(len(codes) // 2))
