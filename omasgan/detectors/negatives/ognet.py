"""OGNet, "old is gold": an old generator's bad reconstructions teach the discriminator what is abnormal."""

from __future__ import annotations

import copy
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.optim import Adam

from omasgan.data.dataset import Spec
from omasgan.detectors.base import Detector, lower_rate, need_steps
from omasgan.errors import UserError
from omasgan.networks.base import Architecture, autoencoder, named_parts
from omasgan.training.augmentation import Augmentation
from omasgan.training.batches import Batches
from omasgan.training.settings import Budget, Fraction, NonNegative, Positive
from omasgan.training.stage import Stage, Workspace, descend, frozen

BETAS = (0.5, 0.999)
"""Adam's decay rates."""


class OGNet(Detector):
    """An autoencoder G against a discriminator D, and a second phase in which D learns bad from good reconstructions.

    Phase one: D tells samples from reconstructions, and G minimises

        mean log(1 + exp -v(G(x))) + w mean (x - G(x))^2,

    where v is the raw output of D, high for samples. A copy G_old is kept from an early step. Phase two: G and G_old
    are frozen, and D minimises, with l(v) = log(1 + exp -v),

        alpha mean l(v(x)) + (1 - alpha) mean l(v(G(x)))
        + beta mean l(-v(G_old(x))) + (1 - beta) mean l(-v(G((G_old(x) + G_old(x')) / 2))),

    where x' is another sample of the batch. The one term is discriminator = -v(G(x)).

    Parameters
    ----------
    spec, workspace
        See `Detector`. The samples must be images.
    architecture
        Its encoder and generator make G, its discriminator D.
    augmentation
        The random change of each training sample.
    budget
        Phase one has `task1` steps and phase two `task3` steps, with `batch` samples.
    old
        After which fraction of phase one G_old is kept.
    reconstruction_weight
        w.
    alpha
        Weight of samples among what D learns as good in phase two.
    beta
        Weight of plain reconstructions of G_old among what D learns as bad in phase two.
    lr
        Adam's learning rate.

    Attributes
    ----------
    G, G_old, D
        The networks, frozen after `fit`.

    Raises
    ------
    UserError
        For rows, and where the budget has no steps.

    Notes
    -----
    A reproduction of both phases, as far as the paper tells. It leaves open which step is old, its key choice; ours is
    a fixed fraction of phase one. The published networks have convolutions of stride 1 on images of 45 x 45 pixels;
    ours are those of `architecture`. In the released code a high output of D is abnormal. Our w is that of GANomaly.

    References
    ----------
    Zaheer et al. 2020, "Old is gold: redefining the adversarially learned one-class classifier training paradigm",
    CVPR.
    """

    main_term = "discriminator"

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        architecture: Architecture,
        augmentation: Augmentation,
        budget: Budget,
        old: Fraction = 0.05,
        reconstruction_weight: NonNegative = 50.0,
        alpha: Fraction = 0.1,
        beta: Fraction = 0.001,
        lr: Positive = 2e-4,
    ) -> None:
        super().__init__(spec, workspace)
        if not spec.is_image:
            raise UserError(
                f"detector=ognet is for images, but gets rows of {spec.shape[0]} numbers (data or embeddings): for "
                "images use representation=pixels, for rows another detector, such as cvae_negatives"
            )
        self.augmentation, self.budget = self.suitable(augmentation), budget
        self.old, self.w, self.alpha, self.beta, self.lr = old, reconstruction_weight, alpha, beta, lr
        self.G = self.make("G", partial(autoencoder, architecture))
        self.G_old = frozen(copy.deepcopy(self.G))
        self.D = self.make("D", architecture.discriminator)

    def check(self, n: int) -> None:
        """See `Detector`; both phases need at least one step of training."""
        super().check(n)
        need_steps("ognet", task1=self.budget.task1, task3=self.budget.task3)

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.check(len(train))
        batches = self.batches(train, self.augmentation)
        self.train_both(batches)
        self.train_discriminator(batches)

    def train_both(self, batches: Batches) -> None:
        """Phase one; G and G_old are frozen afterwards."""
        adam_G, adam_D = (Adam(network.parameters(), self.lr, BETAS, fused=True) for network in (self.G, self.D))
        networks = {**named_parts("G", self.G), **named_parts("G_old", self.G_old), "D": self.D}
        optimisers, steps = {"adam_G": adam_G, "adam_D": adam_D}, self.budget.task1
        remedy = lower_rate(self.lr)
        stage = Stage("phase_one", steps, self.workspace, networks, optimisers, remedy=remedy)
        for step in stage:
            if step == int(self.old * steps):
                self.G_old.load_state_dict(self.G.state_dict())
            x = batches.draw(self.budget.batch, stage.random)
            self.D.requires_grad_(False)
            with self.workspace.autocast():
                y = self.G(x)
                v_y = self.D(y)
            error = (x - y.float()).square().mean()
            loss_G = softplus(-v_y).mean() + self.w * error
            descend(loss_G, adam_G)

            self.D.requires_grad_(True)
            with self.workspace.autocast():
                v_x, v_y = self.D(x), self.D(y.detach())
            loss_D = softplus(-v_x).mean() + softplus(v_y).mean()
            descend(loss_D, adam_D)
            if stage.due():
                stage.record({"loss/G": loss_G, "loss/D": loss_D, "error/reconstruction": error})
        frozen(self.G)
        frozen(self.G_old)

    def train_discriminator(self, batches: Batches) -> None:
        """Phase two; D is frozen afterwards."""
        adam = Adam(self.D.parameters(), self.lr, BETAS, fused=True)
        remedy = lower_rate(self.lr)
        stage = Stage("phase_two", self.budget.task3, self.workspace, {"D": self.D}, {"adam": adam}, remedy=remedy)
        for _ in stage:
            x = batches.draw(self.budget.batch, stage.random)
            with self.workspace.autocast():
                with torch.no_grad():
                    good, bad = self.G(x), self.G_old(x)
                    pseudo = self.G((bad + bad.roll(1, dims=0)) / 2)
                v_x, v_good, v_bad, v_pseudo = (self.D(part) for part in (x, good, bad, pseudo))
            normal = self.alpha * softplus(-v_x).mean() + (1 - self.alpha) * softplus(-v_good).mean()
            abnormal = self.beta * softplus(v_bad).mean() + (1 - self.beta) * softplus(v_pseudo).mean()
            descend(normal + abnormal, adam)
            if stage.due():
                stage.record({"loss/normal": normal, "loss/abnormal": abnormal})
        frozen(self.D)

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`; the term is in the class's docstring."""
        return {"discriminator": -self.outputs(lambda part: self.v(nn.Sequential(self.G, self.D), part), x)}

    def networks(self) -> dict[str, nn.Module]:
        """The networks of the detector's state, by name."""
        return {"G": self.G, "G_old": self.G_old, "D": self.D}
