"""Fisher's linear discriminants that tell images apart and ignore what differs between views of one image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from sklearn.decomposition import PCA
from torch import Tensor

from omasgan.representations.rotation import random_rotation
from omasgan.training.seeding import stream, stream_seed

PRINCIPAL = 512
"""PCA components, at most, that the discriminants are found among: in all, noise would be invertible."""

RIDGE = 1e-4
"""Added to the variance within images, as a share of the total: where views don't differ at all, a finite scale."""

TINY = 1e-12
"""Stands in for a variance of zero: of images that are all alike."""


class Discriminants:
    """Fisher's linear discriminants of features (n, m), with each image a class and its views the class's samples.

    Of two random views of each image, W is the covariance within images and T the total one. An embedding has the k
    directions of the largest variance between images over that within, (T - W) / W, each divided by its deviation
    within (Fisher 1936; what contrastive learning finds with a linear network, Balestriero & LeCun 2022), so that
    distances are in units of how far two views of one image lie apart. Fewer than k images give as many directions as
    there are images. The directions are rotated at random, see `random_rotation`.

    Parameters
    ----------
    k
        Columns of an embedding; at most m and `PRINCIPAL`.
    seed
        The run's seed.
    """

    def __init__(self, k: int, seed: int) -> None:
        self.k, self.seed = k, seed
        self.centre, self.projection = torch.empty(0), torch.empty(0)

    def fit(self, first: Tensor, second: Tensor) -> None:
        """Learn from the features of two views of each image, (n, m) each; k is at most m and PRINCIPAL."""
        seed = stream_seed(self.seed, "principal components") % 2**32
        features = torch.cat([first, second])
        principal = PCA(min(PRINCIPAL, *first.shape), random_state=seed).fit(features.numpy())
        self.centre, directions = torch.from_numpy(principal.mean_), torch.from_numpy(principal.components_)
        a, b = (((view - self.centre) @ directions.T).double() for view in (first, second))
        within = (a - b).T @ (a - b) / (2 * len(a))
        total = (a.T @ a + b.T @ b) / (2 * len(a))
        within = within + torch.diag(RIDGE * total.diagonal() + TINY)
        # W = L L^T: in features times L^-T, views of one image have unit deviation in every direction.
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
        """The two tensors that were learned."""
        return {"centre": self.centre, "projection": self.projection}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what `state_dict` gave."""
        self.centre, self.projection = state["centre"].cpu(), state["projection"].cpu()
