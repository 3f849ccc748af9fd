"""Codes in which changed views of one image are near, and other images, turned copies of itself too, are far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax, normalize

from omasgan.architectures.base import Architecture
from omasgan.data.augmentation import Augmentation
from omasgan.data.dataset import Spec
from omasgan.errors import UserError
from omasgan.representations.learned import Learned
from omasgan.representations.rotation import random_rotation
from omasgan.seeding import stream
from omasgan.settings import Budget, Count, NonNegative, Positive
from omasgan.stages.stage import Stage, Workspace

TURNS = 4
"""By 0, 90, 180 and 270 degrees."""

WEIGHED = 10_000
"""Training images, at most, from which the weights of a code's parts are learned."""

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
        certainty: NonNegative = 0.0,
    ) -> None:
        super().__init__(spec, workspace, budget, lr)
        if not spec.is_image:
            raise UserError("contrastive codes are for images, the data are rows: use experiment=rows")
        if turns > 0 and spec.shape[1] != spec.shape[2]:
            raise UserError(
                f"images of {spec.shape[1]} x {spec.shape[2]} pixels cannot be turned: use square ones, or "
                "set the representation's turns to 0"
            )
        if turns > 0 and budget.representation_batch % TURNS:
            raise UserError(
                f"budget.representation_batch is {budget.representation_batch}, but a quarter of a batch is turned by "
                f"each angle: use a multiple of {TURNS}, or set the representation's turns to 0"
            )
        if certainty > 0 and turns == 0:
            raise UserError(
                f"the representation's certainty is {certainty} and its turns are 0: how surely turns are told is "
                "known only where they are told; set turns above 0, or certainty to 0"
            )
        self.views, self.turns, self.temperature, self.certainty = views, turns, temperature, certainty
        self.lengths = [projection, TURNS] if certainty > 0 else [projection]
        self.codes = Spec((sum(self.lengths),))
        self.centre, self.mixing = torch.empty(0), torch.empty(0)

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
            angles = torch.arange(TURNS, device=x.device).repeat_interleave(len(x) // TURNS).repeat(2)
            losses["turns"] = cross_entropy(told, angles)
            loss = loss + self.turns * losses["turns"]
        return {"loss": loss, **losses}

    def networks(self) -> dict[str, nn.Module]:
        """See `Learned`."""
        networks = {"trunk": self.trunk, "projector": self.projector}
        return {**networks, "teller": self.teller} if self.turns > 0 else networks

    def fit(self, train: Tensor) -> None:
        """See `Learned`."""
        super().fit(train)
        if self.certainty > 0:
            self.weigh(train)

    def weigh(self, train: Tensor) -> None:
        """Learn what brings a code's two parts to their weights, from some of the training images."""
        random = stream(self.workspace.seed, "weights of codes", torch.device("cpu"))
        some = train[torch.randperm(len(train), generator=random)[:WEIGHED].to(train.device)]
        codes = super().encode(some)
        self.centre = codes.mean(dim=0)
        parts = torch.split(codes - self.centre, self.lengths, dim=1)
        scale = torch.cat(
            [
                torch.full((length,), weight / float(part.square().sum(dim=1).mean().clamp_min(TINY).sqrt()))
                for part, length, weight in zip(parts, self.lengths, (1.0, self.certainty), strict=True)
            ]
        )
        self.mixing = scale.unsqueeze(1) * random_rotation(len(scale), random)

    def encode(self, x: Tensor) -> Tensor:
        """See `Representation`."""
        codes = super().encode(x)
        return (codes - self.centre) @ self.mixing if self.certainty > 0 else codes

    def code(self, x: Tensor) -> Tensor:
        """See `Learned`; the two parts before they are weighed."""
        features = self.trunk(x)
        projections = damped(self.projector(features).float())
        if self.certainty == 0:
            return projections
        copies = [features] + [self.trunk(_rotated(x, turn)) for turn in range(1, TURNS)]
        doubts = [-log_softmax(self.teller(copy).float(), dim=1)[:, turn] for turn, copy in enumerate(copies)]
        return torch.cat([projections, torch.stack(doubts, dim=1)], dim=1)

    def state_dict(self) -> dict[str, Any]:
        """See `Representation`."""
        weights = {"centre": self.centre, "mixing": self.mixing} if self.certainty > 0 else {}
        return {**super().state_dict(), **weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Representation`."""
        super().load_state_dict(state)
        if self.certainty > 0:
            self.centre, self.mixing = state["centre"].cpu(), state["mixing"].cpu()


def damped(projections: Tensor) -> Tensor:
    """Rows (n, k) of the same directions, each as long as the square root of its length."""
    lengths: Tensor = torch.linalg.vector_norm(projections, dim=1, keepdim=True)
    return projections / lengths.clamp_min(TINY).sqrt()


def turned(x: Tensor) -> Tensor:
    """The first quarter of images (n, C, H, H) as it is, the second turned by 90 degrees, the third by 180, ..."""
    return torch.cat([_rotated(part, turn) for turn, part in enumerate(x.chunk(TURNS))])


def _rotated(x: Tensor, turn: int) -> Tensor:
    return x.rot90(turn, (2, 3)).contiguous(memory_format=torch.channels_last)


def contrastive_loss(projections: Tensor, temperature: float) -> Tensor:
    """The normalised, temperature-scaled cross entropy of SimCLR for (2n, k); row i's partner is row i + n; scalar."""
    codes = normalize(projections)
    similarity = codes @ codes.T / temperature
    similarity = similarity.masked_fill(torch.eye(len(codes), dtype=torch.bool, device=codes.device), -torch.inf)
    return cross_entropy(similarity, torch.arange(len(codes), device=codes.device).roll(len(codes) // 2))
