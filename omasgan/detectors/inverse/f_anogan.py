"""f-AnoGAN: a Wasserstein GAN, and an encoder that inverts its generator."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import Adam

from omasgan.data.dataset import Spec
from omasgan.detectors.base import Detector, lower_rate, need_steps
from omasgan.networks.base import Architecture, features_and_output
from omasgan.training.augmentation import Augmentation
from omasgan.training.batches import Batches
from omasgan.training.settings import Budget, Count, NonNegative, Positive
from omasgan.training.stage import Stage, Workspace, descend, frozen

BETAS = (0.0, 0.9)
"""Adam's decay rates for the GAN."""


class FAnoGAN(Detector):
    """A Wasserstein GAN with gradient penalty and an encoder E, trained afterwards with

        mean (x - G(E(x)))^2 + kappa mean (f(x) - f(G(E(x))))^2,

    where f are the features of the critic D before its last layer. The terms are izi_f, this sum for a sample, which is
    the detector's score; and residual and feature, its two means.

    Parameters
    ----------
    spec, workspace
        See `Detector`.
    architecture
        Its generator is G, its discriminator D and its encoder E.
    augmentation
        The random change of each training sample.
    budget
        The GAN trains for `task1` steps of G and the encoder for `task3` steps, with `batch` samples.
    lr
        Adam's learning rate for G and D.
    lr_encoder
        Adam's learning rate for E.
    critic_steps
        Number of steps of D for each step of G.
    penalty
        Weight of the gradient penalty.
    kappa
        Weight of the features.

    Attributes
    ----------
    G, D, E
        The networks, frozen after `fit`.

    Raises
    ------
    UserError
        Where the augmentation does not suit the samples, or the budget has no steps.

    Notes
    -----
    A reproduction of the losses and the score. The published optimiser of the encoder is RMSprop; here it is Adam, as
    for all networks. D must not have batch norm: the penalty is on the gradient of each sample by itself.

    References
    ----------
    Schlegl et al. 2019, "f-AnoGAN: fast unsupervised anomaly detection with generative adversarial networks", Medical
    Image Analysis; Gulrajani et al. 2017, "Improved training of Wasserstein GANs", NeurIPS.
    """

    main_term = "izi_f"

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        architecture: Architecture,
        augmentation: Augmentation,
        budget: Budget,
        lr: Positive = 1e-4,
        lr_encoder: Positive = 5e-4,
        critic_steps: Count = 5,
        penalty: NonNegative = 10.0,
        kappa: NonNegative = 1.0,
    ) -> None:
        super().__init__(spec, workspace)
        self.augmentation, self.budget, self.latent = self.suitable(augmentation), budget, architecture.latent
        self.lr, self.lr_encoder, self.critic_steps = lr, lr_encoder, critic_steps
        self.penalty, self.kappa = penalty, kappa
        self.G = self.make("G", architecture.generator)
        self.D = self.make("D", architecture.discriminator)
        self.E = self.make("E", lambda shape: architecture.encoder(shape, architecture.latent))

    def check(self, n: int) -> None:
        """See `Detector`; the GAN and the encoder need at least one step of training."""
        super().check(n)
        need_steps("f_anogan", task1=self.budget.task1, task3=self.budget.task3)

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.check(len(train))
        batches = self.batches(train, self.augmentation)
        self.train_gan(batches)
        self.train_encoder(batches)

    def train_gan(self, batches: Batches) -> None:
        """Train G and D, which are frozen afterwards."""
        n = self.budget.batch
        adam_G, adam_D = (Adam(network.parameters(), self.lr, BETAS, fused=True) for network in (self.G, self.D))
        networks: dict[str, nn.Module] = {"G": self.G, "D": self.D}
        optimisers = {"adam_G": adam_G, "adam_D": adam_D}
        remedy = lower_rate(self.lr)
        stage = Stage("wgan", self.budget.task1, self.workspace, networks, optimisers, remedy=remedy)
        for _ in stage:
            self.D.requires_grad_(True)
            for _ in range(self.critic_steps):
                x = batches.draw(n, stage.random)
                mixing = torch.rand(n, *[1] * (x.dim() - 1), generator=stage.random, device=x.device)
                with self.workspace.autocast():
                    g = stage.sample(self.G, n, self.latent).float()
                    wasserstein = self.D(x).mean() - self.D(g).mean()
                loss_D = self.penalty * slope_penalty(self.D, g + mixing * (x - g)) - wasserstein
                descend(loss_D, adam_D)

            self.D.requires_grad_(False)
            with self.workspace.autocast():
                g = self.G(stage.latents(n, self.latent))
                loss_G = -self.D(g).mean()
            descend(loss_G, adam_G)
            if stage.due():
                stage.record({"loss/D": loss_D, "loss/G": loss_G, "divergence/wasserstein": wasserstein})
                stage.check_collapse(g)
        frozen(self.G)
        frozen(self.D)

    def train_encoder(self, batches: Batches) -> None:
        """Train E, which is frozen afterwards."""
        adam = Adam(self.E.parameters(), self.lr_encoder, fused=True)
        remedy = lower_rate(self.lr_encoder, "lr_encoder")
        stage = Stage("encoder", self.budget.task3, self.workspace, {"E": self.E}, {"adam": adam}, 1.0, remedy)
        for _ in stage:
            loss, residual, feature = self.compare(batches.draw(self.budget.batch, stage.random)).mean(dim=0)
            descend(loss, adam)
            if stage.due():
                stage.record({"loss/E": loss, "error/residual": residual, "error/feature": feature})
        frozen(self.E)

    def compare(self, x: Tensor) -> Tensor:
        """The three terms of scaled samples; (n, 3), float32."""
        with self.workspace.autocast():
            g = self.G(self.E(x))
            f_x, f_g = features_and_output(self.D, x)[0].float(), features_and_output(self.D, g)[0].float()
        residual = (x - g.float()).square().flatten(1).mean(dim=1)
        feature = (f_x - f_g).square().mean(dim=1)
        return torch.stack([residual + self.kappa * feature, residual, feature], dim=1)

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`; the terms are listed in the class's docstring."""
        return dict(zip(("izi_f", "residual", "feature"), self.outputs(self.compare, x).unbind(dim=1), strict=True))

    def generators(self) -> dict[str, nn.Module]:
        """See `Detector`."""
        return {"G": self.G}

    def networks(self) -> dict[str, nn.Module]:
        """The networks of the detector's state, by name."""
        return {"G": self.G, "D": self.D, "E": self.E}


def slope_penalty(D: nn.Module, x: Tensor) -> Tensor:
    """mean (||grad D(x)||_2 - 1)^2 at samples x (n, ...), which keeps D near a slope of 1; scalar."""
    x = x.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
    penalty: Tensor = (gradient.flatten(1).norm(dim=1) - 1).square().mean()
    return penalty
