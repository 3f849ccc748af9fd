"""Cheap baselines, computed by scikit-learn, with which every result is compared.

Samples are scaled as for the networks and flattened. No baseline trains a network, so all of them run on the CPU.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn import covariance, decomposition, ensemble, neighbors
from torch import Tensor

from omasgan.data.dataset import Spec
from omasgan.detectors.base import Detector
from omasgan.training.batches import Scaling
from omasgan.training.seeding import stream_seed
from omasgan.training.settings import Count, PositiveFraction
from omasgan.training.stage import Workspace

Rows = NDArray[np.float32]


class Baseline(Detector):
    """A detector on scaled and flattened samples.

    Its state is the training samples and the seed: after loading, it learns from them again.

    Parameters
    ----------
    spec, workspace
        See `Detector`.
    """

    def __init__(self, spec: Spec, workspace: Workspace) -> None:
        super().__init__(spec, workspace)
        self.seed = workspace.seed

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.train = train
        self.scaling = Scaling(train)
        self.learn(self._rows(train))

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`; one term, the score."""
        return {"score": torch.from_numpy(np.asarray(self.measure(self._rows(x)), dtype=np.float64))}

    @abstractmethod
    def learn(self, rows: Rows) -> None:
        """Learn from scaled training rows (n, k)."""

    @abstractmethod
    def measure(self, rows: Rows) -> NDArray[np.floating[Any]]:
        """The score of scaled rows (n, k), higher is more anomalous; (n,)."""

    def state_dict(self) -> dict[str, Any]:
        """See `Detector`."""
        return {"train": self.train, "seed": self.seed}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Detector`."""
        self.seed = state["seed"]
        self.fit(state["train"].cpu())

    def _rows(self, x: Tensor) -> Rows:
        return self.scaling(x.cpu()).flatten(1).numpy()


class NearestNeighbour(Baseline):
    """The mean Euclidean distance to the nearest training samples.

    Parameters
    ----------
    spec, workspace
        See `Detector`.
    neighbours
        Number of nearest samples; all of them where there are fewer.
    """

    def __init__(self, spec: Spec, workspace: Workspace, neighbours: Count = 1) -> None:
        super().__init__(spec, workspace)
        self.neighbours = neighbours

    def learn(self, rows: Rows) -> None:
        """See `Baseline`."""
        self.index = neighbors.NearestNeighbors(n_neighbors=min(self.neighbours, len(rows))).fit(rows)

    def measure(self, rows: Rows) -> NDArray[np.floating[Any]]:
        """See `Baseline`."""
        distances: NDArray[np.float64] = self.index.kneighbors(rows)[0]
        return np.asarray(distances.mean(axis=1))


class PCA(Baseline):
    """The reconstruction error of principal component analysis: the Euclidean length of the residual.

    Parameters
    ----------
    spec, workspace
        See `Detector`.
    variance
        Fraction of the training samples' variance that the components explain. At least one component is left out.
    """

    def __init__(self, spec: Spec, workspace: Workspace, variance: PositiveFraction = 0.95) -> None:
        super().__init__(spec, workspace)
        self.variance = variance

    def learn(self, rows: Rows) -> None:
        """See `Baseline`."""
        full = decomposition.PCA(svd_solver="covariance_eigh").fit(rows)
        held = int(np.searchsorted(np.cumsum(full.explained_variance_ratio_), self.variance)) + 1
        self.mean, self.components = full.mean_, full.components_[: min(held, rows.shape[1] - 1)]

    def measure(self, rows: Rows) -> NDArray[np.floating[Any]]:
        """See `Baseline`."""
        centred = rows - self.mean
        residual: NDArray[np.floating[Any]] = centred - centred @ self.components.T @ self.components
        return np.asarray(np.linalg.norm(residual, axis=1))


class Mahalanobis(Baseline):
    """The Mahalanobis distance to the mean of the training samples, with a shrunk covariance.

    References
    ----------
    Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices".
    """

    def learn(self, rows: Rows) -> None:
        """See `Baseline`."""
        self.estimate = covariance.LedoitWolf().fit(rows)

    def measure(self, rows: Rows) -> NDArray[np.floating[Any]]:
        """See `Baseline`."""
        squared: NDArray[np.floating[Any]] = self.estimate.mahalanobis(rows)
        return np.asarray(np.sqrt(squared.clip(min=0)))


class IsolationForest(Baseline):
    """An isolation forest: the fewer random splits isolate a sample, the higher is its score.

    Parameters
    ----------
    spec, workspace
        See `Detector`.
    trees
        Number of trees.

    References
    ----------
    Liu et al. 2008, "Isolation forest".
    """

    def __init__(self, spec: Spec, workspace: Workspace, trees: Count = 200) -> None:
        super().__init__(spec, workspace)
        self.trees = trees

    def learn(self, rows: Rows) -> None:
        """See `Baseline`."""
        seed = stream_seed(self.seed, "isolation_forest") % 2**32
        self.forest = ensemble.IsolationForest(n_estimators=self.trees, random_state=seed).fit(rows)

    def measure(self, rows: Rows) -> NDArray[np.floating[Any]]:
        """See `Baseline`."""
        normality: NDArray[np.floating[Any]] = self.forest.score_samples(rows)
        return -normality
