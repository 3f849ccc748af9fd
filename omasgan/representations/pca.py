"""The principal components of the samples themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from sklearn import decomposition
from torch import Tensor

from omasgan.data.dataset import Spec
from omasgan.errors import UserError
from omasgan.representations.base import Representation
from omasgan.representations.rotation import random_rotation
from omasgan.training.batches import Scaling
from omasgan.training.seeding import stream, stream_seed
from omasgan.training.settings import Count, Fraction
from omasgan.training.stage import Workspace, in_batches

FITTED = 10_000
"""Number of samples, at most, that the components are learned from."""

TINY = 1e-6
"""Lower bound of a component's variance, which is divided by."""


class PCA(Representation):
    """The first principal components of the samples, images or rows.

    The components are rotated at random, see `random_rotation`. n samples give at most n - 1 components, but an
    embedding always has `components` columns.

    Parameters
    ----------
    spec, workspace
        See `Representation`.
    components
        Number of columns of an embedding; at most the number of values in a sample.
    whitening
        Each component is divided by its standard deviation to this power, 0..1: 0 leaves the components as they are, 1
        gives all of them the same variance.

    Raises
    ------
    UserError
        Where there are more components than values in a sample.

    Examples
    --------
    >>> import torch
    >>> pca = PCA(Spec((4,)), Workspace(), components=2)
    >>> pca.fit(torch.arange(40.0).view(10, 4).sin())
    >>> embeddings = pca.encode(torch.ones(3, 4))
    >>> embeddings.shape, pca.decode(embeddings).shape
    (torch.Size([3, 2]), torch.Size([3, 4]))
    """

    def __init__(self, spec: Spec, workspace: Workspace, components: Count = 24, whitening: Fraction = 0.5) -> None:
        super().__init__(spec, workspace)
        if components > spec.size:
            raise UserError(
                f"representation.pca.components is {components}, but a sample has {spec.size} numbers: choose fewer"
            )
        self.components, self.whitening = components, whitening
        self.embedding = Spec((components,))

    def fit(self, train: Tensor) -> None:
        """See `Representation`; raises UserError for fewer than two samples."""
        if len(train) < 2:
            raise UserError("one normal training sample has no principal components: give at least two")
        self.scaling = Scaling(train.cpu())
        random = stream(self.workspace.seed, "components", torch.device("cpu"))
        some = train.cpu()[torch.randperm(len(train), generator=random)[:FITTED]]
        seed = stream_seed(self.workspace.seed, "principal components") % 2**32
        components = min(self.components, len(some) - 1)
        found = decomposition.PCA(components, random_state=seed).fit(self.scaling(some).flatten(1).numpy())
        self.centre = torch.from_numpy(found.mean_)
        rotation = random_rotation(self.components, random)[:, :components]
        directions = torch.from_numpy(found.components_)
        scale = torch.from_numpy(found.explained_variance_).clamp_min(TINY).sqrt().unsqueeze(1) ** self.whitening
        self.projection, self.back = rotation @ (directions / scale), (directions * scale).T @ rotation.T

    def encode(self, x: Tensor) -> Tensor:
        """See `Representation`."""
        return in_batches(lambda part: (self.scaling(part.cpu()).flatten(1) - self.centre) @ self.projection.T, x)

    def decode(self, embeddings: Tensor) -> Tensor:
        """See `Representation`; what the components leave out is taken from the mean of the samples."""
        scaled = embeddings.cpu() @ self.back.T + self.centre
        return self.scaling.invert(scaled.view(-1, *self.spec.shape))

    def state_dict(self) -> dict[str, Any]:
        """See `Representation`."""
        learned = {name: getattr(self, name) for name in LEARNED}
        return {"scaling": self.scaling.state_dict(), **learned}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Representation`."""
        self.scaling = Scaling.from_state_dict(state["scaling"]).to(torch.device("cpu"))
        for name in LEARNED:
            setattr(self, name, state[name].cpu())


LEARNED = ("centre", "projection", "back")
"""The learned tensors, besides the scaling."""
