"""BDSG: a normalising flow, and a generator that moves from it to the boundary of the data."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import Adam

from omasgan.data.dataset import Spec
from omasgan.detectors.base import Detector, lower_rate, need_frozen_critic, need_steps
from omasgan.detectors.flow.coupling_flow import CouplingFlow, FlowCritic, FlowGenerator
from omasgan.method import task2
from omasgan.method.divergences import Divergence
from omasgan.method.recipe import Recipe
from omasgan.method.settings import Boundary
from omasgan.training.augmentation import Augmentation
from omasgan.training.batches import Batches
from omasgan.training.settings import Budget, Count, Optimisation, Positive
from omasgan.training.stage import Stage, Workspace, descend, frozen, trainable

CALIBRATION_SAMPLES = 2000
"""Number of normal training samples by which the log-density is put into units for Task 2."""


class BDSG(Detector):
    """The density of a coupling flow, and boundary samples by Task 2 with this density in place of the critic.

    Eq. (3) then reads min_B -m(B, G) + mu d(B, G) + nu s(B, z), in which m is the variational bound with T = g_f(v) and
    v(x) the standardised log-density of the flow: B moves to where the density is low, d keeps it near the data, and s
    spreads it. B starts as the inverse of the flow. The terms are density = -log p(x) / k in nats, for a sample of k
    values, which is the detector's score; and boundary, the distance to the nearest of the flow's samples less that to
    the nearest of B's, which is above 0 on the side of B.

    Parameters
    ----------
    spec, workspace
        See `Detector`.
    divergence
        The f-divergence of Task 2.
    augmentation
        The random change of each training sample.
    optimisation
        The optimiser of B, in Task 2.
    budget
        The flow trains for `task1` steps of `batch` samples, B for `task2` steps of `boundary.N`.
    boundary
        The settings of Task 2. Its critic is the flow, which is frozen.
    layers, width
        See `CouplingFlow`.
    lr
        Adam's learning rate for the flow, which falls linearly to 0.
    bank
        Number of samples of the flow and of B that the term boundary measures distances to.

    Attributes
    ----------
    flow, B
        The flow and the boundary generator, frozen after `fit`.

    Raises
    ------
    UserError
        Where the augmentation does not suit the samples, the budget has no steps, `boundary.critic` is not frozen, or
        the package zuko is not installed.

    Notes
    -----
    A "-style" reconstruction: the published flow is an invertible residual network that trains for GPU-days; ours is a
    coupling flow. How the paper's score uses the boundary is not known to us, so both terms are given. Flows give
    simple images, such as the digit 1, a high density, normal or not; a low AUROC on them is expected.

    References
    ----------
    Dionelis et al. 2020, "Boundary of distribution support generator (BDSG): sample generation on the boundary", ICIP.
    """

    main_term = "density"

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        divergence: Divergence,
        augmentation: Augmentation,
        optimisation: Optimisation,
        budget: Budget,
        boundary: Boundary,
        layers: Count = 6,
        width: Count = 256,
        lr: Positive = 1e-3,
        bank: Count = 1000,
    ) -> None:
        super().__init__(spec, workspace)
        need_frozen_critic("bdsg", boundary, "flow")
        self.augmentation, self.boundary, self.lr, self.bank = self.suitable(augmentation), boundary, lr, bank
        self.latent = spec.size
        self.recipe = Recipe(self.latent, divergence, optimisation, budget)
        self.flow = cast(CouplingFlow, workspace.network("flow", lambda: CouplingFlow(spec.shape, layers, width)))
        self.B: nn.Module = FlowGenerator(copy.deepcopy(self.flow))
        self.drawn_samples: dict[str, Tensor] = {}

    def check(self, n: int) -> None:
        """See `Detector`; the flow needs at least one step of training, and so does B."""
        super().check(n)
        need_steps("bdsg", task1=self.recipe.budget.task1, task2=self.recipe.budget.task2)

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.check(len(train))
        batches = self.batches(train, self.augmentation)
        self.train_flow(batches)
        self.train_boundary(batches)
        self.draw_banks()

    def train_flow(self, batches: Batches) -> None:
        """Train the flow by maximum likelihood; it is frozen afterwards."""
        flow, budget = self.flow, self.recipe.budget
        adam = Adam(flow.parameters(), self.lr, fused=True)
        remedy = lower_rate(self.lr)
        stage = Stage("flow", budget.task1, self.workspace, {"flow": flow}, {"adam": adam}, 1.0, remedy)
        for _ in stage:
            x = flow.noisy(batches.draw(budget.batch, stage.random), stage.random)
            loss = -flow(x).mean()
            descend(loss, adam)
            if stage.due():
                stage.record({"loss/nats per value": loss})
        frozen(flow)

    def train_boundary(self, batches: Batches) -> None:
        """Run Task 2 with the flow's density as the critic; afterwards B has its averaged weights and is frozen."""
        normals = batches.scaling(batches.x[:CALIBRATION_SAMPLES])
        with torch.no_grad():
            log_p = self.flow(normals)
        critic = frozen(FlowCritic(self.flow, float(log_p.mean()), float(log_p.std().clamp_min(1e-6))))
        G = frozen(FlowGenerator(copy.deepcopy(self.flow)))
        B = trainable(copy.deepcopy(G))
        self.B = frozen(copy.deepcopy(G))
        task2.train(B, critic, self.B, G, batches, self.boundary, self.recipe, self.workspace)

    def draw_banks(self) -> None:
        """Draw the samples of the flow and of B that the term boundary measures distances to."""
        self.drawn_samples = {
            name: self.drawn(network, self.bank, "banks") for name, network in self.generators().items()
        }

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`; the terms are listed in the class's docstring."""
        density, boundary = self.outputs(self.compare, x).unbind(dim=1)
        return {"density": density, "boundary": boundary}

    def compare(self, x: Tensor) -> Tensor:
        """Both terms of scaled samples; (n, 2), float32."""
        nearest = {
            name: torch.cdist(x.flatten(1), bank.flatten(1), compute_mode="donot_use_mm_for_euclid_dist").amin(dim=1)
            for name, bank in self.drawn_samples.items()
        }
        return torch.stack([-self.flow(x), nearest["G"] - nearest["B"]], dim=1)

    def generators(self) -> dict[str, nn.Module]:
        """See `Detector`."""
        return {"G": FlowGenerator(self.flow), "B": self.B}

    def networks(self) -> dict[str, nn.Module]:
        """The networks of the detector's state, by name."""
        return {"flow": self.flow, "B": self.B}

    def state_dict(self) -> dict[str, Any]:
        """See `Detector`."""
        return {**super().state_dict(), "banks": self.drawn_samples}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Detector`."""
        super().load_state_dict(state)
        self.drawn_samples = {name: bank.to(self.workspace.device) for name, bank in state["banks"].items()}
