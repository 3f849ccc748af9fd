"""RumiGAN as a detector: a least-squares GAN that also learns what not to generate."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from omasgan.data.dataset import Spec
from omasgan.detectors.base import need_steps
from omasgan.detectors.fgan import FGAN
from omasgan.method.divergences import Divergence
from omasgan.method.task1 import Additions
from omasgan.networks.base import Architecture
from omasgan.training.augmentation import Augmentation
from omasgan.training.settings import Budget, Fraction, NonNegative, Optimisation, Positive
from omasgan.training.stage import Stage, Workspace, frozen

REMEDY = "lower optimisation.lr_generator and optimisation.lr_discriminator, or optimisation.r1=1"
"""What the error advises where training diverges."""


class LeastSquares(Divergence):
    """The losses of RumiGAN, without its negatives, as an f-divergence: f(u) = -4 alpha u / (1 + alpha u).

    D minimises alpha E_x[(D(x) - 1)^2] + E_z[(D(G(z)) + 1)^2], and G minimises E_z[(D(G(z)) - c)^2], where c is the
    value of the best D where the generated samples, the data and the negatives are distributed alike.

    Parameters
    ----------
    alpha
        alpha+, the weight of the data.
    alpha_minus
        alpha-, the weight of the negatives, which sets c.
    """

    def __init__(self, alpha: float, alpha_minus: float) -> None:
        self.alpha = alpha
        self.c = (alpha - alpha_minus - 1) / (alpha + alpha_minus + 1)

    def f(self, u: Tensor) -> Tensor:
        """See `Divergence`."""
        return -4 * self.alpha * u / (1 + self.alpha * u)

    def conjugate(self, t: Tensor) -> Tensor:
        """See `Divergence`."""
        return (2 - (-t / self.alpha).sqrt()).square()

    def activation(self, v: Tensor) -> Tensor:
        """See `Divergence`."""
        return -self.alpha * (v - 1).square()

    def conjugate_of_activation(self, v: Tensor) -> Tensor:
        """See `Divergence`."""
        return (v + 1).square()

    def generator(self, v: Tensor) -> Tensor:
        """(v - c)^2."""
        return (v - self.c).square()


class RumiGAN(FGAN):
    """A least-squares GAN with negatives; its one term is discriminator = -D(x).

    With x- the negatives,

        loss of D = alpha+ E[(D(x) - 1)^2] + alpha- E[(D(x-) + 1)^2] + E_z[(D(G(z)) + 1)^2]
        loss of G = E_z[(D(G(z)) - c)^2].

    If alpha+ - alpha- = 1, G is at its optimum where p_g = alpha+ p+ - alpha- p-, as far as this is a density.

    Parameters
    ----------
    spec, workspace
        See `Detector`.
    architecture
        The kind and size of the networks.
    augmentation
        The random change of each training sample.
    optimisation
        The optimiser, the gradient penalty and the running averages of weights.
    budget
        The networks train for `task1` steps of `batch` samples.
    alpha_plus, alpha_minus
        alpha+ and alpha-.
    early
        The negatives are samples that G made after this fraction of the steps; before that, samples of the untrained G.

    Attributes
    ----------
    G, D
        The networks, frozen after `fit`.

    Raises
    ------
    UserError
        Where the augmentation is for images and the samples are rows, and for a budget without steps.

    Notes
    -----
    A "-style" reconstruction as a detector: the paper generates images of chosen classes and avoids others, with labels
    for both; it scores no anomalies. There are no labels of negatives here, so that they are the samples of an early
    generator, which are like the data but not of it. The weights are those of the published code. Its labels are 2 for
    data, -2 for negatives, -0.5 for generated samples, and 2 for G; ours are derived from the stated optimum.

    References
    ----------
    Asokan & Seelamantula 2020, "Teaching a GAN what not to learn", NeurIPS.
    """

    main_term = "discriminator"

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        architecture: Architecture,
        augmentation: Augmentation,
        optimisation: Optimisation,
        budget: Budget,
        alpha_plus: Positive = 2.5,
        alpha_minus: NonNegative = 0.5,
        early: Fraction = 0.1,
    ) -> None:
        losses = LeastSquares(alpha_plus, alpha_minus)
        super().__init__(spec, workspace, losses, architecture, augmentation, optimisation, budget)
        self.alpha_minus, self.early = alpha_minus, early

    def check(self, n: int) -> None:
        """See `Detector`; the networks need at least one step of training."""
        super().check(n)
        need_steps("rumi_gan", task1=self.recipe.budget.task1)

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.check(len(train))
        at = round(self.early * self.recipe.budget.task1)
        negatives = EarlyNegatives(self.alpha_minus, frozen(copy.deepcopy(self.G)), self.latent, at)
        self.train_task1(self.batches(train, self.augmentation), negatives)

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`; one term, discriminator = -D(x)."""
        return {"discriminator": -self.outputs(lambda part: self.v(self.D, part), x)}


class EarlyNegatives(Additions):
    """Adds the negatives, samples of an early generator, to the loss of D.

    Parameters
    ----------
    weight
        alpha-.
    G_early
        The untrained generator, frozen; it takes over the weights of G after `at` steps.
    latent
        l, the length of z.
    at
        The number of steps after which G is early.
    """

    def __init__(self, weight: float, G_early: nn.Module, latent: int, at: int) -> None:
        super().__init__(REMEDY)
        self.weight, self.G_early, self.latent, self.at = weight, G_early, latent, at
        self.networks = {"G_early": G_early}

    def of_D(self, D: nn.Module, n: int, stage: Stage) -> dict[str, Tensor]:
        """See `Additions`."""
        v = D(stage.sample(self.G_early, n, self.latent))
        return {"negatives": self.weight * (v + 1).square().mean()}

    def after_step(self, G: nn.Module, D: nn.Module, step: int) -> None:
        """See `Additions`."""
        if step + 1 == self.at:
            self.G_early.load_state_dict(G.state_dict())
