"""FenceGAN: a GAN whose generator surrounds the normal data, and whose discriminator is the score."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from omasgan.data.dataset import Spec
from omasgan.detectors.base import need_steps
from omasgan.detectors.fgan import FGAN
from omasgan.method.divergences import GAN, xlogy
from omasgan.method.losses import EPSILON, critic_loss
from omasgan.method.task1 import Additions
from omasgan.networks.base import Architecture
from omasgan.training.augmentation import Augmentation
from omasgan.training.batches import Batches
from omasgan.training.settings import Budget, NonNegative, Optimisation, Positive, PositiveFraction
from omasgan.training.stage import Stage, Workspace, adam, descend, gradient_norm

REMEDY = (
    "lower optimisation.lr_generator and optimisation.lr_discriminator, a smaller detector.beta, or optimisation.r1=1"
)
"""What the error advises where training diverges."""


class Fence(GAN):
    """The losses of FenceGAN as an f-divergence: f(u) = u log u - (u + gamma) log(u + gamma) + gamma log gamma.

    With D = sigmoid(v), D minimises -E_x[log D(x)] - gamma E_z[log(1 - D(G(z)))], and G the cross-entropy of D(G(z))
    and alpha, which is smallest where D = alpha.

    Parameters
    ----------
    alpha
        The value of D at which G keeps its samples, above 0 and at most 1; 1 is an ordinary GAN.
    gamma
        Weight of generated samples in the loss of D.

    Examples
    --------
    >>> v = torch.tensor([0.2, 0.5, 0.8]).logit()
    >>> Fence(alpha=0.5, gamma=0.1).generator(v).argmin()
    tensor(1)
    """

    def __init__(self, alpha: float, gamma: float) -> None:
        self.alpha, self.gamma = alpha, gamma
        self.threshold = -math.log(1 + gamma)

    def f(self, u: Tensor) -> Tensor:
        """See `Divergence`."""
        return xlogy(u, u) - (u + self.gamma) * torch.log(u + self.gamma) + self.gamma * math.log(self.gamma)

    def conjugate(self, t: Tensor) -> Tensor:
        """See `Divergence`."""
        return self.gamma * super().conjugate(t)

    def conjugate_of_activation(self, v: Tensor) -> Tensor:
        """See `Divergence`."""
        return self.gamma * super().conjugate_of_activation(v)

    def generator(self, v: Tensor) -> Tensor:
        """The cross-entropy of sigmoid(v) and alpha."""
        return softplus(v) - self.alpha * v


class FenceGAN(FGAN):
    """A GAN whose generator stays where D = alpha, round the normal data; its one term is discriminator = -log D(x).

    With D = sigmoid(v) and the binary cross-entropy BCE(p, t) = -t log p - (1 - t) log(1 - p),

        loss of D = E_x[BCE(D(x), 1)] + gamma E_z[BCE(D(G(z)), 0)]
        loss of G = E_z[BCE(D(G(z)), alpha)] + beta / spread,

    where spread is the mean distance of generated samples from their mean, see `dispersion`. D is first trained against
    the untrained G, and then in turns with G.

    Parameters
    ----------
    spec, workspace
        See `Detector`.
    architecture
        The kind and size of the networks.
    augmentation
        The random change of each training sample; the paper has none.
    optimisation
        The optimiser, the gradient penalty and the running averages of weights.
    budget
        D is first trained for `representation` steps of `representation_batch` samples, which may be 0, then G and D
        for `task1` steps of `batch` samples.
    alpha
        The value of D at which G keeps its samples; 1 gives the loss of an ordinary GAN.
    beta
        Weight of the dispersion of generated samples.
    gamma
        Weight of generated samples in the loss of D.

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
    A reproduction of the losses, with these decisions. The paper scores by -D(x); -log D(x) ranks samples alike, and
    does not round to the same number where D is near 1. In the paper, distances in the dispersion are in units of
    pixels, for which beta = 30 on MNIST; here they are divided by the square root of the number of values in a sample,
    so that one beta serves images of every size and rows: 30 becomes 30/28. The authors train D on samples that G makes
    with the running statistics of its batch norm, but G itself with those of the batch; here both steps use those of
    the batch, because D would otherwise learn the difference. They choose the epoch by labelled anomalies; here the
    last step counts. Their networks for MNIST have a layer of 1024 units behind the convolutions, and D has no
    normalisation; here `architecture` sets the networks.

    References
    ----------
    Ngo et al. 2019, "Fence GAN: towards better anomaly detection", ICTAI.
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
        alpha: PositiveFraction = 0.1,
        beta: NonNegative = 30 / 28,
        gamma: Positive = 0.1,
    ) -> None:
        fence = Fence(alpha, gamma)
        super().__init__(spec, workspace, fence, architecture, augmentation, optimisation, budget)
        self.beta = beta

    def check(self, n: int) -> None:
        """See `Detector`; the networks need at least one step of training."""
        super().check(n)
        need_steps("fence_gan", task1=self.recipe.budget.task1)

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.check(len(train))
        batches = self.batches(train, self.augmentation)
        self.pretrain(batches)
        self.train_task1(batches, Spread(self.beta))

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`; one term, discriminator = -log D(x)."""
        return {"discriminator": self.minus_T(self.D, x)}

    def pretrain(self, batches: Batches) -> None:
        """Train D against the untrained G."""
        G, D, optimisation, budget = self.G, self.D, self.recipe.optimisation, self.recipe.budget
        n, networks = budget.representation_batch, {"G": G, "D": D}  # G for the statistics of its batch norm
        adam_D = adam(D, optimisation.lr_discriminator, optimisation)
        stage = Stage("pretraining", budget.representation, self.workspace, networks, {"adam_D": adam_D}, remedy=REMEDY)
        for _ in stage:
            x = batches.draw(n, stage.random)
            with self.workspace.autocast():
                v_x, v_g = D(x), D(stage.sample(G, n, self.latent))
            loss = critic_loss(self.recipe.divergence, v_x, v_g)
            descend(loss, adam_D)
            if stage.due():
                stage.record({"loss/D": loss, "gradient norm/D": gradient_norm(D)})


class Spread(Additions):
    """Adds beta times the dispersion of generated samples to the loss of G."""

    def __init__(self, beta: float) -> None:
        super().__init__(REMEDY)
        self.beta = beta

    def of_G(self, g: Tensor, v_g: Tensor, stage: Stage) -> dict[str, Tensor]:
        """See `Additions`."""
        return {"dispersion": self.beta * dispersion(g)}


def dispersion(g: Tensor) -> Tensor:
    """1 / spread of samples g (n, ...) of k values: spread = mean_i || g_i - mean_j g_j ||_2 / sqrt(k); scalar.

    In spite of its name, it falls as the samples spread.

    Examples
    --------
    >>> g = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    >>> dispersion(g), dispersion(4 * g)
    (tensor(1.), tensor(0.2500))
    """
    rows = g.flatten(1).float()
    spread = torch.linalg.vector_norm(rows - rows.mean(dim=0), dim=1).mean() / math.sqrt(rows.shape[1])
    inverse: Tensor = 1 / spread.clamp_min(EPSILON)
    return inverse
