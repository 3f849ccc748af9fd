"""Equations (1) to (7) of the paper as pure functions of tensors; every loss is to be minimised.

Symbols: N generated and Q reference samples of k numbers each, l numbers in a latent z, v a network's raw output (n,).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from omasgan.method.divergences import Divergence


def variational_bound(divergence: Divergence, v_p: Tensor, v_q: Tensor) -> Tensor:
    """A lower bound of the divergence: D_f(P || Q) >= E_P[T] - E_Q[f*(T)]; scalar.

    With the data as P and the samples of G as Q, it is the objective of Task 1:

        min_G max_D  E_x[g_f(V_D(x))] - E_z[f*(g_f(V_D(G(z))))]

    D minimises `critic_loss`, its negative, and G minimises `generator_loss`, which has another form.

    Parameters
    ----------
    divergence
        Gives f* and g_f.
    v_p, v_q
        Raw outputs for samples of P and of Q, (n,).

    References
    ----------
    Eq. (1) and (2) of the paper.
    """
    return divergence.activation(v_p).mean() - divergence.conjugate_of_activation(v_q).mean()


def critic_loss(divergence: Divergence, v_p: Tensor, v_q: Tensor) -> Tensor:
    """The loss of a critic such as D: -`variational_bound`, or a divergence's own form of it; v_p, v_q (n,); scalar."""
    return divergence.positive(v_p).mean() + divergence.negative(v_q).mean()


def generator_loss(divergence: Divergence, v_g: Tensor) -> Tensor:
    """The loss of G, and of G' in Task 3: -E[T] of raw outputs v_g (n,), see `Divergence.generator`; scalar."""
    return divergence.generator(v_g).mean()


def nearest(b: Tensor, g: Tensor, chunk: int = 1024) -> Tensor:
    """The index in g (Q, k) of the sample nearest to each of b (N, k) by the Euclidean norm; (N,) int64.

    One matrix product for each `chunk` samples of g, so that memory does not grow with Q. ||b_i||^2 is the same for
    all candidates and is left out. The samples are centred for the reason given in `Pairwise`.
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
    """The distance of each b_i to the nearest reference sample: d(b_i, G) = min_j || b_i - g_j ||_p.

    Gradients flow only to b, through the distance to its nearest sample. The nearest sample is found by the Euclidean
    norm (a matrix product); for p other than 2 the result is an upper bound.

    Parameters
    ----------
    b
        Samples of B, (N, ...).
    g
        Reference samples, (Q, ...).
    p
        Order of the norm, at least 1.

    Returns
    -------
    Tensor
        (N,), float32, in the units of the samples.

    References
    ----------
    Eq. (4) of the paper.

    Examples
    --------
    >>> b = torch.tensor([[0.0, 0.0], [9.0, 4.0]])
    >>> g = torch.tensor([[0.0, 1.0], [6.0, 0.0], [-5.0, 0.0]])
    >>> distance(b, g).round(decimals=3)
    tensor([1., 5.])
    """
    b, g = b.flatten(1).float(), g.detach().flatten(1).float()
    with torch.no_grad():
        index = nearest(b, g)
    distances: Tensor = torch.linalg.vector_norm(b - g[index] + EPSILON, ord=p, dim=1)
    return distances


EPSILON = 1e-6
"""Keeps the gradient of a distance finite at zero; far above the rounding error of float32 numbers near 1."""


class Pairwise(torch.autograd.Function):
    """All distances || a_i - a_j ||_2 between rows a (N, k); (N, N), by one matrix product forwards and one backwards.

    The forward pass is in float64 and centres the rows: the rounding error of the product grows with the distance from
    the origin, and in float32 it would hide the small distances that `dispersion` depends on. Distances below `EPSILON`
    count as `EPSILON` and have no gradient. The backward pass is in float32: at a distance of 1e-5 of the rows'
    length, the gradient is off by some percent.

    Examples
    --------
    >>> Pairwise.apply(torch.tensor([[0.0, 0.0], [3.0, 4.0]])).round(decimals=3)
    tensor([[0., 5.],
            [5., 0.]])
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Tensor:
        """See the class; a (N, k) to distances (N, N), float32."""
        a = a.double()
        a = a - a.mean(dim=0, keepdim=True)
        norm = a.square().sum(1)
        distances = (norm[:, None] + norm[None, :] - 2 * (a @ a.T)).clamp_min(EPSILON**2).sqrt().float()
        ctx.save_for_backward(a.float(), distances)
        return distances

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """The sum over j of (gradient_ij + gradient_ji) (a_i - a_j) / || a_i - a_j ||; (N, k)."""
        a, distances = ctx.saved_tensors
        weight = (gradient / distances).masked_fill(distances <= EPSILON, 0)
        weight = weight + weight.T
        result: Tensor = weight.sum(dim=1, keepdim=True) * a - weight @ a
        return result


def pairwise(a: Tensor) -> Tensor:
    """All distances between samples a (N, ...), see `Pairwise`; (N, N)."""
    distances: Tensor = Pairwise.apply(a.flatten(1))
    return distances


