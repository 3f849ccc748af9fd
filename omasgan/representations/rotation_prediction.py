"""How uncertain a network is, trained on the normal images alone, about the rotation of an image."""

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
"""By 0, 90, 180 and 270 degrees."""


class RotationPrediction(Learned):
    """The error of predicting each of the four rotations of an image; all four columns are auxiliary scores.

    A network learns to predict by how much a normal image was rotated, for which it must know what these images show;
    it predicts the rotation of an image of something else less surely. A column is the square root of the cross
    entropy of one rotation, so that a single confident mistake does not outweigh all else, averaged over five crops of
    the image. There is no way back from an embedding to an image.

    Parameters
    ----------
    spec, workspace
        See `Representation`. Images must be square.
    architecture
        Its encoder is the network.
    views
        The random change of an image before it is rotated.
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
        self.classifier = workspace.network("rotation classifier", lambda: architecture.encoder(spec.shape, ROTATIONS))

    def losses(self, x: Tensor, stage: Stage) -> dict[str, Tensor]:
        """See `Learned`; a batch holds all four rotations of a quarter of its samples."""
        view = self.views(x[: max(1, len(x) // ROTATIONS)], stage.random)
        copies = rotated_quarters(view.repeat(ROTATIONS, 1, 1, 1))
        with self.workspace.autocast():
            predicted = self.classifier(copies).float()
        return {"loss": cross_entropy(predicted, rotation_labels(copies))}

    def networks(self) -> dict[str, nn.Module]:
        """See `Learned`."""
        return {"classifier": self.classifier}

    def embed(self, x: Tensor) -> Tensor:
        """See `Learned`."""
        return torch.stack([self.cross_entropies(crop).sqrt() for crop in five_crops(x)]).mean(dim=0)

    def cross_entropies(self, x: Tensor) -> Tensor:
        """The cross entropy of predicting each rotation of scaled images (n, C, H, H); (n, 4)."""
        predicted = [log_softmax(self.classifier(rotated(x, k)).float(), dim=1)[:, k] for k in range(ROTATIONS)]
        return -torch.stack(predicted, dim=1)


def must_be_square(spec: Spec, remedy: str) -> None:
    """Raise UserError, which names the remedy, for data that cannot be rotated by 90 degrees."""
    must_be_images(spec, "rotations")
    if spec.shape[1] != spec.shape[2]:
        raise UserError(
            f"images of {spec.shape[1]} x {spec.shape[2]} pixels cannot be rotated by 90 degrees: "
            f"use square ones, or {remedy}"
        )


def rotated_quarters(x: Tensor) -> Tensor:
    """Images (n, C, H, H): the first quarter as it is, the second rotated by 90 degrees, the third by 180, ..."""
    return torch.cat([rotated(part, k) for k, part in enumerate(x.tensor_split(ROTATIONS))])


def rotation_labels(x: Tensor) -> Tensor:
    """By how many times 90 degrees each of the images (n, ...) that `rotated_quarters` gives is rotated; int64 (n,)."""
    parts = enumerate(x.tensor_split(ROTATIONS))
    return torch.cat([torch.full((len(part),), k, device=x.device) for k, part in parts])


def rotated(x: Tensor, k: int) -> Tensor:
    """Images (n, C, H, H) rotated by k times 90 degrees."""
    return x.rot90(k, (2, 3)).contiguous(memory_format=torch.channels_last)
