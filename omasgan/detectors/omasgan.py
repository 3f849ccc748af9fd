"""OMASGAN: the four stages in a row, and the score of eq. (8)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from omasgan.data.dataset import Spec
from omasgan.detectors.fgan import FGAN
from omasgan.errors import UserError
from omasgan.method import anomaly_discriminator, task2, task3
from omasgan.method.divergences import Divergence
from omasgan.method.memory_bank import RANKS, SPACED, Sight
from omasgan.method.settings import Boundary, Inference, Retraining
from omasgan.networks.base import Architecture
from omasgan.training.augmentation import Augmentation
from omasgan.training.batches import Batches
from omasgan.training.seeding import stream
from omasgan.training.settings import Budget, Optimisation
from omasgan.training.stage import Workspace, frozen

CALIBRATION_SAMPLES = 10_000
"""Training normals, at most, that fix the scale of the two parts of the score."""


class OMASGAN(FGAN):
    """Tasks 1 to 3 and J; terms: task1 = -T_D, task3 = -T_C, j = J, divergence = f_D(G', delta_x), full = eq. (8).

    Where a row's numbers hold doubts, see `Spec`, their sum is a term, too, and may enter `full`, which is ours.
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
        # What a checkpoint is loaded into; `fit` replaces all but J by copies of what Task 1 trained.
        self.B, self.G_new, self.C = (copy.deepcopy(network) for network in (self.G, self.G, self.D))
        self.sight: Sight | None = None
        self.sighted = inference.j_sees == "distances"
        self.measures = self.sighted or inference.divergence_term == "distance"
        if self.sighted and len(spec.shape) != 1:
            raise UserError("inference.j_sees=distances is for rows and codes: for images in pixels use sample")
        if inference.doubt > 0 and not spec.doubts:
            raise UserError(
                f"inference.doubt is {inference.doubt:g}, but the representation's codes hold no doubts: "
                "use representation=turned_photographs, or set it to 0"
            )
        seen = (spec.shape[0] + len(RANKS),) if self.sighted else spec.shape
        self.J = workspace.network("J", lambda: architecture.discriminator(seen))

    def check(self, n: int) -> None:
        """See `Detector`: where distances count, the bank needs more samples than their spacing is measured by."""
        if self.measures and min(n, self.inference.bank_size) <= SPACED:
            raise UserError(
                f"there are {n} training normals, of which inference.bank_size takes {self.inference.bank_size} at "
                f"most: distances to them need more than {SPACED}; give more samples, or choose "
                "inference.j_sees=sample and inference.divergence_term=variational"
            )

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.check(len(train))
        batches = self.batches(train)
        self.train_task1(batches)
        self.train_task2(batches)
        self.train_task3(batches)
        chosen = torch.randperm(len(train), generator=stream(self.workspace.seed, "normals of J", torch.device("cpu")))
        normals = train[chosen[: self.inference.bank_size]]
        self.train_J(normals)
        self.calibrate(normals[:CALIBRATION_SAMPLES])

    def train_J(self, normals: Tensor) -> None:
        """J; and before it, where it or the divergence term measures distances, the bank of normal samples."""
        batches = Batches(normals, self.scaling, self.workspace.device, self.augmentation)
        if self.measures:
            self.sight = self.look_at(batches)
        sees = self.sight if self.sighted else None
        anomaly_discriminator.train(
            self.J, sees, self.G_new, self.B, batches, self.inference, self.recipe, self.workspace
        )
        frozen(self.J)

    def look_at(self, batches: Batches) -> Sight:
        """The bank, of the samples in `batches` or of as many of G', and the unit of distances to it."""
        normals = batches.scaling(batches.x)
        real = self.inference.bank == "real"
        bank = normals if real else self.drawn(self.G_new, len(normals), "bank")
        sight = Sight(bank, real, self.workspace.dtype)
        sight.fit(normals[:CALIBRATION_SAMPLES])
        return sight

    def train_task2(self, batches: Batches) -> None:
        """Task 2: afterwards B is the averaged boundary generator, frozen."""
        self.B = frozen(copy.deepcopy(self.G))
        if not self.boundary.trained:
            return
        B = trainable(copy.deepcopy(self.G))
        start_fresh = self.boundary.critic_start == "fresh"
        C = self.make("C of Task 2", self.architecture.discriminator) if start_fresh else copy.deepcopy(self.D)
        task2.train(B, trainable(C), self.B, self.G, batches, self.boundary, self.recipe, self.workspace)

    def train_task3(self, batches: Batches) -> None:
        """Task 3: afterwards G' is the averaged retrained generator, and G' and C are frozen."""
        self.G_new, self.C = frozen(copy.deepcopy(self.G)), trainable(copy.deepcopy(self.D))
        if self.retraining.trained:
            G_new = trainable(copy.deepcopy(self.G))
            task3.train(
                G_new, self.C, self.G_new, self.G, self.B, batches, self.retraining, self.recipe, self.workspace
            )
        frozen(self.C)

    def calibrate(self, normals: Tensor) -> None:
        """Fix mean and deviation of the score's parts over training normals, so that its weights mean something."""
        parts = self.parts(normals, of_bank=True)
        self.scales = {name: (float(part.mean()), float(part.std())) for name, part in parts.items()}

    def parts(self, x: Tensor, of_bank: bool = False) -> dict[str, Tensor]:
        """The parts of the score before they are put on one scale, each float64 (n,). of_bank: see `Sight`."""
        both = self.outputs(lambda part: self.both_parts(part, of_bank), x)
        parts = {"j": both[:, 0], "divergence": both[:, 1]}
        return {**parts, "doubt": x[:, self.spec.doubts].double().sum(dim=1)} if self.spec.doubts else parts

    def both_parts(self, x: Tensor, of_bank: bool) -> Tensor:
        """J's output for scaled samples x (n, ...), and f_D(G', delta_x) in the chosen reading; (n, 2)."""
        inference, divergence = self.inference, self.recipe.divergence
        seen, there = x, None
        if self.sight is not None:
            there = self.sight.around(x, of_bank)
            seen = self.sight.beside(x, there) if self.sighted else x
        v_J = self.v(self.J, seen)
        if there is not None and inference.divergence_term == "distance":
            term = there.term(inference.neighbours, inference.locality)
        elif inference.divergence_term == "conjugate":
            term = -divergence.conjugate_of_activation(self.v(self.C, x))
        else:
            term = -divergence.activation(self.v(self.C, x))
        return torch.stack([v_J.sigmoid() if inference.j_scale == "probability" else v_J, term], dim=1)

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector` and this class."""
        parts = self.parts(x)
        weights = {"j": 1.0, "divergence": self.inference.lambda_, "doubt": self.inference.doubt}
        full = torch.zeros(len(x), dtype=torch.float64)
        for name, (mean, deviation) in self.scales.items():
            full += weights[name] * (parts[name] - mean) / max(deviation, TINY)
        task3 = parts["divergence"]  # which in the paper's reading is what C says of x
        if self.inference.divergence_term != "variational":
            task3 = self.minus_T(self.C, x)
        return {
            **super().terms(x),
            "task3": task3,
            **parts,
            "full": full,
        }

    def generators(self) -> dict[str, nn.Module]:
        """The trained generators by the paper's names."""
        return {"G": self.G, "B": self.B, "G'": self.G_new}

    def networks(self) -> dict[str, nn.Module]:
        """All networks that the detector keeps."""
        return {**super().networks(), "B": self.B, "G'": self.G_new, "C": self.C, "J": self.J}

    def state_dict(self) -> dict[str, Any]:
        """See `Detector`."""
        scales = {name: list(scale) for name, scale in self.scales.items()}
        sight = None if self.sight is None else self.sight.state_dict()
        return {**super().state_dict(), "scales": scales, "sight": sight}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Detector`."""
        super().load_state_dict(state)
        self.scales = {name: (mean, deviation) for name, (mean, deviation) in state["scales"].items()}
        if state["sight"] is not None:
            self.sight = Sight.from_state_dict(state["sight"], self.inference.bank == "real", self.workspace.dtype)


TINY = 1e-12
"""Stands in for the deviation of a part that is the same for all training normals."""


def trainable(network: nn.Module) -> nn.Module:
    """The network in training mode, with gradients."""
    return network.train().requires_grad_(True)
