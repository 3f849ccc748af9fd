"""Several representations side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from omasgan.data.dataset import Spec
from omasgan.representations.base import Representation
from omasgan.training.stage import Workspace

Part = Callable[[Spec, Workspace], Representation]
"""A representation's constructor that lacks the shape of a sample and the workspace."""


class SideBySide(Representation):
    """A code is the parts' codes one after the other, (k + l + ...,); each part is learned by itself.

    What draws a sample from a code is the first part that can.
    """

    def __init__(self, spec: Spec, workspace: Workspace, **parts: Part) -> None:
        super().__init__(spec, workspace)
        self.parts = {name: part(spec, workspace) for name, part in parts.items()}
        self.lengths = [part.codes.shape[0] for part in self.parts.values()]
        doubts: list[int] = []
        for place, part in zip(accumulate(self.lengths, initial=0), self.parts.values(), strict=False):
            doubts += [place + number for number in part.codes.doubts]
        self.codes = Spec((sum(self.lengths),), tuple(doubts))

    def fit(self, train: Tensor) -> None:
        """See `Representation`."""
        for part in self.parts.values():
            part.fit(train)

    def encode(self, x: Tensor) -> Tensor:
        """See `Representation`."""
        return torch.cat([part.encode(x) for part in self.parts.values()], dim=1)

    def decode(self, codes: Tensor) -> Tensor | None:
        """See `Representation`."""
        for part, own in zip(self.parts.values(), torch.split(codes, self.lengths, dim=1), strict=True):
            decoded = part.decode(own)
            if decoded is not None:
                return decoded
        return None

    def state_dict(self) -> dict[str, Any]:
        """See `Representation`."""
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Representation`."""
        for name, part in self.parts.items():
            part.load_state_dict(state[name])


class Joint(SideBySide):
    """A contrastive code, what an image shows, beside an autoencoder's, how it looks.

    The first tells what views don't change, the second what they do: a shoe cut to a part may be any shoe.
    """

    def __init__(self, spec: Spec, workspace: Workspace, contrastive: Part, autoencoder: Part) -> None:
        super().__init__(spec, workspace, contrastive=contrastive, autoencoder=autoencoder)


class Photographs(SideBySide):
    """Which patches an image is made of, beside its principal components: its colours, and how they lie."""

    def __init__(self, spec: Spec, workspace: Workspace, patches: Part, principal: Part) -> None:
        super().__init__(spec, workspace, patches=patches, principal=principal)


class TurnedPhotographs(SideBySide):
    """Codes of photographs beside how unsurely their turns are told: they show a whole thing, and which way is up."""

    def __init__(self, spec: Spec, workspace: Workspace, patches: Part, principal: Part, turns: Part) -> None:
        super().__init__(spec, workspace, patches=patches, principal=principal, turns=turns)


class PatchesAutoencoder(SideBySide):
    """Which patches an image is made of, beside an autoencoder's code: what it shows, and how it looks."""

    def __init__(self, spec: Spec, workspace: Workspace, patches: Part, autoencoder: Part) -> None:
        super().__init__(spec, workspace, patches=patches, autoencoder=autoencoder)
