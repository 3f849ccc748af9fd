"""The base class of the representations that train networks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.optim import Adam

from omasgan.data.dataset import Spec
from omasgan.representations.base import Representation
from omasgan.training.batches import Batches, Scaling
from omasgan.training.settings import Budget
from omasgan.training.stage import Stage, Workspace, descend, frozen, in_batches


class Learned(Representation):
    """A representation whose networks are trained together by gradient descent.

    Two detectors of one run that use the same representation train it once: the second one loads its checkpoint.

    Parameters
    ----------
    spec, workspace
        See `Representation`.
    budget
        Trains for `representation` steps with batches of `representation_batch` samples.
    lr
        Adam's learning rate, which falls linearly to 0.

    Attributes
    ----------
    stage
        The name of the training stage, its checkpoint and its random stream.
    """

    stage: ClassVar[str]

    def __init__(self, spec: Spec, workspace: Workspace, budget: Budget, lr: float) -> None:
        super().__init__(spec, workspace)
        self.budget, self.lr = budget, lr

    def fit(self, train: Tensor) -> None:
        """See `Representation`; raises UserError where a loss is not finite."""
        n, networks = min(self.budget.representation_batch, len(train)), self.networks()
        self.scaling = Scaling(train).to(self.workspace.device)
        batches = Batches(train, self.scaling, device=self.workspace.device)
        adam = Adam(nn.ModuleDict(networks).parameters(), self.lr, fused=True)
        stage = Stage(
            *(self.stage, self.budget.representation, self.workspace, networks, {"adam": adam}),
            decay=1.0,
            remedy=f"a representation's lr lower than {self.lr:g}",
        )
        for _ in stage:
            losses = self.losses(batches.draw(n, stage.random), stage)
            descend(losses["loss"], adam)
            if stage.due():
                stage.record({f"{self.stage}/{name}": value for name, value in losses.items()})
        for network in networks.values():
            frozen(network)

    @abstractmethod
    def networks(self) -> dict[str, nn.Module]:
        """All networks, by name."""

    @abstractmethod
    def losses(self, x: Tensor, stage: Stage) -> dict[str, Tensor]:
        """The losses of a batch of scaled samples (n, ...) by name: 'loss' is minimised, all are recorded; scalars."""

    @abstractmethod
    def embed(self, x: Tensor) -> Tensor:
        """The embeddings (n, k) of scaled samples (n, ...)."""

    def encode(self, x: Tensor) -> Tensor:
        """See `Representation`."""
        device = self.workspace.device

        def encode(part: Tensor) -> Tensor:
            with self.workspace.autocast():
                return self.embed(self.scaling(part.to(device))).float().cpu()

        return in_batches(encode, x)

    def state_dict(self) -> dict[str, Any]:
        """See `Representation`."""
        networks = {name: network.state_dict() for name, network in self.networks().items()}
        return {"scaling": self.scaling.state_dict(), "networks": networks}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Representation`."""
        self.scaling = Scaling.from_state_dict(state["scaling"]).to(self.workspace.device)
        for name, network in self.networks().items():
            network.load_state_dict(state["networks"][name])
            frozen(network)
