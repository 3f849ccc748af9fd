"""EGBAD: a BiGAN, whose encoder inverts its generator without a search."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.optim import Adam

from omasgan.data.dataset import Spec
from omasgan.detectors.base import Detector, lower_rate, need_steps
from omasgan.detectors.inverse.anogan import absolute_distances
from omasgan.networks.base import Architecture, Flat, Precise, features_and_output
from omasgan.training.augmentation import Augmentation
from omasgan.training.settings import Budget, Count, Decay, Fraction, Positive
from omasgan.training.stage import Stage, Workspace, average, descend, frozen

BETAS = (0.5, 0.999)
"""Adam's decay rates."""


class PairDiscriminator(nn.Module):
    """A discriminator of pairs (x, z).

    Parameters
    ----------
    branch
        A network from samples to (n, features).
    latent
        l, the length of z.
    features
        Number of features of each branch, and of the features before the last layer.
    """

    def __init__(self, branch: nn.Module, latent: int, features: int) -> None:
        super().__init__()
        self.x_branch = branch
        self.z_branch = nn.Linear(latent, features)
        self.joint = nn.Sequential(
            *(nn.LeakyReLU(0.1), nn.Linear(2 * features, features), nn.LeakyReLU(0.1), Precise(features, 1), Flat())
        )

    def forward(self, pair: tuple[Tensor, Tensor]) -> Tensor:
        """Samples (n, ...) and their z (n, l) to raw outputs v (n,)."""
        x, z = pair
        v: Tensor = self.joint(torch.cat([self.x_branch(x), self.z_branch(z)], dim=1))
        return v


class EGBAD(Detector):
    """Efficient GAN-based anomaly detection, a bidirectional GAN.

    D learns to tell the pairs (x, E(x)) from the pairs (G(z), z), and E and G learn to make them alike:

        loss_D = mean log(1 + exp -v(x, E(x))) + mean log(1 + exp v(G(z), z)),
        loss_E = mean log(1 + exp v(x, E(x))),   loss_G = mean log(1 + exp -v(G(z), z)).

    The terms are bigan = (1 - w) residual + w feature, the detector's score; residual = ||x - G(E(x))||_1; and
    feature = ||f(x, E(x)) - f(G(E(x)), E(x))||_1, with f the features of D before its last layer.

    Parameters
    ----------
    spec, workspace
        See `Detector`.
    architecture
        Its encoder is E and the branch of D for samples, its generator is G.
    augmentation
        The random change of each training sample.
    budget
        Trains for `task1` steps of `batch` samples.
    lr
        Adam's learning rate.
    features
        Number of features of D.
    feature_weight
        w.
    ema
        Decay of the running averages of all weights, which score.

    Attributes
    ----------
    E, G, D
        The networks with their averaged weights, frozen after `fit`.

    Raises
    ------
    UserError
        Where the augmentation does not suit the samples, or the budget has no steps.

    Notes
    -----
    A reproduction of the losses, the averages and the score. The published learning rate is 1e-5 for 100 epochs; ours
    is larger for the fewer steps of our budgets. The published L1 norms are sums, so that w depends on an image's size.

    References
    ----------
    Zenati et al. 2018, "Efficient GAN-based anomaly detection", arXiv 1802.06222; Donahue et al. 2017, "Adversarial
    feature learning", ICLR.
    """

    main_term = "bigan"

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        architecture: Architecture,
        augmentation: Augmentation,
        budget: Budget,
        lr: Positive = 2e-4,
        features: Count = 256,
        feature_weight: Fraction = 0.1,
        ema: Decay = 0.999,
    ) -> None:
        super().__init__(spec, workspace)
        self.augmentation, self.budget, self.latent = self.suitable(augmentation), budget, architecture.latent
        self.lr, self.w, self.ema = lr, feature_weight, ema
        latent = architecture.latent
        self.E = self.make("E", lambda shape: architecture.encoder(shape, latent))
        self.G = self.make("G", architecture.generator)
        self.D = self.make(
            "D", lambda shape: PairDiscriminator(architecture.encoder(shape, features), latent, features)
        )

    def check(self, n: int) -> None:
        """See `Detector`; the networks need at least one step of training."""
        super().check(n)
        need_steps("egbad", task1=self.budget.task1)

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.check(len(train))
        batches, n = self.batches(train, self.augmentation), self.budget.batch
        averages = {name: frozen(copy.deepcopy(network)) for name, network in self.networks().items()}
        adam_D = Adam(self.D.parameters(), self.lr, BETAS, fused=True)
        adam_EG = Adam([*self.E.parameters(), *self.G.parameters()], self.lr, BETAS, fused=True)
        networks = {**self.networks(), **{f"{name}_average": network for name, network in averages.items()}}
        optimisers = {"adam_D": adam_D, "adam_EG": adam_EG}
        remedy = lower_rate(self.lr)
        stage = Stage("bigan", self.budget.task1, self.workspace, networks, optimisers, remedy=remedy)
        for step in stage:
            x, z = batches.draw(n, stage.random), stage.latents(n, self.latent)
            self.D.requires_grad_(True)
            with self.workspace.autocast():
                e, g = self.E(x), self.G(z)
                v_x, v_g = self.D((x, e.detach())), self.D((g.detach(), z))
            loss_D = softplus(-v_x).mean() + softplus(v_g).mean()
            descend(loss_D, adam_D)

            self.D.requires_grad_(False)
            with self.workspace.autocast():
                v_x, v_g = self.D((x, e)), self.D((g, z))
            loss_E, loss_G = softplus(v_x).mean(), softplus(-v_g).mean()
            descend(loss_E + loss_G, adam_EG)
            for name, network in self.networks().items():
                average(averages[name], network, self.ema, step)
            if stage.due():
                stage.record({"loss/D": loss_D, "loss/E": loss_E, "loss/G": loss_G})
                stage.check_collapse(g)
        self.E, self.G, self.D = averages["E"], averages["G"], averages["D"]

    def compare(self, x: Tensor) -> Tensor:
        """The three terms of scaled samples; (n, 3), float32."""
        with self.workspace.autocast():
            e = self.E(x)
            g = self.G(e)
            f_x, f_g = (features_and_output(self.D, (part, e))[0].float() for part in (x, g))
        return absolute_distances(x, g.float(), f_x, f_g, self.w)

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`; the terms are listed in the class's docstring."""
        return dict(zip(("bigan", "residual", "feature"), self.outputs(self.compare, x).unbind(dim=1), strict=True))

    def generators(self) -> dict[str, nn.Module]:
        """See `Detector`."""
        return {"G": self.G}

    def networks(self) -> dict[str, nn.Module]:
        """The networks of the detector's state, by name."""
        return {"E": self.E, "G": self.G, "D": self.D}
