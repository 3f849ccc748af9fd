"""Contrastive learning: views of one image are near, other images and rotated copies are far."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from omasgan.data.dataset import Spec
from omasgan.networks.base import Architecture
from omasgan.representations.base import must_be_images
from omasgan.representations.learned import Learned
from omasgan.representations.rotation_prediction import ROTATIONS, must_be_square, rotated_quarters, rotation_labels
from omasgan.training.augmentation import Augmentation
from omasgan.training.settings import Budget, Count, NonNegative, Positive
from omasgan.training.stage import Stage, Workspace

TINY = 1e-12
"""Stands in for a length of zero."""


class Contrastive(Learned):
    """A projection of an image in which views of one image are near and other images are far.

    The network learns to tell images from each other (Chen et al. 2020). The direction of a projection is what was
    learned; its length says how surely the network knows the image (Tack et al. 2020) but would outweigh the direction
    in a distance, so an embedding has the square root of that length.

    A rotated copy counts as another image (Tack et al. 2020; Sohn et al. 2021), and a second head predicts by how much
    an image was rotated (Gidaris et al. 2018): for both the network must know what the normal images show. There is no
    way back from an embedding to an image.

    Parameters
    ----------
    spec, workspace
        See `Representation`. Images must be square where `rotation_weight` is above 0.
    architecture
        Its encoder is the trunk.
    views
        The random change of an image that makes a view of it.
    budget, lr
        See `Learned`.
    features
        Outputs of the trunk.
    projection
        Columns of an embedding.
    rotation_weight
        Weight of predicting the rotation in the loss; with 0 no image is rotated.
    temperature
        Temperature of the contrastive loss.
    """

    stage = "contrastive"

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        architecture: Architecture,
        views: Augmentation,
        budget: Budget,
        features: Count = 256,
        projection: Count = 64,
        rotation_weight: NonNegative = 2.0,
        temperature: Positive = 0.3,
        lr: Positive = 2e-3,
    ) -> None:
        super().__init__(spec, workspace, budget, lr)
        must_be_images(spec, "contrastive embeddings")
        if rotation_weight > 0:
            must_be_square(spec, "set representation.contrastive.rotation_weight=0")
        self.views, self.rotation_weight, self.temperature = views, rotation_weight, temperature
        self.embedding = Spec((projection,))

        def head(outputs: int, *hidden: nn.Module) -> nn.Module:
            return nn.Sequential(nn.BatchNorm1d(features), nn.ReLU(), *hidden, nn.Linear(features, outputs))

        self.trunk = workspace.network("trunk", lambda: architecture.encoder(spec.shape, features))
        self.projector = workspace.network(
            "projector", lambda: head(projection, nn.Linear(features, features), nn.ReLU())
        )
        self.rotation_head = workspace.network("rotation_head", lambda: head(ROTATIONS))

    def losses(self, x: Tensor, stage: Stage) -> dict[str, Tensor]:
        """See `Learned`."""
        views = [self.views(x, stage.random), self.views(x, stage.random)]
        if self.rotation_weight > 0:
            views = [rotated_quarters(view) for view in views]
        with self.workspace.autocast():
            features = self.trunk(torch.cat(views))
            projections = self.projector(features).float()
        losses = {"contrast": contrastive_loss(projections, self.temperature)}
        loss = losses["contrast"]
        if self.rotation_weight > 0:
            with self.workspace.autocast():
                predicted = self.rotation_head(features).float()
            losses["rotation"] = cross_entropy(predicted, rotation_labels(x).repeat(2))
            loss = loss + self.rotation_weight * losses["rotation"]
        return {"loss": loss, **losses}

    def networks(self) -> dict[str, nn.Module]:
        """See `Learned`."""
        networks = {"trunk": self.trunk, "projector": self.projector}
        return {**networks, "rotation_head": self.rotation_head} if self.rotation_weight > 0 else networks

    def embed(self, x: Tensor) -> Tensor:
        """See `Learned`."""
        return damped(self.projector(self.trunk(x)).float())


def damped(projections: Tensor) -> Tensor:
    """Rows (n, k) of the same directions, each as long as the square root of its length."""
    lengths: Tensor = torch.linalg.vector_norm(projections, dim=1, keepdim=True)
    return projections / lengths.clamp_min(TINY).sqrt()


def contrastive_loss(projections: Tensor, temperature: float) -> Tensor:
    """The normalised, temperature-scaled cross entropy of SimCLR for (2n, k); row i's partner is row i + n; scalar."""
    embeddings = normalize(projections)
    similarity = embeddings @ embeddings.T / temperature
    similarity = similarity.masked_fill(
        torch.eye(len(embeddings), dtype=torch.bool, device=embeddings.device), -torch.inf
    )
    return cross_entropy(similarity, torch.arange(len(embeddings), device=embeddings.device).roll(len(embeddings) // 2))
