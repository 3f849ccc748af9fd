"""Two kinds of codes side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from omasgan.data.dataset import Spec
from omasgan.representations.base import Representation
from omasgan.stages.stage import Workspace


class Joint(Representation):
    """A contrastive code, what an image shows, beside an autoencoder's, how it looks; (k + l,).

    The first tells what views don't change, the second what they do: a shoe cut to a part may be any shoe. Each is
    learned by itself. contrastive, autoencoder: constructors that lack the shape of a sample and the workspace.
    """

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        contrastive: Callable[[Spec, Workspace], Representation],
        autoencoder: Callable[[Spec, Workspace], Representation],
    ) -> None:
        super().__init__(spec, workspace)
        self.contrastive = contrastive(spec, workspace)
        self.autoencoder = autoencoder(spec, workspace)
        self.codes = Spec((self.contrastive.codes.shape[0] + self.autoencoder.codes.shape[0],))

    def fit(self, train: Tensor) -> None:
        """See `Representation`."""
        self.contrastive.fit(train)
        self.autoencoder.fit(train)

    def encode(self, x: Tensor) -> Tensor:
        """See `Representation`."""
        return torch.cat([self.contrastive.encode(x), self.autoencoder.encode(x)], dim=1)

    def decode(self, codes: Tensor) -> Tensor | None:
        """See `Representation`: the autoencoder's part draws the sample."""
        return self.autoencoder.decode(codes[:, self.contrastive.codes.shape[0] :])

    def state_dict(self) -> dict[str, Any]:
        """See `Representation`."""
        return {"contrastive": self.contrastive.state_dict(), "autoencoder": self.autoencoder.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Representation`."""
        self.contrastive.load_state_dict(state["contrastive"])
        self.autoencoder.load_state_dict(state["autoencoder"])
