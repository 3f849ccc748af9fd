"""How unsurely a network, trained on the normal images alone, tells by how much an image was turned."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from omasgan.data.dataset import Spec
from omasgan.errors import UserError
from omasgan.networks.base import Architecture
from omasgan.representations.base import must_be_images
from omasgan.representations.learned import Learned
from omasgan.training.augmentation import Augmentation, looks
from omasgan.training.settings import Budget, Positive
from omasgan.training.stage import Stage, Workspace

TURNS = 4
"""By 0, 90, 180 and 270 degrees."""


class Turns(Learned):
    """A code is the doubt about each of four turned copies of an image, (4,); it is all doubts, see `Spec`.

    A network learns by how much a normal image was turned (Gidaris et al. 2018), for which it must know what these
    images show: of one that shows something else it cannot tell so surely (Golan & El-Yaniv 2018). A doubt is the root
    of the turn's cross entropy, so that one copy which is plainly taken for another does not outweigh all else; it is
    averaged over several looks at the image.

    architecture: its encoder is the network. views: the random change of an image before it is turned. budget, lr: see
    `Learned`. There is no way back from a code to an image.
    """

    stage = "turns"

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
        must_turn(spec, "use a representation without turns")
        self.views = views
        self.codes = Spec((TURNS,), doubts=tuple(range(TURNS)))
        self.teller = workspace.network("teller of turns", lambda: architecture.encoder(spec.shape, TURNS))

    def losses(self, x: Tensor, stage: Stage) -> dict[str, Tensor]:
        """See `Learned`; a batch is all turned copies of a quarter of its samples."""
        view = self.views(x[: max(1, len(x) // TURNS)], stage.random)
        copies = turned(view.repeat(TURNS, 1, 1, 1))
        with self.workspace.autocast():
            told = self.teller(copies).float()
        return {"loss": cross_entropy(told, angles(copies))}

    def networks(self) -> dict[str, nn.Module]:
        """See `Learned`."""
        return {"teller": self.teller}

    def code(self, x: Tensor) -> Tensor:
        """See `Learned`."""
        return torch.stack([self.doubts(look).sqrt() for look in looks(x)]).mean(dim=0)

    def doubts(self, x: Tensor) -> Tensor:
        """The cross entropy of the turn of each turned copy of images (n, C, H, H); (n, 4)."""
        told = [log_softmax(self.teller(rotated(x, turn)).float(), dim=1)[:, turn] for turn in range(TURNS)]
        return -torch.stack(told, dim=1)


def must_turn(spec: Spec, remedy: str) -> None:
    """Raises UserError for data that cannot be turned."""
    must_be_images(spec, "turned copies")
    if spec.shape[1] != spec.shape[2]:
        raise UserError(
            f"images of {spec.shape[1]} x {spec.shape[2]} pixels cannot be turned: use square ones, or {remedy}"
        )


def turned(x: Tensor) -> Tensor:
    """The first quarter of images (n, C, H, H) as it is, the second turned by 90 degrees, the third by 180, ..."""
    return torch.cat([rotated(part, turn) for turn, part in enumerate(x.tensor_split(TURNS))])


def angles(x: Tensor) -> Tensor:
    """By how many times 90 degrees each of the images (n, ...) that `turned` gives is turned; int64 (n,)."""
    parts = enumerate(x.tensor_split(TURNS))
    return torch.cat([torch.full((len(part),), turn, device=x.device) for turn, part in parts])


def rotated(x: Tensor, turn: int) -> Tensor:
    """Images (n, C, H, H) turned by that many times 90 degrees."""
    return x.rot90(turn, (2, 3)).contiguous(memory_format=torch.channels_last)