def dispersion(z: Tensor, b: Tensor, neighbours: int | None = None, epsilon: float = 0.0) -> Tensor:
    """How close together B maps distant latents: s_i = 1/(N-1) sum_{j != i} || z_i - z_j || / || b_i - b_j ||.

    Parameters
    ----------
    z
        Latents, (N, l).
    b
        The samples B(z), (N, ...).
    neighbours
        Take the mean over this many nearest b_j; None takes all of them, as in the paper.
    epsilon
        || b_i - b_j || becomes sqrt(|| b_i - b_j ||^2 + epsilon^2), so that two samples that meet do not outweigh all
        others. With 0, as in the paper, distances below `EPSILON` count as `EPSILON` and have no gradient.

    Returns
    -------
    Tensor
        (N,); in spite of the name, large where samples of B lie close together: B minimises it.

    References
    ----------
    Eq. (5) of the paper.

    Examples
    --------
    >>> z = torch.tensor([[0.0], [1.0], [3.0]])
    >>> dispersion(z, 2 * z)
    tensor([0.5000, 0.5000, 0.5000])
    """
    between_z, between_b = pairwise(z), pairwise(b)
    if neighbours is None or neighbours >= len(b) - 1:
        others = ~torch.eye(len(b), dtype=torch.bool, device=b.device)
        return (between_z / (between_b.square() + epsilon**2).sqrt())[others].view(len(b), -1).mean(dim=1)
    # The nearest are selected before the division: quotients of all pairs would take a third of a step's time.
    nearest_b = between_b.detach().clone().fill_diagonal_(torch.inf).topk(neighbours, largest=False).indices
    softened = (between_b.gather(1, nearest_b).square() + epsilon**2).sqrt()
    return (between_z.gather(1, nearest_b) / softened).mean(dim=1)


def boundary_loss(
    divergence: Divergence, v_b: Tensor, d: Tensor, s: Tensor, mu: float, nu: float, weight_m: float = 1.0
) -> Tensor:
    """The loss of B: -m(B, G) + mu d(B, G) + nu s(B, z); scalar.

    m is `variational_bound` with the reference samples as P and the samples of B as Q. Only its second term depends on
    B, so -m is E[f*(T(B(z)))] up to a constant. To minimise it, B moves to where the critic finds no reference samples.

    Parameters
    ----------
    divergence
        Gives f* and g_f.
    v_b
        Raw outputs of the critic for samples of B, (N,).
    d
        What `distance` gave for them, or its square, (N,).
    s
        What `dispersion` gave for them, (N,).
    mu, nu
        Weights of d and s.
    weight_m
        Weight of m, below 1 at the start of Task 2.

    References
    ----------
    Eq. (3) of the paper.
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
    """The loss of C in Task 3: samples of the data and of G are P, samples of G' and of the boundary are Q; scalar.

    For the divergence `gan`, where C = sigmoid(v), it is the negative of the paper's objective:

        min_G' max_C  E_z[log(1 - C(G'(z)))] + alpha E_x[log C(x)] + beta E_z[log(1 - C(B(z)))] + gamma E_z[log C(G(z))]

    The loss of G' is `generator_loss`.

    Parameters
    ----------
    divergence
        Gives the losses of samples of P and of Q.
    v_retrained, v_real, v_boundary, v_generated
        Raw outputs of C for samples of G', the data, B and G, each (n,).
    alpha, beta, gamma
        Weights of the data, of B and of G. The weight of G' is 1.

    References
    ----------
    Eq. (6) of the paper.
    """
    positive = alpha * divergence.positive(v_real).mean() + gamma * divergence.positive(v_generated).mean()
    negative = divergence.negative(v_retrained).mean() + beta * divergence.negative(v_boundary).mean()
    return positive + negative


def anomaly_loss(v_boundary: Tensor, v_real: Tensor, v_retrained: Tensor, delta: float) -> Tensor:
    """The loss of J = sigmoid(v): the cross-entropy with label 1 for boundary samples, 0 for the data and G'; scalar.

    It is the negative of the objective that J maximises in the paper:

        max_J  E_z[log J(B(z))] + delta E_x[log(1 - J(x))] + (1 - delta) E_z[log(1 - J(G'(z)))]

    Parameters
    ----------
    v_boundary, v_real, v_retrained
        Raw outputs of J for samples of B, the data and G', each (n,).
    delta
        Weight of the data, in [0, 1]. The weight of G' is 1 - delta.

    References
    ----------
    Eq. (7) of the paper.
    """
    boundary = softplus(-v_boundary).mean()
    return boundary + delta * softplus(v_real).mean() + (1 - delta) * softplus(v_retrained).mean()


def gradient_penalty(network: nn.Module, sides: Iterable[Tensor], weight: float) -> Tensor | float:
    """The gradient penalties R1 and R2 (Mescheder et al. 2018): weight/2 E || grad_x V(x) ||^2, summed over `sides`.

    Parameters
    ----------
    network
        From samples (n, ...) to raw outputs (n,).
    sides
        Kinds of samples, such as data and generated ones, each (n, ...).
    weight
        At least 0; with 0 nothing is computed and 0.0 is returned.
    """
    if weight == 0:
        return 0.0
    penalty: Tensor | float = 0.0
    for side in sides:
        x = side.detach().float().requires_grad_(True)
        (gradient,) = torch.autograd.grad(network(x).sum(), x, create_graph=True)
        penalty = penalty + gradient.flatten(1).square().sum(1).mean()
    return weight / 2 * penalty
