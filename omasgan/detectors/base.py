"""The contract that OMASGAN, every peer and every baseline obeys."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from omasgan.data.dataset import Spec
from omasgan.errors import UserError
from omasgan.training.stage import Workspace


class Detector(ABC):
    """Learns from normal samples alone and scores any sample by itself: higher is more anomalous.

    spec: the shape of a sample. workspace: device, seed, and where checkpoints and records go.
    """

    main_term: str = "score"
    """Which of `terms` is the detector's score."""

    def __init__(self, spec: Spec, workspace: Workspace) -> None:
        self.spec = spec
        self.workspace = workspace

    def check(self, n: int) -> None:
        """Raise UserError where n training samples are too few: before anything is learned from them."""
        if n < 1:
            raise UserError("there are no training normals: give some")

    @abstractmethod
    def fit(self, train: Tensor) -> None:
        """Learn from samples of the normal class: uint8 (n, C, H, W), or float32 rows (n, k).

        No label and no test sample reaches this method. Raises UserError where training diverges.
        """

    @abstractmethod
    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """Named raw scores of x (n, ...), each float64 (n,): no scaling that looks at the rest of the batch."""

    def score(self, x: Tensor) -> Tensor:
        """The anomaly score of x (n, ...); float64 (n,)."""
        return self.terms(x)[self.main_term]

    def samples(self, n: int) -> dict[str, Tensor]:
        """Of each of its generators, by the paper's names, n samples (n, *spec.shape) in the data's units; or none."""
        return {}

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """All that `fit` learned, as tensors and plain types."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what `state_dict` gave. Raises RuntimeError or KeyError where it does not fit."""
