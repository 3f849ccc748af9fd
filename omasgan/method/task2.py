"""Task 2: B moves to the boundary of the data; eq. (3) to (5) are `losses.boundary_loss`, `distance`, `dispersion`.

B starts from G. The critic of Task 2, which gives m, is neither D of Task 1 nor C of Task 3. The reasons for the
default critic, unit of distance, schedule and square of d are in experiments/boundary_toy.
"""

from __future__ import annotations

import math
from collections.abc import Callable

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
from omasgan.training.stage import Stage, Workspace, adam, average, descend, gradient_norm, in_batches


def as_they_are(x: Tensor) -> Tensor:
    """The samples themselves, whose distances d and s measure by default."""
    return x


CRITIC = "C"
"""The name of the critic in checkpoints and in the record, as earlier versions wrote them. It is not C of Task 3."""


def train(
    B: nn.Module,
    critic: nn.Module,
    B_average: nn.Module,
    G: nn.Module,
    batches: Batches,
    boundary: Boundary,
    recipe: Recipe,
    workspace: Workspace,
    features: Callable[[Tensor], Tensor] = as_they_are,
) -> None:
    """Train B in place with `losses.boundary_loss`, and its critic as `boundary.critic` says.

    `B_average`, a copy of B, receives the running average of B's weights. G is frozen, and is sampled from only where
    `boundary.reference` is `generated`; by default the reference samples are training samples. d and s measure
    distances between the `features` of samples, which map (n, *shape) to (n, ...); by default the samples themselves.

    Raises
    ------
    UserError
        Where a loss is not finite or B collapses to one sample.
    """
    reference = Reference(G, batches, boundary, recipe.latent, workspace)
    if boundary.critic == "noise_contrastive":
        train_noise_contrastive_critic(critic, reference, boundary, recipe, workspace)

    optimisation, divergence, N = recipe.optimisation, recipe.divergence, boundary.N
    adam_B = adam(B, optimisation.lr_generator, optimisation)
    adam_critic = adam(critic, optimisation.lr_discriminator, optimisation)
    networks = {"B": B, CRITIC: critic, "B_average": B_average, "reference": reference}
    optimisers = {"adam_B": adam_B, f"adam_{CRITIC}": adam_critic}
    stage = Stage("task2", recipe.budget.task2, workspace, networks, optimisers, optimisation.decay)
    reference.fill(stage)
    unit = reference.unit(stage, features)
    for step in stage:
        take_critic_steps(critic, B, reference, adam_critic, boundary, recipe, stage)

        z = stage.latents(N, recipe.latent)
        with workspace.autocast():
            b = B(z)
            v_b = critic(b)
        d, s = distance_and_dispersion(z, b, reference.samples, features, unit, boundary)
        weight_m, nu = weights(boundary, step / recipe.budget.task2)
        loss_B = boundary_loss(divergence, v_b, d.square() if boundary.squared else d, s, boundary.mu, nu, weight_m)
        descend(loss_B, adam_B)
        average(B_average, B, optimisation.ema, step)

        if stage.due():
            with torch.no_grad(), workspace.autocast():
                v_g = critic(reference.samples[:N])
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


def distance_and_dispersion(
    z: Tensor, b: Tensor, g: Tensor, features: Callable[[Tensor], Tensor], unit: float, boundary: Boundary
) -> tuple[Tensor, Tensor]:
    """d and s of samples b = B(z), (N,) each, with reference samples g (Q, *shape) and `Reference.unit`."""
    with torch.no_grad():
        f_g = features(g)
    f_b = features(b).float()
    z_unit = 1.0 if boundary.unit == "raw" else math.sqrt(2 * z.shape[1])
    d = distance(f_b, f_g, boundary.norm) / unit
    return d, dispersion(z / z_unit, f_b / unit, boundary.neighbours, boundary.epsilon)


