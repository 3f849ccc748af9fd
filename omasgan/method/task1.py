"""Task 1: an f-divergence GAN learns the normal data; eq. (1) and (2) are `losses.variational_bound`.

Its two players minimise `losses.generator_loss` and `losses.critic_loss`.
"""

from __future__ import annotations

from torch import nn

from omasgan.method.losses import critic_loss, generator_loss, gradient_penalty, variational_bound
from omasgan.method.recipe import Recipe
from omasgan.training.batches import Batches
from omasgan.training.stage import Stage, Workspace, adam, average, descend, gradient_norm


def train(
    G: nn.Module, D: nn.Module, G_average: nn.Module, batches: Batches, recipe: Recipe, workspace: Workspace
) -> None:
    """Train G and D in place with `losses.generator_loss` and `losses.critic_loss`.

    `G_average`, a copy of G, receives the running average of G's weights.

    Raises
    ------
    UserError
        Where a loss is not finite or G collapses to one sample.
    """
    divergence, optimisation, n = recipe.divergence, recipe.optimisation, recipe.budget.batch
    adam_G = adam(G, optimisation.lr_generator, optimisation)
    adam_D = adam(D, optimisation.lr_discriminator, optimisation)
    networks = {"G": G, "D": D, "G_average": G_average}
    optimisers = {"adam_G": adam_G, "adam_D": adam_D}
    stage = Stage("task1", recipe.budget.task1, workspace, networks, optimisers, optimisation.decay)

    for step in stage:
        D.requires_grad_(True)
        for _ in range(optimisation.critic_steps):
            x = batches.draw(n, stage.random)
            with workspace.autocast():
                g = stage.sample(G, n, recipe.latent)
                v_x, v_g = D(x), D(g)
            loss_D = critic_loss(divergence, v_x, v_g)
            descend(loss_D + gradient_penalty(D, (x, g), optimisation.r1), adam_D)

        D.requires_grad_(False)
        with workspace.autocast():
            g = G(stage.latents(n, recipe.latent))
            v_g_new = D(g)
        loss_G = generator_loss(divergence, v_g_new)
        descend(loss_G, adam_G)
        average(G_average, G, optimisation.ema, step)

        if stage.due():
            stage.record(
                {
                    "loss/D": loss_D,
                    "loss/G": loss_G,
                    "divergence/m": variational_bound(divergence, v_x, v_g),
                    "gradient norm/D": gradient_norm(D),
                    "gradient norm/G": gradient_norm(G),
                }
            )
            stage.check_collapse(g)
