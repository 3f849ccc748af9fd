"""The interface of all detectors: OMASGAN, f-GAN and the baselines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from omasgan.data.dataset import Spec
from omasgan.errors import UserError
from omasgan.training.stage import Workspace


class Detector(ABC):
    """An anomaly detector: it learns from normal samples alone, and scores each sample independently of all others.

    A higher score is more anomalous. Scores are raw numbers, neither scaled to a range nor compared within a batch.

    Parameters
    ----------
    spec
        The shape of a sample.
    workspace
        Device, seed, and where checkpoints and records go.

    Attributes
    ----------
    main_term
        The name of the term, among those of `terms`, that is the detector's score.

    Examples
    --------
    >>> import torch
    >>> from omasgan.detectors.baselines import NearestNeighbour
    >>> detector = NearestNeighbour(Spec((2,)), Workspace())
    >>> detector.fit(torch.tensor([[-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]]))
    >>> normal, abnormal = detector.score(torch.tensor([[0.0, 1.0], [9.0, 9.0]]))
    >>> bool(normal < abnormal)
    True
    """

    main_term: str = "score"

    def __init__(self, spec: Spec, workspace: Workspace) -> None:
        self.spec = spec
        self.workspace = workspace

    def check(self, n: int) -> None:
        """Check, before training, that n training samples are enough.

        Raises
        ------
        UserError
            Where they are too few.
        """
        if n < 1:
            raise UserError("there are no normal samples to train on: check the data set, or choose another class")

    @abstractmethod
    def fit(self, train: Tensor) -> None:
        """Learn from samples of the normal class; no label and no test sample reaches this method.

        Parameters
        ----------
        train
            Images (n, C, H, W), uint8, or rows (n, k), float32.

        Raises
        ------
        UserError
            Where there are too few samples, or training diverges.
        """

    @abstractmethod
    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """The named raw scores of samples, none of which depends on the rest of the batch.

        Parameters
        ----------
        x
            (n, ...), in the type and units of the training samples.

        Returns
        -------
        dict of str to Tensor
            Each (n,), float64, on the CPU; `main_term` is among the names.
        """

    def score(self, x: Tensor) -> Tensor:
        """The anomaly score of samples x (n, ...), higher is more anomalous; (n,), float64."""
        return self.terms(x)[self.main_term]

    def samples(self, n: int) -> dict[str, Tensor]:
        """Samples of the trained generators.

        Returns
        -------
        dict of str to Tensor
            n samples of each generator, (n, *spec.shape) in the units of the data, by the paper's name for it (G, B,
            G'); empty for a detector without generators.
        """
        return {}

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything that `fit` learned, as tensors and plain types."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave; the detector must have been built with the same settings.

        Raises
        ------
        RuntimeError, KeyError
            Where `state` does not fit this detector.
        """
