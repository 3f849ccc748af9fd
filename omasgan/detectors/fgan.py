"""The base f-GAN alone: Task 1, with its discriminator as the score."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from omasgan.data.dataset import Spec
from omasgan.detectors.base import Detector
from omasgan.errors import UserError
from omasgan.method import task1
from omasgan.method.divergences import Divergence
from omasgan.method.recipe import Recipe
from omasgan.networks.base import Architecture
from omasgan.training.augmentation import Augmentation
from omasgan.training.batches import Batches, Scaling
from omasgan.training.seeding import stream
from omasgan.training.settings import Budget, Optimisation
from omasgan.training.stage import Workspace, frozen, in_batches


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
        if augmentation.images_only and not spec.is_image:
            raise UserError(
                f"augmentation {type(augmentation).__name__} is for images, the data are rows: use augmentation=none"
            )
        self.architecture = architecture
        self.augmentation = augmentation
        self.recipe = Recipe(architecture.latent, divergence, optimisation, budget)
        self.G = self.make("G", architecture.generator)
        self.D = self.make("D", architecture.discriminator)

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.train_task1(self.batches(train))

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`; one term, task1 = -T_D(x)."""
        return {"task1": self.minus_T(self.D, x)}

    def generators(self) -> dict[str, nn.Module]:
        """The generators by the paper's names."""
        return {"G": self.G}

    def samples(self, n: int) -> dict[str, Tensor]:
        """See `Detector`; the same samples at every call."""
        made = {name: self.drawn(generator.eval(), n, "samples") for name, generator in self.generators().items()}
        return {name: self.scaling.invert(x).cpu() for name, x in made.items()}

    def drawn(self, generator: nn.Module, n: int, name: str) -> Tensor:
        """Draw n samples of a generator from the random stream `name`; (n, *shape), scaled as for the networks."""
        random = stream(self.workspace.seed, name, self.workspace.device)
        z = torch.randn(n, self.architecture.latent, generator=random, device=self.workspace.device)
        return in_batches(generator, z)

    def state_dict(self) -> dict[str, Any]:
        """See `Detector`."""
        return {
            "scaling": self.scaling.state_dict(),
            "networks": {name: network.state_dict() for name, network in self.networks().items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Detector`."""
        self.scaling = Scaling.from_state_dict(state["scaling"]).to(self.workspace.device)
        for name, network in self.networks().items():
            network.load_state_dict(state["networks"][name])
            frozen(network)

    def networks(self) -> dict[str, nn.Module]:
        """The networks of the detector's state, by name."""
        return {"G": self.G, "D": self.D}

    def make(self, name: str, build: Callable[[tuple[int, ...]], nn.Module]) -> nn.Module:
        """A new network for the shape of a sample, with weights drawn from the random stream of its name."""
        return self.workspace.network(name, lambda: build(self.spec.shape))

    def batches(self, train: Tensor) -> Batches:
        """Set the scaling from the training samples, and move them to the device."""
        self.scaling = Scaling(train).to(self.workspace.device)
        return Batches(train, self.scaling, self.workspace.device, self.augmentation)

    def train_task1(self, batches: Batches) -> None:
        """Run Task 1; afterwards G has its averaged weights, and G and D are frozen."""
        G_average = frozen(copy.deepcopy(self.G))
        task1.train(self.G, self.D, G_average, batches, self.recipe, self.workspace)
        self.G = G_average
        frozen(self.D)

    def outputs(self, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """The values of a function of scaled samples, for x in the units of the data; (n, ...), float64, on the CPU."""
        device = self.workspace.device
        return in_batches(lambda part: function(self.scaling(part.to(device))).to("cpu", torch.float64), x)

    def minus_T(self, network: nn.Module, x: Tensor) -> Tensor:
        """-T of a discriminator for samples in the units of the data; (n,), float64."""
        return -self.recipe.divergence.activation(self.outputs(partial(self.v, network), x))

    def v(self, network: nn.Module, x: Tensor) -> Tensor:
        """The raw output of a discriminator for scaled samples, in the precision of training; (n,), float64."""
        with self.workspace.autocast():
            v: Tensor = network(x)
        return v.double()
