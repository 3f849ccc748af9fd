"""MinLGAN-style: a GAN whose generator avoids dense regions, scored by several discriminators of its training."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from omasgan.data.dataset import Spec
from omasgan.detectors.base import need_steps
from omasgan.detectors.fgan import FGAN
from omasgan.detectors.gan.density import KernelDensity
from omasgan.errors import UserError
from omasgan.method.divergences import Divergence
from omasgan.method.task1 import Additions
from omasgan.networks.base import Architecture
from omasgan.training.augmentation import Augmentation
from omasgan.training.settings import Budget, Count, NonNegative, Optimisation, PositiveFraction
from omasgan.training.stage import Stage, Workspace, frozen


class MinLGAN(FGAN):
    """An f-GAN whose generator also minimises the likelihood of its samples, scored by an ensemble of discriminators.

    G minimises the loss of Task 1 plus `likelihood` E_z[softplus(log p(G(z)))], where log p is the log density of the
    normal data, estimated by kernels at normal samples and standardised over others (see `KernelDensity`). Where G's
    samples are less likely than normal ones are, the term hardly acts. The terms are ensemble, the mean of -T(x) over
    the last K discriminators that were saved during the training, which is the detector's score; and discriminator,
    that of the last one alone, to which ensemble is equal for K = 1.

    Parameters
    ----------
    spec, workspace
        See `Detector`.
    divergence
        The f-divergence of Task 1.
    architecture
        The kind and size of the networks.
    augmentation
        The random change of each training sample.
    optimisation
        The optimiser, the gradient penalty and the running averages of weights. Saved discriminators differ little
        where the learning rates have fallen (`decay`).
    budget
        The networks train for `task1` steps of `batch` samples.
    likelihood
        Weight of the likelihood of generated samples.
    members
        K, the number of discriminators in the ensemble.
    window
        The fraction of the steps, at the end, over which they are spread evenly; the last one is that of the last step.
    kernels
        Largest number of normal samples at which kernels lie; half of the samples where there are fewer.

    Attributes
    ----------
    G, D
        The networks, frozen after `fit`.
    members
        The saved discriminators, the last of which is D.

    Raises
    ------
    UserError
        Where the augmentation is for images and the samples are rows, for a budget without steps, and for a single
        normal sample.

    Notes
    -----
    A reconstruction in the style of MinLGAN, whose full text and code were not at hand. Its abstract says that a
    minimum-likelihood regularisation makes the generator produce more anomalies and keeps it from converging to the
    normal data, and that an ensemble of anomaly scores stabilises the discriminator. It leaves open how likelihood is
    estimated, what is averaged, the networks and all settings. Decided here: a kernel density as the likelihood; its
    softplus, so that G is not driven to infinity in data without bounds; the mean of -T over discriminators of one
    training. K was not chosen by anomalies.

    References
    ----------
    Wang et al. 2018, "Anomaly detection via minimum likelihood generative adversarial networks", ICPR.
    """

    main_term = "ensemble"

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        divergence: Divergence,
        architecture: Architecture,
        augmentation: Augmentation,
        optimisation: Optimisation,
        budget: Budget,
        likelihood: NonNegative = 1.0,
        members: Count = 10,
        window: PositiveFraction = 0.5,
        kernels: Count = 2048,
    ) -> None:
        super().__init__(spec, workspace, divergence, architecture, augmentation, optimisation, budget)
        self.likelihood, self.window, self.kernels = likelihood, window, kernels
        self.members = nn.ModuleList(frozen(copy.deepcopy(self.D)) for _ in range(members))

    def check(self, n: int) -> None:
        """See `Detector`; the networks need at least one step of training, and the kernel density two samples."""
        super().check(n)
        need_steps("minlgan", task1=self.recipe.budget.task1)
        if n < 2:
            raise UserError("there is 1 normal sample, and the kernel density of minlgan needs 2: give more samples")

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.check(len(train))
        batches = self.batches(train, self.augmentation)
        additions = LowLikelihood(self.likelihood, self.density(train), self.members, self.saved_at())
        self.train_task1(batches, additions)

    def density(self, train: Tensor) -> KernelDensity:
        """The kernel density of the normal samples train (n, ...)."""
        M = min(self.kernels, len(train) // 2)
        x = self.scaling(self.some(train, 2 * M, "kernels").to(self.workspace.device))
        density = KernelDensity(M, self.spec.size).to(self.workspace.device)
        density.fit(x[:M], x[M:])
        return density

    def saved_at(self) -> list[int]:
        """The numbers of steps, in ascending order, after which the members are saved; the last is that of all."""
        steps, K = self.recipe.budget.task1, len(self.members)
        return [max(1, steps - round(self.window * steps * left / K)) for left in range(K - 1, -1, -1)]

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`; the terms are listed in the class's docstring."""
        each = [self.minus_T(member, x) for member in self.members]
        return {"ensemble": torch.stack(each).mean(dim=0), "discriminator": each[-1]}

    def networks(self) -> dict[str, nn.Module]:
        """The networks of the detector's state, by name."""
        return {**super().networks(), "members": self.members}


class LowLikelihood(Additions):
    """Adds the likelihood of generated samples to the loss of G, and saves D from time to time."""

    def __init__(self, weight: float, density: KernelDensity, members: nn.ModuleList, saved_at: list[int]) -> None:
        super().__init__()
        self.weight, self.density, self.members, self.saved_at = weight, density, members, saved_at
        self.networks = {"members": members}

    def of_G(self, g: Tensor, v_g: Tensor, stage: Stage) -> dict[str, Tensor]:
        """See `Additions`."""
        return {"likelihood": self.weight * softplus(self.density(g)).mean()}

    def after_step(self, G: nn.Module, D: nn.Module, step: int) -> None:
        """See `Additions`."""
        for member, at in zip(self.members, self.saved_at, strict=True):
            if at == step + 1:
                member.load_state_dict(D.state_dict())
