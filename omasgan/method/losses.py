"""Equations (1) to (7) of the paper as pure functions of tensors; losses are to be minimised.

Symbols: N generated samples, Q reference samples, k numbers a sample, l latent numbers, v a network's raw output (n,).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from omasgan.method.divergences import Divergence


def variational_bound(divergence: Divergence, v_p: Tensor, v_q: Tensor) -> Tensor:
    """Eq. (1): E_P[T] - E_Q[f*(T)], a lower bound on D_f(P || Q); scalar."""
    return divergence.activation(v_p).mean() - divergence.conjugate_of_activation(v_q).mean()


def critic_loss(divergence: Divergence, v_p: Tensor, v_q: Tensor) -> Tensor:
    """Eq. (1)-(2), the maximising player: the negative bound, or the divergence's own form of it; scalar."""
    return divergence.positive(v_p).mean() + divergence.negative(v_q).mean()


def generator_loss(divergence: Divergence, v_g: Tensor) -> Tensor:
    """Eq. (1)-(2), the minimising player; scalar."""
    return divergence.generator(v_g).mean()


def nearest(b: Tensor, g: Tensor, chunk: int = 1024) -> Tensor:
    """The index in g (Q, k) of the sample nearest to each of b (N, k); (N,) int64.

    A matrix product a chunk of g, so memory does not grow with Q; ||b||^2 is the same for every candidate and left out.
    Centred for the reason given in `pairwise`.
    """
    centre = g.mean(dim=0)
    b = b - centre
    best = torch.full((len(b),), torch.inf, device=b.device)
    index = torch.zeros(len(b), dtype=torch.int64, device=b.device)
    for start in range(0, len(g), chunk):
        part = g[start : start + chunk] - centre
        squared = torch.addmm(part.square().sum(1), b, part.T, beta=1.0, alpha=-2.0)
        value, where = squared.min(dim=1)
        index = torch.where(value < best, where + start, index)
        best = torch.minimum(value, best)
    return index


def distance(b: Tensor, g: Tensor, p: float = 2.0) -> Tensor:
    """Eq. (4): d(b_i, G) = min_j || b_i - g_j ||_p for b (N, k) and g (Q, k); (N,) in the data's units.

    The gradient reaches b alone and passes through the nearest sample only, which is the gradient of the minimum. The
    nearest sample is found by the Euclidean norm (a matrix product), so for p other than 2 it is an upper bound.
    """
    b, g = b.flatten(1).float(), g.detach().flatten(1).float()
    with torch.no_grad():
        index = nearest(b, g)
    distances: Tensor = torch.linalg.vector_norm(b - g[index] + EPSILON, ord=p, dim=1)
    return distances


EPSILON = 1e-6
"""Keeps a distance's gradient finite at zero; far above float32's rounding of a difference near one."""


