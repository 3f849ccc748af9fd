"""Contrastive learning: views of one image get near embeddings, other images and rotated copies get far ones."""

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
"""Lower bound of a length, which is divided by."""


class Contrastive(Learned):
    """A projection of an image in which views of one image are near and other images are far.

    The network learns to distinguish images (SimCLR). The direction of a projection is what was learned. Its length is
    larger for images like the training images but would dominate distances, so an embedding keeps the direction and has
    the square root of that length.

    A rotated copy counts as another image, and a second head predicts by how much an image was rotated; both require
    the network to learn what the normal images show. Embeddings cannot be decoded.

    Parameters
    ----------
    spec, workspace
        See `Representation`. Images must be square where `rotation_weight` is above 0.
    architecture
        Its encoder is the trunk.
    views
        The random augmentation that makes a view of an image.
    budget, lr
        See `Learned`.
    features
        Number of outputs of the trunk.
    projection
        Number of columns of an embedding.
    rotation_weight
        Weight of the rotation prediction in the loss; with 0 no image is rotated.
    temperature
        Temperature of the contrastive loss.

    Raises
    ------
    UserError
        For rows, and for images that are not square where `rotation_weight` is above 0.

    References
    ----------
    Chen et al. 2020, "A simple framework for contrastive learning of visual representations"; Tack et al. 2020, "CSI:
    novelty detection via contrastive learning on distributionally shifted instances" (rotated copies, lengths); Sohn et
    al. 2021, "Learning and evaluating representations for deep one-class classification"; Gidaris et al. 2018,
    "Unsupervised representation learning by predicting image rotations".
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
        self.rotation_classifier = workspace.network("rotation_head", lambda: head(ROTATIONS))

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
                predicted = self.rotation_classifier(features).float()
            losses["rotation"] = cross_entropy(predicted, rotation_labels(x).repeat(2))
            loss = loss + self.rotation_weight * losses["rotation"]
        return {"loss": loss, **losses}

    def networks(self) -> dict[str, nn.Module]:
        """See `Learned`."""
        networks = {"trunk": self.trunk, "projector": self.projector}
        return {**networks, "rotation_classifier": self.rotation_classifier} if self.rotation_weight > 0 else networks

    def embed(self, x: Tensor) -> Tensor:
        """See `Learned`."""
        return damped(self.projector(self.trunk(x)).float())


def damped(projections: Tensor) -> Tensor:
    """Rescale each row of (n, k) to the square root of its length; (n, k).

    Examples
    --------
    >>> damped(torch.tensor([[0.0, 9.0]])).tolist()
    [[0.0, 3.0]]
    """
    lengths: Tensor = torch.linalg.vector_norm(projections, dim=1, keepdim=True)
    return projections / lengths.clamp_min(TINY).sqrt()


def contrastive_loss(projections: Tensor, temperature: float) -> Tensor:
    """The normalised, temperature-scaled cross entropy of SimCLR; scalar.

    The mean over all rows i of -log(exp(s_ij / t) / sum over k != i of exp(s_ik / t)), where s are cosine similarities
    and row j is the other view of the image in row i.

    Parameters
    ----------
    projections
        Two views of n images, (2n, k): rows i and i + n are views of the same image.
    temperature
        t, above 0.

    References
    ----------
    Chen et al. 2020, "A simple framework for contrastive learning of visual representations", eq. (1).
    """
    embeddings = normalize(projections)
    similarity = embeddings @ embeddings.T / temperature
    similarity = similarity.masked_fill(
        torch.eye(len(embeddings), dtype=torch.bool, device=embeddings.device), -torch.inf
    )
    return cross_entropy(similarity, torch.arange(len(embeddings), device=embeddings.device).roll(len(embeddings) // 2))
