"""J learns to be 1 on negatives and 0 on the data and samples of G'; eq. (7) is `losses.anomaly_loss`."""

from __future__ import annotations

import torch
from torch import nn

from omasgan.method import negatives
from omasgan.method.losses import anomaly_loss, gradient_penalty
from omasgan.method.neighbour_features import NeighbourFeatures
from omasgan.method.recipe import Recipe
from omasgan.method.settings import Inference
from omasgan.training.batches import Batches
from omasgan.training.stage import Stage, Workspace, adam, descend, gradient_norm


def train(
    J: nn.Module,
    neighbour_features: NeighbourFeatures | None,
    G_new: nn.Module,
    B: nn.Module,
    batches: Batches,
    inference: Inference,
    recipe: Recipe,
    workspace: Workspace,
) -> None:
    """Train J in place with `losses.anomaly_loss`.

    G' (`G_new`) and B are frozen. `neighbour_features` makes what J gets from a sample and its distances to the memory
    bank; with None, which images require, J gets the samples alone.

    Raises
    ------
    UserError
        Where a loss is not finite.
    """
    optimisation, n = recipe.optimisation, recipe.budget.batch
    r1 = optimisation.r1 if inference.r1 is None else inference.r1
    adam_J = adam(J, optimisation.lr_discriminator, optimisation)
    stage = Stage("j", recipe.budget.j, workspace, {"J": J}, {"adam_J": adam_J}, optimisation.decay)

    for _ in stage:
        x = batches.draw(n, stage.random)
        b = negatives.draw(n, B, recipe.latent, batches, inference, stage)
        with workspace.autocast():
            g_new = stage.sample(G_new, n, recipe.latent)
        if inference.mixing_min < 1:
            b = negatives.interpolated(b, batches.draw(n, stage.random), inference, stage)
        if neighbour_features is not None:
            b, g_new = neighbour_features(torch.cat([b, g_new])).chunk(2)
            x = neighbour_features(x, in_bank=True)
        with workspace.autocast():
            v_b, v_x, v_g = (J(side) for side in (b, x, g_new))
        loss_J = anomaly_loss(v_b, v_x, v_g, inference.delta)
        descend(loss_J + gradient_penalty(J, (x, b), r1), adam_J)

        if stage.due():
            stage.record(
                {
                    "loss/J": loss_J,
                    "J/boundary": v_b.sigmoid().mean(),
                    "J/data": v_x.sigmoid().mean(),
                    "J/G'": v_g.sigmoid().mean(),
                    "gradient norm/J": gradient_norm(J),
                }
            )
