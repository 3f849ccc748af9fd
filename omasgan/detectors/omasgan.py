"""OMASGAN: Tasks 1 to 3, J and the anomaly score."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn

from omasgan.data.dataset import Spec
from omasgan.detectors.fgan import FGAN
from omasgan.errors import UserError
from omasgan.method import anomaly_discriminator, likelihood, score, task2, task3
from omasgan.method.divergences import Divergence
from omasgan.method.likelihood import Likelihood
from omasgan.method.neighbour_features import DENSITY_NEIGHBOURS, NeighbourFeatures, input_size
from omasgan.method.settings import Boundary, Inference, Retraining
from omasgan.networks.base import Architecture, features_and_output, without_spectral_norm
from omasgan.networks.blur import blurred
from omasgan.networks.latent_map import LatentMap
from omasgan.training.augmentation import Augmentation
from omasgan.training.batches import Batches
from omasgan.training.settings import Budget, Optimisation
from omasgan.training.stage import Workspace, frozen, trainable

CALIBRATION_SAMPLES = 10_000
"""Largest number of normal training samples by which the parts of the score and the features of J are standardised."""


class OMASGAN(FGAN):
    """The paper's detector: Tasks 1 to 3, the discriminator J, and the anomaly score.

    Its terms are task1 = -T_D(x), task3 = -T_C(x), j = J(x), divergence, which is f_D(G', delta_x) or by default a
    distance (`Inference.divergence_term`), and full, the standardised j plus lambda times the standardised divergence
    (eq. (8), see `method.score.total`). Where an embedding has columns that are anomaly scores by themselves, their sum
    is the term auxiliary; its standardised value is added to full with the weight `auxiliary_weight`. The paper has no
    such part.

    Parameters
    ----------
    spec, workspace
        See `Detector`.
    divergence
        The f-divergence of all tasks.
    architecture
        The kind and size of the networks.
    augmentation
        The random change of each training sample.
    optimisation
        The optimiser, the gradient penalty and the running averages of weights.
    budget
        The number of training steps of each stage, and the batch sizes.
    boundary
        The settings of Task 2.
    retraining
        The settings of Task 3.
    inference
        How J is trained, and how the score is computed.

    Attributes
    ----------
    G, D, B, G_new, C, J
        The paper's networks, frozen after `fit`; G_new is G', and C is the discriminator of Task 3.
    neighbour_features
        The memory bank, if J or the divergence term uses it; else None.
    likelihood
        The likelihood of a sample under G', if the divergence term uses it; else None.
    scales
        Mean and standard deviation of each part of the score over normal training samples.

    Raises
    ------
    UserError
        Where the settings do not fit the samples.

    Examples
    --------
    >>> import torch
    >>> from omasgan.method.divergences import KL
    >>> from omasgan.networks.mlp import MLP
    >>> from omasgan.training.augmentation import NoAugmentation
    >>> budget = Budget(task1=20, critic=20, task2=20, task3=20, j=20, batch=32)
    >>> training = (KL(), MLP(latent=2, width=32), NoAugmentation(), Optimisation(), budget)
    >>> detector = OMASGAN(Spec((2,)), Workspace(), *training, Boundary(N=32, Q=64), Retraining(), Inference())
    >>> detector.fit(torch.randn(200, 2, generator=torch.Generator().manual_seed(0)))
    >>> normal, abnormal = detector.score(torch.tensor([[0.0, 0.0], [9.0, 9.0]]))
    >>> bool(normal < abnormal)
    True
    """

    main_term = "full"

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
        retraining: Retraining,
        inference: Inference,
    ) -> None:
        super().__init__(spec, workspace, divergence, architecture, augmentation, optimisation, budget)
        self.boundary = boundary
        self.retraining = retraining
        self.inference = inference
        # A checkpoint is loaded into these networks; `fit` replaces them by copies of those that Task 1 trained.
        self.G_new, self.C = copy.deepcopy(self.G), copy.deepcopy(self.D)
        self.B = self.untrained_B()
        self.neighbour_features: NeighbourFeatures | None = None
        self.uses_neighbours = inference.j_features != "sample"
        self.features_alone = inference.j_features == "distances_and_density"
        self.needs_memory_bank = self.uses_neighbours or inference.divergence_term == "distance"
        if self.uses_neighbours and len(spec.shape) != 1:
            raise UserError(
                f"inference.j_features={inference.j_features} is for rows and embeddings: "
                "for images in pixels, set inference.j_features=sample"
            )
        if inference.auxiliary_weight > 0 and not spec.auxiliary:
            raise UserError(
                f"inference.auxiliary_weight is {inference.auxiliary_weight:g}, but no part of the representation "
                "gives auxiliary scores: add rotation_prediction to `representation`, or set the weight to 0"
            )
        given = (input_size(spec.shape[0], self.features_alone),) if self.uses_neighbours else spec.shape
        if max(boundary.blur, inference.blur) > 0 and not spec.is_image:
            raise UserError(
                f"boundary.blur is {boundary.blur:g} and inference.blur {inference.blur:g}: a blur needs "
                "images in pixels (representation=pixels): set both to 0"
            )
        if inference.negatives == "cut_paste" and not spec.is_image:
            raise UserError(
                "inference.negatives=cut_paste needs images in pixels (representation=pixels): choose boundary, noise "
                "or mixup"
            )
        self.likelihood: Likelihood | None = None
        if inference.divergence_term == "likelihood":
            # With spectral norm, which a discriminator has, an encoder could not spread its outputs as z spreads.
            E = self.make("E", lambda shape: without_spectral_norm(architecture.encoder(shape, 2 * self.latent)))
            self.likelihood = Likelihood(E).to(workspace.device)
        self.J = workspace.network("J", lambda: blurred(architecture.discriminator(given), inference.blur))

    def check(self, n: int) -> None:
        """See `Detector`; a memory bank needs more than `DENSITY_NEIGHBOURS` samples."""
        if self.needs_memory_bank and min(n, self.inference.memory_bank_size) <= DENSITY_NEIGHBOURS:
            raise UserError(
                f"the memory bank has {min(n, self.inference.memory_bank_size)} samples ({n} normal training samples, "
                f"inference.memory_bank_size={self.inference.memory_bank_size}) and needs more than "
                f"{DENSITY_NEIGHBOURS}: give more samples, or choose "
                "inference.j_features=sample and inference.divergence_term=variational"
            )

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.check(len(train))
        batches = self.batches(train, self.augmentation)
        self.train_task1(batches)
        self.train_task2(batches)
        self.train_task3(batches)
        if self.likelihood is not None:
            likelihood.train(self.likelihood, self.G_new, batches, self.recipe, self.workspace)
        normals = self.some(train, self.inference.memory_bank_size, "normals of J")
        self.train_J(normals)
        self.scales = score.scales(self.parts(normals[:CALIBRATION_SAMPLES], in_bank=True))

    def train_J(self, normals: Tensor) -> None:
        """Make the memory bank, if J or the divergence term uses it, and train J on normal samples (n, *spec.shape)."""
        batches = Batches(normals, self.scaling, self.workspace.device, self.augmentation)
        if self.needs_memory_bank:
            self.neighbour_features = self.make_memory_bank(batches)
        features = self.neighbour_features if self.uses_neighbours else None
        anomaly_discriminator.train(
            self.J, features, self.G_new, self.B, batches, self.inference, self.recipe, self.workspace
        )
        frozen(self.J)

    def make_memory_bank(self, batches: Batches) -> NeighbourFeatures:
        """The features of a memory bank of the samples in `batches`, or of as many samples of G'."""
        normals = batches.scaling(batches.x)
        real = self.inference.memory_bank == "real"
        bank = normals if real else self.drawn(self.G_new, len(normals), "memory bank")
        neighbour_features = NeighbourFeatures(bank, real, self.workspace.dtype, self.features_alone)
        neighbour_features.fit(normals[:CALIBRATION_SAMPLES])
        return neighbour_features

    def untrained_B(self) -> nn.Module:
        """A new B, which still gives the same samples as G."""
        G = copy.deepcopy(self.G)
        if self.boundary.generator == "latent_map":
            return self.workspace.network("h", lambda: LatentMap(G, self.latent))
        return G

    def train_task2(self, batches: Batches) -> None:
        """Run Task 2; afterwards B has its averaged weights and is frozen."""
        B = self.untrained_B()
        self.B = frozen(copy.deepcopy(B))
        if not self.boundary.trained:
            return
        start_fresh = self.boundary.critic_start == "fresh"
        C = self.make("C of Task 2", self.architecture.discriminator) if start_fresh else copy.deepcopy(self.D)
        C = blurred(C, self.boundary.blur)
        features = self.features_of_D if self.boundary.space == "features" else task2.as_they_are
        task2.train(
            trainable(B), trainable(C), self.B, self.G, batches, self.boundary, self.recipe, self.workspace, features
        )

    def features_of_D(self, x: Tensor) -> Tensor:
        """What the last layer of D is given for scaled samples x (n, ...); (n, k), float32."""
        with self.workspace.autocast():
            return features_and_output(self.D, x)[0].float()

    def train_task3(self, batches: Batches) -> None:
        """Run Task 3; afterwards G' has its averaged weights, and G' and C are frozen."""
        self.G_new, self.C = frozen(copy.deepcopy(self.G)), trainable(copy.deepcopy(self.D))
        if self.retraining.trained:
            G_new = trainable(copy.deepcopy(self.G))
            task3.train(
                G_new, self.C, self.G_new, self.G, self.B, batches, self.retraining, self.recipe, self.workspace
            )
        frozen(self.C)

    def parts(self, x: Tensor, in_bank: bool = False) -> dict[str, Tensor]:
        """The parts of the score of x before they are standardised, each (n,), float64; see `score.parts`."""
        v_J, v_C = partial(self.v, self.J), partial(self.v, self.C)
        minus_log_p = None if self.likelihood is None else partial(self.likelihood, G_new=self.G_new)
        settings = (v_J, v_C, self.inference, self.recipe.divergence, self.neighbour_features, in_bank, minus_log_p)
        both = self.outputs(lambda part: score.parts(part, *settings), x)
        parts = {"j": both[:, 0], "divergence": both[:, 1]}
        return {**parts, "auxiliary": x[:, self.spec.auxiliary].double().sum(dim=1)} if self.spec.auxiliary else parts

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`; the terms are listed in the class's docstring."""
        parts = self.parts(x)
        task3 = parts["divergence"]  # with divergence_term=variational, the divergence is -T_C(x) itself
        if self.inference.divergence_term != "variational":
            task3 = self.minus_T(self.C, x)
        return {
            **super().terms(x),
            "task3": task3,
            **parts,
            "full": score.total(parts, self.scales, self.inference),
        }

    def generators(self) -> dict[str, nn.Module]:
        """The generators by the paper's names."""
        return {"G": self.G, "B": self.B, "G'": self.G_new}

    def networks(self) -> dict[str, nn.Module]:
        """The networks of the detector's state, by name."""
        networks = {**super().networks(), "B": self.B, "G'": self.G_new, "C": self.C, "J": self.J}
        return networks if self.likelihood is None else {**networks, "likelihood": self.likelihood}

    def state_dict(self) -> dict[str, Any]:
        """See `Detector`."""
        scales = {name: list(scale) for name, scale in self.scales.items()}
        neighbour_features = None if self.neighbour_features is None else self.neighbour_features.state_dict()
        return {**super().state_dict(), "scales": scales, "neighbour_features": neighbour_features}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Detector`."""
        super().load_state_dict(state)
        self.scales = {name: (mean, deviation) for name, (mean, deviation) in state["scales"].items()}
        if state["neighbour_features"] is not None:
            real = self.inference.memory_bank == "real"
            self.neighbour_features = NeighbourFeatures.from_state_dict(
                state["neighbour_features"], real, self.workspace.dtype, self.features_alone
            )
