"""The base f-GAN alone: Task 1, with its discriminator as the score."""

from __future__ import annotations

import copy
from functools import partial

from torch import Tensor, nn

from omasgan.data.dataset import Spec
from omasgan.detectors.base import Detector
from omasgan.method import task1
from omasgan.method.divergences import Divergence
from omasgan.method.recipe import Recipe
from omasgan.networks.base import Architecture
from omasgan.training.augmentation import Augmentation
from omasgan.training.batches import Batches
from omasgan.training.settings import Budget, Optimisation
from omasgan.training.stage import Workspace, frozen


class FGAN(Detector):
    """The f-GAN of Task 1; its score is task1 = -T_D(x).

    Parameters
    ----------
    spec, workspace
        See `Detector`.
    divergence
        The f-divergence.
    architecture
        The kind and size of the networks.
    augmentation
        The random change of each training sample.
    optimisation
        The optimiser, the gradient penalty and the running averages of weights.
    budget
        The number of training steps of each stage, and the batch sizes.

    Attributes
    ----------
    G, D
        The networks. After `fit` they are frozen, and the weights of G are the running average of those in training.

    Raises
    ------
    UserError
        Where the augmentation is for images and the samples are rows.
    """

    main_term = "task1"

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        divergence: Divergence,
        architecture: Architecture,
        augmentation: Augmentation,
        optimisation: Optimisation,
        budget: Budget,
    ) -> None:
        super().__init__(spec, workspace)
        self.architecture = architecture
        self.augmentation = self.suitable(augmentation)
        self.latent = architecture.latent
        self.recipe = Recipe(architecture.latent, divergence, optimisation, budget)
        self.G = self.make("G", architecture.generator)
        self.D = self.make("D", architecture.discriminator)

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.train_task1(self.batches(train, self.augmentation))

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`; one term, task1 = -T_D(x)."""
        return {"task1": self.minus_T(self.D, x)}

    def generators(self) -> dict[str, nn.Module]:
        """The generators by the paper's names."""
        return {"G": self.G}

    def networks(self) -> dict[str, nn.Module]:
        """The networks of the detector's state, by name."""
        return {"G": self.G, "D": self.D}

    def train_task1(self, batches: Batches, additions: task1.Additions | None = None) -> None:
        """Run Task 1, with the additions to its losses; afterwards G has its averaged weights, G and D are frozen."""
        G_average = frozen(copy.deepcopy(self.G))
        task1.train(self.G, self.D, G_average, batches, self.recipe, self.workspace, additions)
        self.G = G_average
        frozen(self.D)

    def minus_T(self, network: nn.Module, x: Tensor) -> Tensor:
        """-T of a discriminator for samples in the units of the data; (n,), float64."""
        return -self.recipe.divergence.activation(self.outputs(partial(self.v, network), x))