class Pairwise(torch.autograd.Function):
    """|| a_i - a_j ||_2 for a (N, k); (N, N), by one matrix product forwards and one backwards.

    Forwards in float64 and centred: the product's rounding error grows with the distance from the origin, which carries
    no information, and in float32 it would swallow whole the small distances that eq. (5) is about. Distances below
    `EPSILON` count as `EPSILON` and have no gradient. Backwards in float32: where two samples are a hundred thousandth
    of the samples' length apart, their gradient is off by some percent.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Tensor:
        """See the class."""
        a = a.double()
        a = a - a.mean(dim=0, keepdim=True)
        norm = a.square().sum(1)
        distances = (norm[:, None] + norm[None, :] - 2 * (a @ a.T)).clamp_min(EPSILON**2).sqrt().float()
        ctx.save_for_backward(a.float(), distances)
        return distances

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """The sum over j of (gradient_ij + gradient_ji) (a_i - a_j) / || a_i - a_j ||."""
        a, distances = ctx.saved_tensors
        weight = (gradient / distances).masked_fill(distances <= EPSILON, 0)
        weight = weight + weight.T
        result: Tensor = weight.sum(dim=1, keepdim=True) * a - weight @ a
        return result


def pairwise(a: Tensor) -> Tensor:
    """See `Pairwise`; of a (N, ...), flattened."""
    distances: Tensor = Pairwise.apply(a.flatten(1))
    return distances


def dispersion(z: Tensor, b: Tensor, neighbours: int | None = None, epsilon: float = 0.0) -> Tensor:
    """Eq. (5): s_i = 1/(N-1) sum_{j != i} || z_i - z_j || / || b_i - b_j || for z (N, l) and b (N, k); (N,).

    neighbours: sum over that many nearest b_j alone (None: all of them, the paper's form). epsilon: || b_i - b_j ||
    becomes sqrt(|| b_i - b_j ||^2 + epsilon^2), so that two samples that meet do not outweigh all others; 0 is the
    paper's form, in which distances below `EPSILON` count as `EPSILON` and have no gradient.
    """
    between_z, between_b = pairwise(z), pairwise(b)
    if neighbours is None or neighbours >= len(b) - 1:
        others = ~torch.eye(len(b), dtype=torch.bool, device=b.device)
        return (between_z / (between_b.square() + epsilon**2).sqrt())[others].view(len(b), -1).mean(dim=1)
    # Picked before they are divided: all pairs' quotients, and their gradients, would take a third of a step's time.
    nearest_b = between_b.detach().clone().fill_diagonal_(torch.inf).topk(neighbours, largest=False).indices
    softened = (between_b.gather(1, nearest_b).square() + epsilon**2).sqrt()
    return (between_z.gather(1, nearest_b) / softened).mean(dim=1)


def boundary_loss(
    divergence: Divergence, v_b: Tensor, d: Tensor, s: Tensor, mu: float, nu: float, weight_m: float = 1.0
) -> Tensor:
    """Eq. (3): -m(B, G) + mu d(B, G) + nu s(B, z), for B's player; scalar.

    m is the bound of `variational_bound` with G as P and B as Q, so that B, which alone it depends on here, lowers
    E f*(T(B)): it goes where the critic is sure that no sample of G is. weight_m: below 1 while B warms up.
    """
    return weight_m * divergence.conjugate_of_activation(v_b).mean() + mu * d.mean() + nu * s.mean()


def retraining_critic_loss(
    divergence: Divergence,
    v_retrained: Tensor,
    v_real: Tensor,
    v_boundary: Tensor,
    v_generated: Tensor,
    alpha: float,
    beta: float,
    gamma: float,
) -> Tensor:
    """Eq. (6), C's player: data (alpha) and G (gamma) are P, G' (weight 1) and the boundary (beta) are Q; scalar."""
    positive = alpha * divergence.positive(v_real).mean() + gamma * divergence.positive(v_generated).mean()
    negative = divergence.negative(v_retrained).mean() + beta * divergence.negative(v_boundary).mean()
    return positive + negative


def anomaly_loss(v_boundary: Tensor, v_real: Tensor, v_retrained: Tensor, delta: float) -> Tensor:
    """Eq. (7), J = sigmoid(v): 1 on the boundary, 0 on the data (delta) and on G' (1 - delta); scalar."""
    boundary = softplus(-v_boundary).mean()
    return boundary + delta * softplus(v_real).mean() + (1 - delta) * softplus(v_retrained).mean()


def gradient_penalty(network: nn.Module, sides: Iterable[Tensor], weight: float) -> Tensor | float:
    """R1 and R2 (Mescheder et al. 2018): weight/2 E || grad_x V(x) ||^2, summed over the sides' samples (n, ...)."""
    if weight == 0:
        return 0.0
    penalty: Tensor | float = 0.0
    for side in sides:
        x = side.detach().float().requires_grad_(True)
        (gradient,) = torch.autograd.grad(network(x).sum(), x, create_graph=True)
        penalty = penalty + gradient.flatten(1).square().sum(1).mean()
    return weight / 2 * penalty
