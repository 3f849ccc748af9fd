"""Rotation prediction: the error of a network, trained on normal images, in predicting the rotation of an image."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from omasgan.data.dataset import Spec
from omasgan.errors import UserError
from omasgan.networks.base import Architecture
from omasgan.representations.base import must_be_images
from omasgan.representations.learned import Learned
from omasgan.training.augmentation import Augmentation, five_crops
from omasgan.training.settings import Budget, Positive
from omasgan.training.stage import Stage, Workspace

ROTATIONS = 4
"""The number of rotations: by 0, 90, 180 and 270 degrees."""


class RotationPrediction(Learned):
    """The error in predicting each of the four rotations of an image; all four columns are auxiliary scores.

    A network that learns to predict by how much normal images were rotated has to learn what they show, and is less
    certain about images of something else. A column is the square root of the cross entropy of one rotation, averaged
    over five crops of the image; the square root keeps a single confident mistake from dominating the score. Embeddings
    cannot be decoded.

    Parameters
    ----------
    spec, workspace
        See `Representation`. Images must be square.
    architecture
        Its encoder is the network.
    views
        The random augmentation of an image before it is rotated.
    budget, lr
        See `Learned`.

    Raises
    ------
    UserError
        For rows, and for images that are not square.

    References
    ----------
    Gidaris et al. 2018, "Unsupervised representation learning by predicting image rotations"; Golan & El-Yaniv 2018,
    "Deep anomaly detection using geometric transformations".
    """

    stage = "rotation_prediction"

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        architecture: Architecture,
        views: Augmentation,
        budget: Budget,
        lr: Positive = 2e-3,
    ) -> None:
        super().__init__(spec, workspace, budget, lr)
        must_be_square(spec, "use a representation without rotation_prediction")
        self.views = views
        self.embedding = Spec((ROTATIONS,), auxiliary=tuple(range(ROTATIONS)))
        self.rotation_classifier = workspace.network(
            "rotation classifier", lambda: architecture.encoder(spec.shape, ROTATIONS)
        )

    def losses(self, x: Tensor, stage: Stage) -> dict[str, Tensor]:
        """See `Learned`; a quarter of the samples is used, in all four rotations."""
        view = self.views(x[: max(1, len(x) // ROTATIONS)], stage.random)
        copies = rotated_quarters(view.repeat(ROTATIONS, 1, 1, 1))
        with self.workspace.autocast():
            predicted = self.rotation_classifier(copies).float()
        return {"loss": cross_entropy(predicted, rotation_labels(copies))}

    def networks(self) -> dict[str, nn.Module]:
        """See `Learned`."""
        return {"rotation_classifier": self.rotation_classifier}

    def embed(self, x: Tensor) -> Tensor:
        """See `Learned`."""
        return torch.stack([self.cross_entropies(crop).sqrt() for crop in five_crops(x)]).mean(dim=0)

    def cross_entropies(self, x: Tensor) -> Tensor:
        """The cross entropy of the prediction for each rotation of scaled images (n, C, H, H); (n, 4)."""
        predicted = [
            log_softmax(self.rotation_classifier(rotated(x, k)).float(), dim=1)[:, k] for k in range(ROTATIONS)
        ]
        return -torch.stack(predicted, dim=1)


def must_be_square(spec: Spec, remedy: str) -> None:
    """Raise UserError for data that cannot be rotated by 90 degrees; `remedy` says what to do instead."""
    must_be_images(spec, "rotations")
    if spec.shape[1] != spec.shape[2]:
        raise UserError(
            f"images of {spec.shape[1]} x {spec.shape[2]} pixels cannot be rotated by 90 degrees: "
            f"use square ones, or {remedy}"
        )


def rotated_quarters(x: Tensor) -> Tensor:
    """Rotate the quarters of a batch (n, C, H, H) by 0, 90, 180 and 270 degrees; (n, C, H, H)."""
    return torch.cat([rotated(part, k) for k, part in enumerate(x.tensor_split(ROTATIONS))])


def rotation_labels(x: Tensor) -> Tensor:
    """By how many times 90 degrees `rotated_quarters` rotates each image of a batch (n, ...); int64 (n,)."""
    parts = enumerate(x.tensor_split(ROTATIONS))
    return torch.cat([torch.full((len(part),), k, device=x.device) for k, part in parts])


def rotated(x: Tensor, k: int) -> Tensor:
    """Rotate images (n, C, H, H) by k times 90 degrees."""
    return x.rot90(k, (2, 3)).contiguous(memory_format=torch.channels_last)
