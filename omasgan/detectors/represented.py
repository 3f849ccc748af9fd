"""A detector that works on embeddings of the samples instead of the samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from torch import Tensor

from omasgan.data.dataset import Spec
from omasgan.detectors.base import Detector
from omasgan.detectors.patches import PatchDetector
from omasgan.representations.joined import Joined, Part
from omasgan.representations.patch_grid import PatchRepresentation
from omasgan.training.stage import Workspace


class Represented(Detector):
    """Fits a representation to the normal samples, and then another detector to their embeddings.

    With a representation of patches, the detector works on the embeddings of patches; see `PatchDetector`.

    Parameters
    ----------
    spec, workspace
        See `Detector`.
    representation
        The parts of the representation by name. (In Python: for each part, a function that makes it from a spec and a
        workspace.)
    detector
        The detector that works on the embeddings. (In Python: a function that makes it from the spec of an embedding
        and the workspace.)
    """

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        representation: Mapping[str, Part],
        detector: Callable[[Spec, Workspace], Detector],
    ) -> None:
        super().__init__(spec, workspace)
        self.representation = Joined(spec, workspace, representation)
        if (part := self._patches()) is not None:
            self.detector: Detector = PatchDetector(spec, workspace, part, detector)
        else:
            self.detector = detector(self.representation.embedding, workspace)
        self.main_term = self.detector.main_term
        self.borrows = False
        self.encoded: list[tuple[Tensor, Tensor]] = []

    def _patches(self) -> PatchRepresentation | None:
        """The representation of patches, if it is one; it is never joined with others."""
        parts = self.representation.parts.values()
        return next((part for part in parts if isinstance(part, PatchRepresentation)), None)

    def use_representation_of(self, other: Represented) -> None:
        """Use the representation and embeddings of `other`, which has the same settings, instead of learning them."""
        self.representation, self.encoded, self.borrows = other.representation, other.encoded, True
        if isinstance(self.detector, PatchDetector):
            self.detector.representation = cast(PatchDetector, other.detector).representation

    def encode(self, x: Tensor) -> Tensor:
        """The embeddings of samples, (n, *embedding.shape); those of the last two sets of samples are kept.

        For a representation of patches, the samples themselves: the embeddings of all patches need not fit into memory.
        """
        if isinstance(self.detector, PatchDetector):
            return x
        for samples, embeddings in self.encoded:
            if samples is x:
                return embeddings
        embeddings = self.representation.encode(x)
        self.encoded = [*self.encoded[-1:], (x, embeddings)]
        return embeddings

    def check(self, n: int) -> None:
        """See `Detector`."""
        self.detector.check(n)

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.check(len(train))
        if not self.borrows:
            self.encoded = []
            self.representation.fit(train)
        self.detector.fit(self.encode(train))

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`; the terms of the detector on the embeddings."""
        return self.detector.terms(self.encode(x))

    def maps(self, x: Tensor) -> Tensor | None:
        """See `Detector`."""
        return self.detector.maps(x)

    def samples(self, n: int) -> dict[str, Tensor]:
        """See `Detector`; decoded embeddings, and empty where the representation cannot decode."""
        decoded = {
            name: self.representation.decode(embeddings) for name, embeddings in self.detector.samples(n).items()
        }
        return {name: samples for name, samples in decoded.items() if samples is not None}

    def state_dict(self) -> dict[str, Any]:
        """See `Detector`."""
        return {"representation": self.representation.state_dict(), "detector": self.detector.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Detector`."""
        self.encoded = []
        self.representation.load_state_dict(state["representation"])
        self.detector.load_state_dict(state["detector"])
