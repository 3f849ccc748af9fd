"""Fisher's linear discriminants, which distinguish images and ignore the differences between views of one image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from sklearn.decomposition import PCA
from torch import Tensor

from omasgan.representations.rotation import random_rotation
from omasgan.training.seeding import stream, stream_seed

PRINCIPAL = 512
"""Number of principal components, at most, in which the discriminants are computed; more would fit noise."""

RIDGE = 1e-4
"""Fraction of the total variance that is added to the variance within images, which may be 0 in some directions."""

TINY = 1e-12
"""Added to the variance within images, in case the total variance is 0 because all images are alike."""


class Discriminants:
    """Fisher's linear discriminants of features (n, m); each image is a class, and its views are the class's samples.

    From two random views of each image, W is the covariance within images and T the total covariance. The directions w
    maximise the variance between images relative to the variance within, w^T (T - W) w / w^T W w. Each is divided by
    its standard deviation within images, so that distances are in units of how far two views of one image are apart.
    This is what contrastive learning finds with a linear network. Fewer than k images give as many directions as there
    are images. The result is rotated at random, see `random_rotation`.

    Parameters
    ----------
    k
        Number of columns of an embedding; at most m and `PRINCIPAL`.
    seed
        Seed of the run.

    References
    ----------
    Fisher 1936, "The use of multiple measurements in taxonomic problems"; Balestriero & LeCun 2022, "Contrastive and
    non-contrastive self-supervised learning recover global and local spectral embedding methods".

    Examples
    --------
    >>> features = torch.arange(60.0).view(10, 6).sin()
    >>> discriminants = Discriminants(k=3, seed=0)
    >>> discriminants.fit(features, features + 0.1 * features.cos())
    >>> discriminants(features).shape
    torch.Size([10, 3])
    """

    def __init__(self, k: int, seed: int) -> None:
        self.k, self.seed = k, seed
        self.centre, self.projection = torch.empty(0), torch.empty(0)

    def fit(self, first: Tensor, second: Tensor) -> None:
        """Learn from the features of two views of each image, (n, m) each, on the CPU."""
        seed = stream_seed(self.seed, "principal components") % 2**32
        features = torch.cat([first, second])
        principal = PCA(min(PRINCIPAL, *first.shape), random_state=seed).fit(features.numpy())
        self.centre, directions = torch.from_numpy(principal.mean_), torch.from_numpy(principal.components_)
        a, b = (((view - self.centre) @ directions.T).double() for view in (first, second))
        within = (a - b).T @ (a - b) / (2 * len(a))
        total = (a.T @ a + b.T @ b) / (2 * len(a))
        within = within + torch.diag(RIDGE * total.diagonal() + TINY)
        # W = L L^T: in features times L^-T, the variance within images is 1 in every direction.
        inverse = torch.linalg.inv(torch.linalg.cholesky(within))
        _, found = torch.linalg.eigh(inverse @ total @ inverse.T)
        random = stream(self.seed, "rotation of components", torch.device("cpu"))
        kept = found[:, -self.k :]
        rotation = random_rotation(self.k, random)[:, : kept.shape[1]].double()
        self.projection = (rotation @ kept.T @ inverse).float() @ directions

    def __call__(self, features: Tensor) -> Tensor:
        """The embeddings (n, k) of features (n, m)."""
        return (features - self.centre) @ self.projection.T

    def state_dict(self) -> dict[str, Tensor]:
        """The two learned tensors."""
        return {"centre": self.centre, "projection": self.projection}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.centre, self.projection = state["centre"].cpu(), state["projection"].cpu()