def take_critic_steps(
    critic: nn.Module,
    B: nn.Module,
    reference: Reference,
    adam_critic: Adam,
    boundary: Boundary,
    recipe: Recipe,
    stage: Stage,
) -> None:
    """Take the `critic_steps` before a step of B: each draws N new reference samples, and trains a cotrained critic.

    In the loss of the critic the reference samples are P and the samples of B are Q. Afterwards the critic has no
    gradients.
    """
    critic.requires_grad_(True)
    for _ in range(recipe.optimisation.critic_steps):
        g = reference.renew(boundary.N, stage)
        if boundary.critic == "cotrained":
            with stage.workspace.autocast():
                b = stage.sample(B, boundary.N, recipe.latent)
                v_g, v_b = critic(g), critic(b)
            loss = critic_loss(recipe.divergence, v_g, v_b)
            descend(loss + gradient_penalty(critic, (g, b), recipe.optimisation.r1), adam_critic)
    critic.requires_grad_(False)


def train_noise_contrastive_critic(
    critic: nn.Module, reference: Reference, boundary: Boundary, recipe: Recipe, workspace: Workspace
) -> None:
    """Train the critic in place to distinguish reference samples (P) from reference samples with Gaussian noise (Q).

    The output of such a critic falls from the data in every direction. A critic that is trained against B rewards B for
    staying where it is, so that B collects in a few places; a critic that is frozen after Task 1 has only learned the
    small errors of G.

    Raises
    ------
    UserError
        Where a loss is not finite.
    """
    optimisation, n = recipe.optimisation, recipe.budget.batch
    optimiser = adam(critic, optimisation.lr_discriminator, optimisation)
    networks, optimisers = {CRITIC: critic}, {f"adam_{CRITIC}": optimiser}
    stage = Stage("critic", recipe.budget.critic, workspace, networks, optimisers, optimisation.decay)
    reference.fill(stage)
    # Divided by the square root of the number of values, the noise has the same length in any dimension.
    deviation = boundary.noise_scale * reference.unit(stage) / math.sqrt(reference.samples[0].numel())
    for _ in stage:
        g = reference.draw(n, stage)
        around = reference.draw(n, stage)
        noise = torch.randn(around.shape, generator=stage.random, device=around.device)
        with workspace.autocast():
            v_g, v_around = critic(g), critic(around + deviation * noise)
        loss = critic_loss(recipe.divergence, v_g, v_around)
        descend(loss, optimiser)
        if stage.due():
            bound = variational_bound(recipe.divergence, v_g, v_around)
            norm = gradient_norm(critic)
            stage.record({f"loss/{CRITIC}": loss, "divergence/m": bound, f"gradient norm/{CRITIC}": norm})


def weights(boundary: Boundary, done: float) -> tuple[float, float]:
    """The weights of m and of s in eq. (3) after a fraction `done` of the steps, 0 to 1."""
    risen = min(1.0, done / boundary.warmup) if boundary.warmup > 0 else 1.0
    start = boundary.nu if boundary.nu_start is None else boundary.nu_start
    return risen, start + risen * (boundary.nu - start)


UNIT_SAMPLES = 4096
"""Number of normal training samples whose distances to the nearest reference sample give the unit `quantile`."""

LEAST_DIFFERENT = 0.1
"""Fraction of these samples that must differ from every reference sample. If fewer do, because there are few training
samples, `distance_to_different` leaves the equal reference samples out."""

FEW_SAMPLES = 512
"""Number of normal training samples whose distances are then computed by `distance_to_different`."""


