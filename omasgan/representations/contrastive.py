"""Codes in which changed views of one image are near, and other images, turned copies of itself too, are far."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from omasgan.data.dataset import Spec
from omasgan.networks.base import Architecture
from omasgan.representations.base import must_be_images
from omasgan.representations.learned import Learned
from omasgan.representations.rotation_prediction import TURNS, angles, must_turn, turned
from omasgan.training.augmentation import Augmentation
from omasgan.training.settings import Budget, Count, NonNegative, Positive
from omasgan.training.stage import Stage, Workspace

TINY = 1e-12
"""Stands in for a length of zero."""


class Contrastive(Learned):
    """A code is an image's projection, (projection,), learned by telling images from each other (Chen et al. 2020).

    Its direction is what was learned; its length says how surely the network knows the image (Tack et al. 2020), but
    would outweigh the direction in a distance, so a code is as long as the square root of it.

    A turned copy counts as another image (Tack et al. 2020; Sohn et al. 2021), and a second head tells by how much an
    image was turned (Gidaris et al. 2018): for both the network must know what the normal images show. architecture:
    its encoder is the trunk. views: the random change that makes a view. features: what the trunk gives. turns: weight
    of telling the turns; 0: no image is turned. temperature: of the contrastive term. budget, lr: see `Learned`.

    There is no way back from a code to an image.
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
        turns: NonNegative = 2.0,
        temperature: Positive = 0.3,
        lr: Positive = 2e-3,
    ) -> None:
        super().__init__(spec, workspace, budget, lr)
        must_be_images(spec, "contrastive codes")
        if turns > 0:
            must_turn(spec, "set the representation's turns to 0")
        self.views, self.turns, self.temperature = views, turns, temperature
        self.codes = Spec((projection,))

        def head(outputs: int, *hidden: nn.Module) -> nn.Module:
            return nn.Sequential(nn.BatchNorm1d(features), nn.ReLU(), *hidden, nn.Linear(features, outputs))

        self.trunk = workspace.network("trunk", lambda: architecture.encoder(spec.shape, features))
        self.projector = workspace.network(
            "projector", lambda: head(projection, nn.Linear(features, features), nn.ReLU())
        )
        self.teller = workspace.network("teller", lambda: head(TURNS))

    def losses(self, x: Tensor, stage: Stage) -> dict[str, Tensor]:
        """See `Learned`."""
        views = [self.views(x, stage.random), self.views(x, stage.random)]
        if self.turns > 0:
            views = [turned(view) for view in views]
        with self.workspace.autocast():
            features = self.trunk(torch.cat(views))
            projections = self.projector(features).float()
        losses = {"contrast": contrastive_loss(projections, self.temperature)}
        loss = losses["contrast"]
        if self.turns > 0:
            with self.workspace.autocast():
                told = self.teller(features).float()
            losses["turns"] = cross_entropy(told, angles(x).repeat(2))
            loss = loss + self.turns * losses["turns"]
        return {"loss": loss, **losses}

    def networks(self) -> dict[str, nn.Module]:
        """See `Learned`."""
        networks = {"trunk": self.trunk, "projector": self.projector}
        return {**networks, "teller": self.teller} if self.turns > 0 else networks

    def code(self, x: Tensor) -> Tensor:
        """See `Learned`."""
        return damped(self.projector(self.trunk(x)).float())


def damped(projections: Tensor) -> Tensor:
    """Rows (n, k) of the same directions, each as long as the square root of its length."""
    lengths: Tensor = torch.linalg.vector_norm(projections, dim=1, keepdim=True)
    return projections / lengths.clamp_min(TINY).sqrt()


def contrastive_loss(projections: Tensor, temperature: float) -> Tensor:
    """The normalised, temperature-scaled cross entropy of SimCLR for (2n, k); row i's partner is row i + n; scalar."""
    codes = normalize(projections)
    similarity = codes @ codes.T / temperature
    similarity = similarity.masked_fill(torch.eye(len(codes), dtype=torch.bool, device=codes.device), -torch.inf)
    return cross_entropy(similarity, torch.arange(len(codes), device=codes.device).roll(len(codes) // 2))
