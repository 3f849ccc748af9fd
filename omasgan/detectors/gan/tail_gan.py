"""TailGAN-style: a GAN with a density and an entropy, and a second generator on the tail of that density."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from omasgan.data.dataset import Spec
from omasgan.detectors.base import need_frozen_critic, need_steps
from omasgan.detectors.fgan import FGAN
from omasgan.detectors.gan.density import KernelDensity, entropy
from omasgan.method import task2
from omasgan.method.divergences import Divergence
from omasgan.method.settings import Boundary
from omasgan.method.task1 import Additions
from omasgan.networks.base import Architecture
from omasgan.training.augmentation import Augmentation
from omasgan.training.batches import Batches
from omasgan.training.settings import Budget, Count, NonNegative, Optimisation
from omasgan.training.stage import Stage, Workspace, frozen, trainable


class TailGAN(FGAN):
    """An f-GAN with maximum entropy, a density of its samples, and a generator B on the tail of this density.

    G minimises the loss of Task 1 less `entropy` times the entropy of its samples (see `density.entropy`). p is the
    kernel density of samples of G, with the width under which normal samples are likeliest (see `KernelDensity`). B is
    trained by Task 2 with the standardised log p in place of the critic. The terms are density = -log p(x), which is
    the detector's score; tail = log p_B(x) - log p(x), where p_B is the density of as many samples of B; and task1, as
    of `FGAN`.

    Parameters
    ----------
    spec, workspace, divergence, architecture, augmentation, optimisation
        See `FGAN`.
    budget
        The GAN trains for `task1` steps and B for `task2` steps.
    boundary
        The settings of Task 2. Its critic is the density, which is frozen.
    entropy
        Weight of the entropy.
    kernels
        Number of samples of each generator at which kernels lie.

    Attributes
    ----------
    G, D, B
        The networks, frozen after `fit`.
    density, tail
        The densities p and p_B.

    Raises
    ------
    UserError
        As `FGAN`, for a budget without steps, and where `boundary.critic` is not frozen.

    Notes
    -----
    A reconstruction in the style of TailGAN, of which only the abstract was at hand: a GAN that has a density,
    maximum-entropy regularisation, and a second generator on the tail, with a loss of the family of eq. (3). The
    substitutes are ours: a kernel density of generated samples for the GAN's own density, and the nearest-neighbour
    estimate of the entropy. How the paper scores is not known to us.

    References
    ----------
    Dionelis et al. 2020, "Tail of distribution GAN (TailGAN): generative-adversarial-network-based boundary formation",
    SSPD.
    """

    main_term = "density"

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        divergence: Divergence,
        architecture: Architecture,
        augmentation: Augmentation,
        optimisation: Optimisation,
        budget: Budget,
        boundary: Boundary,
        entropy: NonNegative = 0.1,
        kernels: Count = 2048,
    ) -> None:
        super().__init__(spec, workspace, divergence, architecture, augmentation, optimisation, budget)
        need_frozen_critic("tail_gan", boundary, "density")
        self.boundary, self.entropy = boundary, entropy
        self.B = frozen(copy.deepcopy(self.G))
        self.density, self.tail = (KernelDensity(kernels, spec.size).to(workspace.device) for _ in range(2))

    def check(self, n: int) -> None:
        """See `Detector`; both generators need at least one step of training."""
        super().check(n)
        need_steps("tail_gan", task1=self.recipe.budget.task1, task2=self.recipe.budget.task2)

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.check(len(train))
        batches = self.batches(train, self.augmentation)
        self.train_task1(batches, MaximumEntropy(self.entropy))
        self.fit_density(train)
        self.train_boundary(batches)
        self.tail.load_state_dict(self.density.state_dict())  # the same width
        self.tail.means.copy_(self.drawn(self.B, len(self.tail.means), "kernels").flatten(1))

    def fit_density(self, train: Tensor) -> None:
        """Put kernels at samples of G, and set their width by normal samples of train (n, ...)."""
        M = len(self.density.means)
        x = self.scaling(self.some(train, M, "normals of the density").to(self.workspace.device))
        self.density.fit(self.drawn(self.G, M, "kernels").float(), x)
        frozen(self.density)

    def train_boundary(self, batches: Batches) -> None:
        """Run Task 2 with the density as the critic; afterwards B has its averaged weights and is frozen."""
        B = trainable(copy.deepcopy(self.G))
        self.B = frozen(copy.deepcopy(self.G))
        task2.train(B, self.density, self.B, self.G, batches, self.boundary, self.recipe, self.workspace)
        frozen(self.density)

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`; the terms are listed in the class's docstring."""
        log_p = self.outputs(lambda part: self.density.log_p(part.double()), x)
        log_tail = self.outputs(lambda part: self.tail.log_p(part.double()), x)
        return {"density": -log_p, "tail": log_tail - log_p, **super().terms(x)}

    def generators(self) -> dict[str, nn.Module]:
        """See `Detector`."""
        return {"G": self.G, "B": self.B}

    def networks(self) -> dict[str, nn.Module]:
        """The networks and densities of the detector's state, by name."""
        return {**super().networks(), "B": self.B, "density": self.density, "tail": self.tail}


class MaximumEntropy(Additions):
    """Subtracts the entropy of generated samples from the loss of G.

    Parameters
    ----------
    weight
        Weight of the entropy.
    """

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    def of_G(self, g: Tensor, v_g: Tensor, stage: Stage) -> dict[str, Tensor]:
        """See `Additions`."""
        return {"entropy": -self.weight * entropy(g)}