class Reference(nn.Module):
    """The reference samples that B moves away from: samples of G, or real ones.

    The last Q of them form a queue for `losses.distance`, in which the new samples of a step replace the oldest ones:
    drawing Q new samples in each step would cost several times the rest of the step. The class is a module so that a
    checkpoint holds the queue.

    Parameters
    ----------
    G
        The generator of Task 1.
    batches
        The training samples.
    boundary
        The settings `reference`, `unit`, `quantile`, `norm` and `Q`.
    latent
        l, the length of z.
    workspace
        The device, and the precision of the samples of G.

    Attributes
    ----------
    samples
        The queue, (Q, *shape), float32; empty before `fill`.

    Examples
    --------
    >>> from omasgan.training.batches import Scaling
    >>> x, workspace = torch.randn(50, 2), Workspace()
    >>> batches = Batches(x, Scaling(x), workspace.device)
    >>> reference = Reference(nn.Identity(), batches, Boundary(unit="sqrt_k", Q=32), 2, workspace)
    >>> stage = Stage("task2", 1, workspace, {}, {})
    >>> reference.fill(stage)
    >>> reference.samples.shape, reference.unit(stage)
    (torch.Size([32, 2]), 1.4142135623730951)
    """

    samples: Tensor

    def __init__(self, G: nn.Module, batches: Batches, boundary: Boundary, latent: int, workspace: Workspace) -> None:
        super().__init__()
        self.register_buffer("samples", torch.empty(0))
        self._parts = (G, batches, boundary, latent, workspace)  # a tuple, so that G does not become a sub-module

    def draw(self, n: int, stage: Stage) -> Tensor:
        """Draw n new reference samples; (n, *shape), float32."""
        G, batches, boundary, latent, workspace = self._parts
        if boundary.reference == "real":
            return batches.draw(n, stage.random)
        with workspace.autocast():
            return stage.sample(G, n, latent).float()

    def renew(self, n: int, stage: Stage) -> Tensor:
        """Replace the n oldest samples of the queue, and return the new ones; (n, *shape)."""
        new = self.draw(n, stage)
        self.samples = torch.cat([self.samples[n:], new])[-len(self.samples) :]
        return new

    def fill(self, stage: Stage) -> None:
        """Draw all Q samples of the queue."""
        self.samples = self.draw(self._parts[2].Q, stage)

    def unit(self, stage: Stage, features: Callable[[Tensor], Tensor] = as_they_are) -> float:
        """The unit of distance that `boundary.unit` chooses, in the units of the features; call `fill` before."""
        _, batches, boundary, _, _ = self._parts
        if boundary.unit == "raw":
            return 1.0
        g = self.samples
        f_g = in_batches(features, g)
        if boundary.unit == "sqrt_k":
            return math.sqrt(f_g[0].numel())
        x = batches.draw(UNIT_SAMPLES, stage.random)
        distances = distance(in_batches(features, x), f_g, boundary.norm)
        # If there are few training samples, nearly all of them are among the reference samples, so that their distances
        # do not tell how far apart normal samples are. `distance` adds EPSILON to each difference, so that the distance
        # to an equal sample is not 0: up to twice this value counts as equal.
        apart = distance(x, g, boundary.norm) > 2 * distance(x[:1], x[:1], boundary.norm)
        if apart.float().mean() < LEAST_DIFFERENT:
            distances = distance_to_different(x[:FEW_SAMPLES], g, boundary.norm, features)
        return float(distances.quantile(boundary.quantile))


def distance_to_different(x: Tensor, g: Tensor, p: float, features: Callable[[Tensor], Tensor] = as_they_are) -> Tensor:
    """The distance of each x (n, ...) to the nearest g (Q, ...) that differs from it; `EPSILON` if none does; (n,)."""
    equal = torch.cdist(x.flatten(1), g.flatten(1), p, compute_mode="donot_use_mm_for_euclid_dist") == 0
    f_x, f_g = (in_batches(features, samples).flatten(1) for samples in (x, g))
    distances = torch.cdist(f_x, f_g, p, compute_mode="donot_use_mm_for_euclid_dist")
    nearest = distances.masked_fill(equal, torch.inf).amin(dim=1)
    return nearest.masked_fill(nearest.isinf(), EPSILON)
