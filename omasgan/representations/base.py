"""The interface of a representation, and the one that leaves samples as they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from omasgan.data.dataset import Spec
from omasgan.errors import UserError
from omasgan.training.stage import Workspace


class Representation(ABC):
    """Maps samples to embeddings, and back where that is possible; learns from normal samples alone.

    Parameters
    ----------
    spec
        The shape of a sample.
    workspace
        Device, seed, and the folder of checkpoints and records.

    Attributes
    ----------
    embedding
        The shape of an embedding, and which of its columns are anomaly scores by themselves.
    """

    embedding: Spec

    def __init__(self, spec: Spec, workspace: Workspace) -> None:
        self.spec = spec
        self.workspace = workspace

    @abstractmethod
    def fit(self, train: Tensor) -> None:
        """Learn from samples of the normal class: uint8 (n, C, H, W), or float32 rows (n, k)."""

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """The embeddings (n, *embedding.shape) of samples (n, *spec.shape), on the CPU."""

    def decode(self, embeddings: Tensor) -> Tensor | None:
        """The samples, float32 (n, *spec.shape) in the data's units, that embeddings stand for.

        Parameters
        ----------
        embeddings
            (n, *embedding.shape).

        Returns
        -------
        Tensor or None
            None for a representation that cannot decode.
        """
        return None

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything that `fit` learned, as tensors and plain types."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""


def must_be_images(spec: Spec, what: str) -> None:
    """Raise UserError for rows; `what` names the thing that is possible with images only."""
    if not spec.is_image:
        raise UserError(f"{what} are for images, the data are rows: use representation=pixels, as experiment=rows does")


class Pixels(Representation):
    """The samples themselves, as in the paper.

    Parameters
    ----------
    spec, workspace
        See `Representation`.
    """

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
