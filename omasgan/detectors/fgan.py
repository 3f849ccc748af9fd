"""The base f-GAN alone: Task 1, scored by its discriminator."""

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
    """G and D of eq. (1)-(2); the score is -T_D(x)."""

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
        """See `Detector`: task1 = -T_D(x)."""
        return {"task1": self.minus_T(self.D, x)}

    def generators(self) -> dict[str, nn.Module]:
        """The trained generators by the paper's names."""
        return {"G": self.G}

    def samples(self, n: int) -> dict[str, Tensor]:
        """See `Detector`; always the same ones."""
        made = {name: self.drawn(generator.eval(), n, "samples") for name, generator in self.generators().items()}
        return {name: self.scaling.invert(x).cpu() for name, x in made.items()}

    def drawn(self, generator: nn.Module, n: int, name: str) -> Tensor:
        """N samples of a generator in the networks' range, from the stream of that name; (n, *shape)."""
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
        """All networks that the detector keeps."""
        return {"G": self.G, "D": self.D}

    def make(self, name: str, build: Callable[[tuple[int, ...]], nn.Module]) -> nn.Module:
        """A fresh network for the data's shape, its weights drawn from a stream of its own."""
        return self.workspace.network(name, lambda: build(self.spec.shape))

    def batches(self, train: Tensor) -> Batches:
        """The training samples on the device; fixes the scaling."""
        self.scaling = Scaling(train).to(self.workspace.device)
        return Batches(train, self.scaling, self.workspace.device, self.augmentation)

    def train_task1(self, batches: Batches) -> None:
        """Task 1: afterwards G is the averaged generator, and G and D are frozen."""
        G_average = frozen(copy.deepcopy(self.G))
        task1.train(self.G, self.D, G_average, batches, self.recipe, self.workspace)
        self.G = G_average
        frozen(self.D)

    def outputs(self, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """What a function of scaled samples gives for samples in the data's units; float64 (n, ...)."""
        device = self.workspace.device
        return in_batches(lambda part: function(self.scaling(part.to(device))).to("cpu", torch.float64), x)

    def minus_T(self, network: nn.Module, x: Tensor) -> Tensor:
        """-T of a discriminator for samples in the data's units; float64 (n,)."""
        return -self.recipe.divergence.activation(self.outputs(partial(self.v, network), x))

    def v(self, network: nn.Module, x: Tensor) -> Tensor:
        """The raw output of a discriminator for scaled samples, in the arithmetic that it learned in; float64 (n,)."""
        with self.workspace.autocast():
            v: Tensor = network(x)
        return v.double()
