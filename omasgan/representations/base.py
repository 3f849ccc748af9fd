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
    """Maps samples to codes by themselves, and codes back to samples where it can; learns from normal samples alone.

    spec, workspace: as a detector's. `codes`: the shape of a sample's code.
    """

    codes: Spec

    def __init__(self, spec: Spec, workspace: Workspace) -> None:
        self.spec = spec
        self.workspace = workspace

    @abstractmethod
    def fit(self, train: Tensor) -> None:
        """Learn from samples of the normal class, (n, *spec.shape), as `Detector.fit`."""

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """The codes (n, *codes.shape) of samples (n, *spec.shape), on the CPU."""

    def decode(self, codes: Tensor) -> Tensor | None:
        """Samples (n, *spec.shape) in the data's units, float32, of codes; None where there is no way back."""
        return None

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """All that `fit` learned, as tensors and plain types."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what `state_dict` gave."""


def must_be_images(spec: Spec, what: str) -> None:
    """Raises UserError for rows; `what` is what images alone have."""
    if not spec.is_image:
        raise UserError(f"{what} are for images, the data are rows: use representation=pixels, as experiment=rows does")


class Pixels(Representation):
    """The samples as they are (the paper's)."""

    def __init__(self, spec: Spec, workspace: Workspace) -> None:
        super().__init__(spec, workspace)
        self.codes = spec

    def fit(self, train: Tensor) -> None:
        """See `Representation`; there is nothing to learn."""

    def encode(self, x: Tensor) -> Tensor:
        """See `Representation`."""
        return x

    def decode(self, codes: Tensor) -> Tensor:
        """See `Representation`."""
        return codes

    def state_dict(self) -> dict[str, Any]:
        """See `Representation`."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Representation`."""
