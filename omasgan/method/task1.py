"""Task 1: an f-divergence GAN learns the normal data; eq. (1) and (2) are `losses.variational_bound`.

Its two players minimise `losses.generator_loss` and `losses.critic_loss`, and what another method adds to them.
"""

from __future__ import annotations

from torch import Tensor, nn

from omasgan.method.losses import critic_loss, generator_loss, gradient_penalty, variational_bound
from omasgan.method.recipe import Recipe
from omasgan.training.batches import Batches
from omasgan.training.stage import REMEDY, Stage, Workspace, adam, average, descend, gradient_norm


class Additions:
    """What another method adds to Task 1: terms of the two losses, and networks of its own. By default, nothing.

    Terms are scalars by name; they are added to the loss, and recorded as loss/<name>.

    Attributes
    ----------
    networks
        The networks beside G and D that `after_step` changes, by name; the checkpoints hold them.
    remedy
        What the error advises where training diverges.
    """

    def __init__(self, remedy: str = REMEDY) -> None:
        self.networks: dict[str, nn.Module] = {}
        self.remedy = remedy

    def of_D(self, D: nn.Module, n: int, stage: Stage) -> dict[str, Tensor]:
        """The terms of the loss of D, for n samples; called under autocast."""
        return {}

    def of_G(self, g: Tensor, v_g: Tensor, stage: Stage) -> dict[str, Tensor]:
        """The terms of the loss of G, for its samples g (n, ...) with the raw outputs v_g (n,) of D."""
        return {}

    def after_step(self, G: nn.Module, D: nn.Module, step: int) -> None:
        """Called after each step of G with the number of the step, from 0."""


def train(
    G: nn.Module,
    D: nn.Module,
    G_average: nn.Module,
    batches: Batches,
    recipe: Recipe,
    workspace: Workspace,
    additions: Additions | None = None,
) -> None:
    """Train G and D in place with `losses.generator_loss` and `losses.critic_loss`, and with the additions to them.

    `G_average`, a copy of G, receives the running average of G's weights.

    Raises
    ------
    UserError
        Where a loss is not finite or G collapses to one sample.
    """
    divergence, optimisation, n = recipe.divergence, recipe.optimisation, recipe.budget.batch
    added = additions or Additions()
    adam_G = adam(G, optimisation.lr_generator, optimisation)
    adam_D = adam(D, optimisation.lr_discriminator, optimisation)
    networks = {"G": G, "D": D, "G_average": G_average, **added.networks}
    optimisers = {"adam_G": adam_G, "adam_D": adam_D}
    stage = Stage("task1", recipe.budget.task1, workspace, networks, optimisers, optimisation.decay, added.remedy)

    for step in stage:
        D.requires_grad_(True)
        for _ in range(optimisation.critic_steps):
            x = batches.draw(n, stage.random)
            with workspace.autocast():
                g = stage.sample(G, n, recipe.latent)
                v_x, v_g = D(x), D(g)
                more_D = added.of_D(D, n, stage)
            loss_D = critic_loss(divergence, v_x, v_g)
            descend(loss_D + sum(more_D.values()) + gradient_penalty(D, (x, g), optimisation.r1), adam_D)

        D.requires_grad_(False)
        with workspace.autocast():
            g = G(stage.latents(n, recipe.latent))
            v_g_new = D(g)
        loss_G = generator_loss(divergence, v_g_new)
        more_G = added.of_G(g, v_g_new, stage)
        descend(loss_G + sum(more_G.values()), adam_G)
        average(G_average, G, optimisation.ema, step)
        added.after_step(G, D, step)

        if stage.due():
            stage.record(
                {
                    "loss/D": loss_D,
                    "loss/G": loss_G,
                    "divergence/m": variational_bound(divergence, v_x, v_g),
                    "gradient norm/D": gradient_norm(D),
                    "gradient norm/G": gradient_norm(G),
                    **{f"loss/{name}": term for name, term in (more_D | more_G).items()},
                }
            )
            stage.check_collapse(g)
