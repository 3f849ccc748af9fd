"""Any detector, on the codes of a representation instead of the samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from omasgan.data.dataset import Spec
from omasgan.detectors.base import Detector
from omasgan.representations.base import Representation
from omasgan.training.stage import Workspace


class Represented(Detector):
    """Learns a representation of the normal samples, then the detector on their codes.

    representation, detector: constructors that lack the shape of a sample and the workspace.
    """

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        representation: Callable[[Spec, Workspace], Representation],
        detector: Callable[[Spec, Workspace], Detector],
    ) -> None:
        super().__init__(spec, workspace)
        self.representation = representation(spec, workspace)
        self.detector = detector(self.representation.codes, workspace)
        self.main_term = self.detector.main_term
        self.shares = False
        self.encoded: list[tuple[Tensor, Tensor]] = []

    def share(self, other: Represented) -> None:
        """Take the representation that another detector has learned, of the same settings, and what it encoded."""
        self.representation, self.encoded, self.shares = other.representation, other.encoded, True

    def encode(self, x: Tensor) -> Tensor:
        """The codes of samples; those of the last two sets, trained and tested on as a rule, are remembered."""
        for samples, codes in self.encoded:
            if samples is x:
                return codes
        codes = self.representation.encode(x)
        self.encoded = [*self.encoded[-1:], (x, codes)]
        return codes

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
        """See `Detector`: the generators' codes, decoded; none where there is no way back."""
        decoded = {name: self.representation.decode(codes) for name, codes in self.detector.samples(n).items()}
        return {name: samples for name, samples in decoded.items() if samples is not None}

    def state_dict(self) -> dict[str, Any]:
        """See `Detector`."""
        return {"representation": self.representation.state_dict(), "detector": self.detector.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Detector`."""
        self.encoded = []
        self.representation.load_state_dict(state["representation"])
        self.detector.load_state_dict(state["detector"])
