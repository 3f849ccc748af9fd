"""Task 2, eq. (3)-(5): B is driven from G to the boundary of the data's support.

Why the critic, the unit, the schedule and the square are as they are by default stands in experiments/boundary_toy.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.optim import Adam

from omasgan.method.losses import (
    EPSILON,
    boundary_loss,
    critic_loss,
    dispersion,
    distance,
    gradient_penalty,
    variational_bound,
)
from omasgan.method.recipe import Recipe
from omasgan.method.settings import Boundary
from omasgan.training.batches import Batches
from omasgan.training.stage import Stage, Workspace, adam, average, descend, gradient_norm


def train(
    B: nn.Module,
    C: nn.Module,
    B_average: nn.Module,
    G: nn.Module,
    batches: Batches,
    boundary: Boundary,
    recipe: Recipe,
    workspace: Workspace,
) -> None:
    """Train B, and its critic C unless that is frozen, in place; G is frozen, `B_average` follows B.

    Raises UserError where a loss is not finite or B collapses to one sample.
    """
    reference = Reference(G, batches, boundary, recipe.latent, workspace)
    if boundary.critic == "noise_contrastive":
        train_noise_contrastive_critic(C, reference, boundary, recipe, workspace)

    optimisation, divergence, N = recipe.optimisation, recipe.divergence, boundary.N
    adam_B = adam(B, optimisation.lr_generator, optimisation)
    adam_C = adam(C, optimisation.lr_discriminator, optimisation)
    networks = {"B": B, "C": C, "B_average": B_average, "reference": reference}
    optimisers = {"adam_B": adam_B, "adam_C": adam_C}
    stage = Stage("task2", recipe.budget.task2, workspace, networks, optimisers, optimisation.decay)

    z_unit = 1.0 if boundary.unit == "raw" else math.sqrt(2 * recipe.latent)
    unit = reference.fill(stage)
    for step in stage:
        C.requires_grad_(True)
        for _ in range(optimisation.critic_steps):
            g = reference.renew(N, stage)
            if boundary.critic == "cotrained":
                cotrain(C, adam_C, B, g, stage, recipe, workspace)

        C.requires_grad_(False)
        z = stage.latents(N, recipe.latent)
        with workspace.autocast():
            b = B(z)
            v_b = C(b)
        d = distance(b, reference.samples, boundary.norm) / unit
        s = dispersion(z / z_unit, b.float() / unit, boundary.neighbours, boundary.epsilon)
        weight_m, nu = weights(boundary, step / recipe.budget.task2)
        loss_B = boundary_loss(divergence, v_b, d.square() if boundary.squared else d, s, boundary.mu, nu, weight_m)
        descend(loss_B, adam_B)
        average(B_average, B, optimisation.ema, step)

        if stage.due():
            with torch.no_grad(), workspace.autocast():
                v_g = C(reference.samples[:N])
            stage.record(
                {
                    "loss/B": loss_B,
                    "divergence/m": variational_bound(divergence, v_g, v_b),
                    "boundary/d": d.mean(),
                    "boundary/s": s.mean(),
                    "gradient norm/B": gradient_norm(B),
                }
            )
            stage.check_collapse(b)


def cotrain(
    C: nn.Module, adam_C: Adam, B: nn.Module, g: Tensor, stage: Stage, recipe: Recipe, workspace: Workspace
) -> None:
    """One step of C between reference samples g (P), (n, ...), and as many samples of B (Q)."""
    with workspace.autocast():
        b = stage.sample(B, len(g), recipe.latent)
        v_g, v_b = C(g), C(b)
    loss_C = critic_loss(recipe.divergence, v_g, v_b)
    descend(loss_C + gradient_penalty(C, (g, b), recipe.optimisation.r1), adam_C)


def train_noise_contrastive_critic(
    C: nn.Module, reference: Reference, boundary: Boundary, recipe: Recipe, workspace: Workspace
) -> None:
    """Train C between the reference (P) and the reference blurred by noise (Q): a field that falls in every direction.

    A critic that is trained against B itself rewards B for being where it already is, so that B gathers in a few
    places; one that is left as Task 1 made it knows only the slight faults of G. The blur has neither fault.
    """
    optimisation, n = recipe.optimisation, recipe.budget.batch
    adam_C = adam(C, optimisation.lr_discriminator, optimisation)
    stage = Stage("critic", recipe.budget.critic, workspace, {"C": C}, {"adam_C": adam_C}, optimisation.decay)
    # Divided by the root of the number of values, the noise is as long in a million dimensions as in two.
    blur = boundary.noise_scale * reference.fill(stage) / math.sqrt(reference.samples[0].numel())
    for _ in stage:
        g = reference.draw(n, stage)
        around = reference.draw(n, stage)
        noise = torch.randn(around.shape, generator=stage.random, device=around.device)
        with workspace.autocast():
            v_g, v_around = C(g), C(around + blur * noise)
        loss_C = critic_loss(recipe.divergence, v_g, v_around)
        descend(loss_C, adam_C)
        if stage.due():
            bound = variational_bound(recipe.divergence, v_g, v_around)
            stage.record({"loss/C": loss_C, "divergence/m": bound, "gradient norm/C": gradient_norm(C)})


def weights(boundary: Boundary, done: float) -> tuple[float, float]:
    """The weights of m and s once a share of the steps is done."""
    risen = min(1.0, done / boundary.warmup) if boundary.warmup > 0 else 1.0
    start = boundary.nu if boundary.nu_start is None else boundary.nu_start
    return risen, start + risen * (boundary.nu - start)


UNIT_SAMPLES = 4096
"""Training normals whose distance to the reference gives the unit 'quantile'."""

FEW = 0.1
"""Share of them that are not in the reference themselves, below which the distance to another sample counts."""

FEW_SAMPLES = 512
"""Of which it is measured then."""


class Reference(nn.Module):
    """What B leaves, in m and in d: samples of G, or real ones; Q of them are kept for eq. (4).

    They are a queue, in which a step's new ones take the place of the oldest: to draw all Q anew would cost several
    times the rest of the step. A module, so that a checkpoint holds them.
    """

    samples: Tensor

    def __init__(self, G: nn.Module, batches: Batches, boundary: Boundary, latent: int, workspace: Workspace) -> None:
        super().__init__()
        self.register_buffer("samples", torch.empty(0))
        self._parts = (G, batches, boundary, latent, workspace)  # a tuple, so that G is no sub-module

    def draw(self, n: int, stage: Stage) -> Tensor:
        """N samples (n, *shape), float32."""
        G, batches, boundary, latent, workspace = self._parts
        if boundary.reference == "real":
            return batches.draw(n, stage.random)
        with workspace.autocast():
            return stage.sample(G, n, latent).float()

    def renew(self, n: int, stage: Stage) -> Tensor:
        """Put n new samples in place of the oldest; returns the new ones."""
        new = self.draw(n, stage)
        self.samples = torch.cat([self.samples[n:], new])[-len(self.samples) :]
        return new

    def fill(self, stage: Stage) -> float:
        """Draw all Q, and measure the unit of distance by them."""
        _, batches, boundary, _, _ = self._parts
        self.samples = self.draw(boundary.Q, stage)
        if boundary.unit == "raw":
            return 1.0
        if boundary.unit == "sqrt_k":
            return math.sqrt(self.samples[0].numel())
        x = batches.draw(UNIT_SAMPLES, stage.random)
        distances = distance(x, self.samples, boundary.norm)
        # Of few normals, nearly all are in the reference themselves, which says nothing of how far they lie apart.
        apart = distances > 2 * distance(x[:1], x[:1], boundary.norm)
        if apart.float().mean() < FEW:
            distances = to_another(x[:FEW_SAMPLES], self.samples, boundary.norm)
        return float(distances.quantile(boundary.quantile))


def to_another(x: Tensor, g: Tensor, p: float) -> Tensor:
    """As `distance` of x (n, ...) to g (Q, ...), but to the nearest that is no copy; `EPSILON` where all are; (n,)."""
    distances = torch.cdist(x.flatten(1), g.flatten(1), p, compute_mode="donot_use_mm_for_euclid_dist")
    nearest = distances.masked_fill(distances == 0, torch.inf).amin(dim=1)
    return nearest.masked_fill(nearest.isinf(), EPSILON)
