"""Task 3: the GAN is retrained to keep away from the boundary; eq. (6) is `losses.retraining_critic_loss`."""

from __future__ import annotations

from torch import nn

from omasgan.method.losses import generator_loss, gradient_penalty, retraining_critic_loss, variational_bound
from omasgan.method.recipe import Recipe
from omasgan.method.settings import Retraining
from omasgan.training.batches import Batches
from omasgan.training.stage import Stage, Workspace, adam, average, descend, gradient_norm


def train(
    G_new: nn.Module,
    C: nn.Module,
    G_new_average: nn.Module,
    G: nn.Module,
    B: nn.Module,
    batches: Batches,
    retraining: Retraining,
    recipe: Recipe,
    workspace: Workspace,
) -> None:
    """Train G' (`G_new`) and C in place with `losses.generator_loss` and `losses.retraining_critic_loss`.

    `G_new_average`, a copy of G', receives the running average of its weights. G and B are frozen.

    Raises
    ------
    UserError
        Where a loss is not finite or G' collapses to one sample.
    """
    divergence, optimisation, n = recipe.divergence, recipe.optimisation, recipe.budget.batch
    adam_G = adam(G_new, optimisation.lr_generator, optimisation)
    adam_C = adam(C, optimisation.lr_discriminator, optimisation)
    networks = {"G_new": G_new, "C": C, "G_new_average": G_new_average}
    optimisers = {"adam_G": adam_G, "adam_C": adam_C}
    stage = Stage("task3", recipe.budget.task3, workspace, networks, optimisers, optimisation.decay)

    for step in stage:
        C.requires_grad_(True)
        for _ in range(optimisation.critic_steps):
            x = batches.draw(n, stage.random)
            with workspace.autocast():
                g_new, g, b = (stage.sample(network, n, recipe.latent) for network in (G_new, G, B))
                v_new, v_x, v_b, v_g = (C(side) for side in (g_new, x, b, g))
            loss_C = retraining_critic_loss(
                divergence, v_new, v_x, v_b, v_g, retraining.alpha, retraining.beta, retraining.gamma
            )
            descend(loss_C + gradient_penalty(C, (x, g_new, b), optimisation.r1), adam_C)

        C.requires_grad_(False)
        with workspace.autocast():
            g_new = G_new(stage.latents(n, recipe.latent))
            v_g_new = C(g_new)
        loss_G = generator_loss(divergence, v_g_new)
        descend(loss_G, adam_G)
        average(G_new_average, G_new, optimisation.ema, step)

        if stage.due():
            stage.record(
                {
                    "loss/C": loss_C,
                    "loss/G'": loss_G,
                    "divergence/data to G'": variational_bound(divergence, v_x, v_new),
                    "divergence/data to B": variational_bound(divergence, v_x, v_b),
                    "gradient norm/C": gradient_norm(C),
                    "gradient norm/G'": gradient_norm(G_new),
                }
            )
            stage.check_collapse(g_new)
