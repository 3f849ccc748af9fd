"""Any detector, on the embeddings of a representation instead of the samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from omasgan.data.dataset import Spec
from omasgan.detectors.base import Detector
from omasgan.representations.base import Representation
from omasgan.representations.joined import Joined, Part
from omasgan.training.stage import Workspace


class Represented(Detector):
    """Learns a representation of the normal samples, then the detector on their embeddings.

    Parameters
    ----------
    spec, workspace
        See `Detector`.
    representation
        The parts of the representation by name: constructors that lack the spec of a sample and the workspace.
    detector
        The detector's constructor, which lacks the same two.
    """

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        representation: Mapping[str, Part],
        detector: Callable[[Spec, Workspace], Detector],
    ) -> None:
        super().__init__(spec, workspace)
        self.representation: Representation = Joined(spec, workspace, representation)
        self.detector = detector(self.representation.embedding, workspace)
        self.main_term = self.detector.main_term
        self.shares = False
        self.encoded: list[tuple[Tensor, Tensor]] = []

    def share(self, other: Represented) -> None:
        """Use the representation that another detector has learned with the same settings, and what it has encoded."""
        self.representation, self.encoded, self.shares = other.representation, other.encoded, True

    def encode(self, x: Tensor) -> Tensor:
        """The embeddings of samples; the last two sets (as a rule training and test) are kept."""
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
        if not self.shares:
            self.encoded = []
            self.representation.fit(train)
        self.detector.fit(self.encode(train))

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`: those of the detector."""
        return self.detector.terms(self.encode(x))

    def samples(self, n: int) -> dict[str, Tensor]:
        """See `Detector`: the generators' embeddings, decoded; none where there is no way back."""
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
