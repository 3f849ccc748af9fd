"""Task 2, eq. (3)-(5): B is driven from G to the boundary of the data's support."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor, nn

from omasgan.data.batches import Batches
from omasgan.losses import (
    boundary_loss,
    critic_loss,
    dispersion,
    distance,
    gradient_penalty,
    variational_bound,
)
from omasgan.settings import Boundary
from omasgan.stages.stage import Recipe, Stage, Workspace, adam, average, descend, gradient_norm


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
    """Train B, and its critic C where that is co-trained, in place; G is frozen, `B_average` follows B.

    Raises UserError where a loss is not finite or B collapses to one sample.
    """
    divergence, optimisation, N, Q = recipe.divergence, recipe.optimisation, boundary.N, boundary.Q
    adam_B = adam(B, optimisation.lr_generator, optimisation)
    adam_C = adam(C, optimisation.lr_discriminator, optimisation)
    networks = {"B": B, "C": C, "B_average": B_average}
    stage = Stage("task2", recipe.budget.task2, workspace, networks, {"adam_B": adam_B, "adam_C": adam_C})

    def reference(n: int) -> Tensor:
        if boundary.reference == "real":
            return batches.draw(n, stage.random)
        with workspace.autocast():
            return stage.sample(G, n, recipe.latent).float()

    unit = unit_of_distance(boundary, batches, reference, stage)
    for step in stage:
        if boundary.critic == "cotrained":
            C.requires_grad_(True)
            for _ in range(optimisation.critic_steps):
                g = reference(N)
                with workspace.autocast():
                    b = stage.sample(B, N, recipe.latent)
                    v_g, v_b = C(g).float(), C(b).float()
                loss_C = critic_loss(divergence, v_g, v_b)
                descend(loss_C + gradient_penalty(C, (g, b), optimisation.r1), adam_C)

        C.requires_grad_(False)
        z = stage.latents(N, recipe.latent)
        with workspace.autocast():
            b = B(z)
            v_b = C(b).float()
        d = distance(b, reference(Q), boundary.norm) / unit
        s = dispersion(z, b.float() / unit, boundary.neighbours)
        loss_B = boundary_loss(divergence, v_b, d.square() if boundary.squared else d, s, boundary.mu, boundary.nu)
        descend(loss_B, adam_B)
        average(B_average, B, optimisation.ema, step)

        if stage.due():
            with workspace.autocast():
                v_g = C(reference(N)).float().detach()
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


UNIT_SAMPLES = 2048
"""Training normals whose distance to the reference gives the unit 'spacing'."""


def unit_of_distance(boundary: Boundary, batches: Batches, reference: Callable[[int], Tensor], stage: Stage) -> float:
    """What d and the B of s are divided by, so that mu and nu mean the same on every data set."""
    if boundary.unit == "raw":
        return 1.0
    x = batches.draw(UNIT_SAMPLES, stage.random)
    if boundary.unit == "sqrt_k":
        return math.sqrt(x[0].numel())
    return float(distance(x, reference(boundary.Q), boundary.norm).quantile(boundary.quantile))
