"""ADAE: two autoencoders that are trained against each other."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import Adam

from omasgan.data.dataset import Spec
from omasgan.detectors.base import Detector, lower_rate, need_steps
from omasgan.networks.base import Architecture, autoencoder, named_parts
from omasgan.training.augmentation import Augmentation
from omasgan.training.settings import Budget, NonNegative, Positive
from omasgan.training.stage import Stage, Workspace, descend, frozen


class Balance(nn.Module):
    """The weight k of the second term in the loss of the discriminating autoencoder (BEGAN).

    After each step k moves by rate * (ratio * real - fake) and stays in [0, 1]: it falls where reconstructions of the
    other autoencoder are already bad. Without it, the loss has no lower bound. A module, so that checkpoints hold k.

    Parameters
    ----------
    ratio
        The wanted ratio of the error of reconstructions to the error of real samples.
    rate
        How fast k moves.

    Examples
    --------
    >>> balance = Balance(ratio=0.5, rate=0.1)
    >>> balance.move(torch.tensor(4.0), torch.tensor(1.0))
    >>> balance.k
    tensor(0.1000)
    """

    k: Tensor

    def __init__(self, ratio: float, rate: float) -> None:
        super().__init__()
        self.ratio, self.rate = ratio, rate
        self.register_buffer("k", torch.zeros(()))

    @torch.no_grad()
    def move(self, real: Tensor, fake: Tensor) -> None:
        """Move k after a step with these two errors."""
        self.k.add_(self.rate * (self.ratio * real - fake)).clamp_(0, 1)


class ADAE(Detector):
    """Adversarial dual autoencoders.

    The generating autoencoder G and the discriminating autoencoder D minimise

        loss_G = mean |x - G(x)| + mean |G(x) - D(G(x))|,
        loss_D = mean |x - D(x)| - k mean |G(x) - D(G(x))|.

    The one term is reconstruction = mean (x - D(G(x)))^2.

    Parameters
    ----------
    spec, workspace
        See `Detector`.
    architecture
        Its encoder and generator make each of the two autoencoders.
    augmentation
        The random change of each training sample.
    budget
        Trains for `task1` steps of `batch` samples.
    lr
        Adam's learning rate, which falls linearly to 0.
    ratio, rate
        How k is kept in balance; see `Balance`.

    Attributes
    ----------
    G, D
        The autoencoders, frozen after `fit`.

    Raises
    ------
    UserError
        Where the augmentation does not suit the samples, or the budget has no steps.

    Notes
    -----
    A "-style" reconstruction: losses and score are as published. In the published loss k is 1, and D can lower the loss
    without bound by making its second term large; how the authors prevent this is not known to us. We take k from
    BEGAN. The networks, the learning rate and its fall are ours.

    References
    ----------
    Vu et al. 2019, "Anomaly detection with adversarial dual autoencoders", arXiv 1902.06924; Berthelot et al. 2017,
    "BEGAN: boundary equilibrium generative adversarial networks", arXiv 1703.10717.
    """

    main_term = "reconstruction"

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        architecture: Architecture,
        augmentation: Augmentation,
        budget: Budget,
        lr: Positive = 1e-3,
        ratio: NonNegative = 0.5,
        rate: NonNegative = 1e-3,
    ) -> None:
        super().__init__(spec, workspace)
        self.augmentation = self.suitable(augmentation)
        self.budget, self.lr = budget, lr
        self.balance = Balance(ratio, rate)
        self.G, self.D = (self.make(name, partial(autoencoder, architecture)) for name in ("G", "D"))

    def check(self, n: int) -> None:
        """See `Detector`; the networks need at least one step of training."""
        super().check(n)
        need_steps("adae", task1=self.budget.task1)

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.check(len(train))
        batches = self.batches(train, self.augmentation)
        adam_G, adam_D = (Adam(network.parameters(), self.lr, fused=True) for network in (self.G, self.D))
        balance = {"balance": self.balance.to(self.workspace.device)}
        networks = {**balance, **named_parts("G", self.G), **named_parts("D", self.D)}
        remedy = lower_rate(self.lr)
        optimisers = {"adam_G": adam_G, "adam_D": adam_D}
        stage = Stage("adae", self.budget.task1, self.workspace, networks, optimisers, 1.0, remedy)
        for _ in stage:
            x = batches.draw(self.budget.batch, stage.random)
            self.D.requires_grad_(False)
            with self.workspace.autocast():
                y = self.G(x)
                y_again = self.D(y)
            loss_G = absolute(x, y) + absolute(y, y_again)
            descend(loss_G, adam_G)

            self.D.requires_grad_(True)
            y = y.detach()
            with self.workspace.autocast():
                x_again, y_again = self.D(x), self.D(y)
            real, fake = absolute(x, x_again), absolute(y, y_again)
            loss_D = real - self.balance.k * fake
            descend(loss_D, adam_D)
            self.balance.move(real, fake)
            if stage.due():
                stage.record({"loss/G": loss_G, "loss/D": loss_D, "error/real": real, "error/fake": fake})
        for network in self.networks().values():
            frozen(network)

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`; the term is in the class's docstring."""
        return {"reconstruction": self.outputs(self.error, x)}

    def error(self, x: Tensor) -> Tensor:
        """mean (x - D(G(x)))^2 of scaled samples; (n,), float64."""
        with self.workspace.autocast():
            y = self.D(self.G(x))
        error: Tensor = (x - y).double().square().flatten(1).mean(dim=1)
        return error

    def networks(self) -> dict[str, nn.Module]:
        """The networks of the detector's state, by name."""
        return {"G": self.G, "D": self.D}


def absolute(one: Tensor, other: Tensor) -> Tensor:
    """The mean absolute difference of two batches, in float32; scalar."""
    return (one.float() - other.float()).abs().mean()
