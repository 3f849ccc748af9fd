"""Maximum-likelihood fit of Dirichlet distributions to probability vectors."""

from __future__ import annotations

import math

import torch
from torch import Tensor

ITERATIONS = 1000
TOLERANCE = 1e-6
"""Largest number of iterations of `fit`, and the largest relative change of a parameter at which it stops."""

NEWTON_STEPS = 5


def fit(log_p: Tensor) -> Tensor:
    """The parameters alpha of the Dirichlet distributions of greatest likelihood, by a fixed-point iteration.

    alpha_k <- psi^-1(psi(sum_j alpha_j) + mean of log p_k), where psi is the digamma function. Each iteration raises
    the likelihood. Where all samples are the same the likelihood has no maximum, and the last iterate is returned.

    Parameters
    ----------
    log_p
        (n, ..., K): logarithms of n probability vectors of length K for each of the distributions; finite.

    Returns
    -------
    Tensor
        (..., K), float64.

    References
    ----------
    Minka 2000, "Estimating a Dirichlet distribution".
    """
    log_p = log_p.double()
    mean, log_mean = log_p.exp().mean(dim=0), log_p.mean(dim=0)
    mean = mean / mean.sum(dim=-1, keepdim=True)
    alpha = mean * _precision(mean, log_mean)
    for _ in range(ITERATIONS):
        last, alpha = alpha, inverse_digamma(torch.digamma(alpha.sum(dim=-1, keepdim=True)) + log_mean)
        if bool(((alpha - last).abs() <= TOLERANCE * last).all()):
            break
    return alpha


def inverse_digamma(y: Tensor) -> Tensor:
    """The x > 0 with psi(x) = y, by Newton's method from a start that is exact in both limits; of the shape of y."""
    x = torch.where(y >= -2.22, y.exp() + 0.5, -1 / (y - torch.digamma(torch.ones_like(y))))
    for _ in range(NEWTON_STEPS):
        x = x - (torch.digamma(x) - y) / torch.polygamma(1, x)
    return x


def _precision(mean: Tensor, log_mean: Tensor) -> Tensor:
    """A first estimate of sum_k alpha_k, from Stirling's formula (Minka 2000); (..., 1)."""
    spread = (mean * (mean.clamp_min(torch.finfo(mean.dtype).tiny).log() - log_mean)).sum(dim=-1, keepdim=True)
    return (mean.shape[-1] - 1) / 2 / spread.clamp_min(math.sqrt(torch.finfo(mean.dtype).eps))
