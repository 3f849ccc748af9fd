"""The contract of a representation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from omasgan.data.dataset import Spec
from omasgan.errors import UserError
from omasgan.training.stage import Workspace


class Representation(ABC):
    """Maps each sample to an embedding, and back where it can; learns from normal samples alone.

    Parameters
    ----------
    spec
        The shape of a sample.
    workspace
        Device, seed, and where checkpoints and records go.

    Attributes
    ----------
    embedding
        The shape of a sample's embedding, and which of its columns are anomaly scores by themselves.
    """

    embedding: Spec

    def __init__(self, spec: Spec, workspace: Workspace) -> None:
        self.spec = spec
        self.workspace = workspace

    @abstractmethod
    def fit(self, train: Tensor) -> None:
        """Learn from samples of the normal class, (n, *spec.shape), as `Detector.fit`."""

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """The embeddings (n, *embedding.shape) of samples (n, *spec.shape), on the CPU."""

    def decode(self, embeddings: Tensor) -> Tensor | None:
        """Samples (n, *spec.shape) in the data's units, float32, of embeddings; None where there is no way back."""
        return None

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """All that `fit` learned, as tensors and plain types."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what `state_dict` gave."""


def must_be_images(spec: Spec, what: str) -> None:
    """Raise UserError for rows; `what` names what only images have."""
    if not spec.is_image:
        raise UserError(f"{what} are for images, the data are rows: use representation=pixels, as experiment=rows does")


class Pixels(Representation):
    """The samples as they are (the paper's)."""

    def __init__(self, spec: Spec, workspace: Workspace) -> None:
        super().__init__(spec, workspace)
        self.embedding = spec

    def fit(self, train: Tensor) -> None:
        """See `Representation`; there is nothing to learn."""

    def encode(self, x: Tensor) -> Tensor:
        """See `Representation`."""
        return x

    def decode(self, embeddings: Tensor) -> Tensor:
        """See `Representation`."""
        return embeddings

    def state_dict(self) -> dict[str, Any]:
        """See `Representation`."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Representation`."""
