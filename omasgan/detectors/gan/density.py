"""A kernel density, standardised so that a loss can use it, and an estimate of the entropy of samples."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from omasgan.method.losses import EPSILON, pairwise

EM_STEPS, SETTLED = 100, 1e-5
"""Largest number of steps of the iteration for sigma^2, and the relative change below which it ends."""

TINY = 1e-12
"""Least variance of a kernel, and least standard deviation of the log density, for samples that are all alike."""


class KernelDensity(nn.Module):
    """The density p(x) = 1/M sum_j N(x; m_j, sigma^2 I) of M kernels, where sigma makes given samples most likely.

    As a network it gives the standardised log density: zero mean and unit deviation over those samples. It is a module
    with sigma as its parameter so that a checkpoint holds it, and Task 2 takes it for a critic.

    Parameters
    ----------
    kernels
        M, at least 1.
    size
        k, the number of values in a sample.

    Attributes
    ----------
    means
        The m_j, (M, k), float32; `fit` sets them.
    log_sigma
        log sigma, scalar.
    shift, scale
        Mean and standard deviation of the log density over the given samples; scalars.

    Examples
    --------
    >>> random = torch.Generator().manual_seed(0)
    >>> density = KernelDensity(500, 2)
    >>> density.fit(torch.randn(500, 2, generator=random), torch.randn(500, 2, generator=random))
    >>> near, far = density(torch.tensor([[0.0, 0.0], [4.0, 0.0]]))
    >>> bool(near > 0 > far)
    True
    """

    means: Tensor
    shift: Tensor
    scale: Tensor

    def __init__(self, kernels: int, size: int) -> None:
        super().__init__()
        self.register_buffer("means", torch.zeros(kernels, size))
        self.log_sigma = nn.Parameter(torch.zeros((), dtype=torch.float64), requires_grad=False)
        self.register_buffer("shift", torch.zeros((), dtype=torch.float64))
        self.register_buffer("scale", torch.ones((), dtype=torch.float64))

    @torch.no_grad()
    def fit(self, means: Tensor, x: Tensor) -> None:
        """Set the kernels to means (M, ...), and sigma, shift and scale from other samples x (n, ...)."""
        self.means.copy_(means.flatten(1))
        squared = self.squared_distances(x.double())
        self.log_sigma.copy_(likeliest_variance(squared, self.means.shape[1]).log() / 2)
        log_p = self.log_p(x.double())
        self.shift.copy_(log_p.mean())
        self.scale.copy_(log_p.std().clamp_min(TINY))

    def log_p(self, x: Tensor) -> Tensor:
        """log p(x) in nats for samples x (n, ...); (n,), float64."""
        k, variance = self.means.shape[1], (2 * self.log_sigma).exp()
        exponents = -self.squared_distances(x).double() / (2 * variance)
        normaliser = k / 2 * (2 * torch.pi * variance).log() + math.log(len(self.means))
        return torch.logsumexp(exponents, dim=1) - normaliser

    def forward(self, x: Tensor) -> Tensor:
        """The standardised log density of samples x (n, ...); (n,), float32."""
        return ((self.log_p(x.float()) - self.shift) / self.scale).float()

    def squared_distances(self, x: Tensor) -> Tensor:
        """|| x_i - m_j ||^2 for samples x (n, ...), by a matrix product in the precision of x; (n, M)."""
        rows, means = x.flatten(1), self.means.to(x.dtype)
        centre = means.mean(dim=0)
        rows, means = rows - centre, means - centre
        with torch.autocast(x.device.type, enabled=False):
            product = rows @ means.T
        return (rows.square().sum(1, keepdim=True) + means.square().sum(1) - 2 * product).clamp_min(0)


def likeliest_variance(squared: Tensor, k: int) -> Tensor:
    """The sigma^2 under which samples are likeliest, by expectation maximisation; scalar.

    Parameters
    ----------
    squared
        The squared distances of n samples to M kernels, (n, M), float64.
    k
        Number of values in a sample.
    """
    variance = (squared.amin(dim=1).mean() / k).clamp_min(TINY)
    for _ in range(EM_STEPS):
        responsibilities = torch.softmax(-squared / (2 * variance), dim=1)
        before, variance = variance, ((responsibilities * squared).sum(dim=1).mean() / k).clamp_min(TINY)
        if (variance - before).abs() < SETTLED * before:
            break
    return variance


def entropy(g: Tensor, neighbour: int = 1) -> Tensor:
    """The Kozachenko-Leonenko estimate of the differential entropy of samples g (n, ...), in nats a value; scalar.

    With rho_i the distance of g_i to its `neighbour`-th nearest sample among the others, of k values each,

        H / k = 1/n sum_i log rho_i + (psi(n) - psi(neighbour) + log V_k) / k,

    where V_k is the volume of the unit ball and psi the digamma function.

    References
    ----------
    Kozachenko & Leonenko 1987, "Sample estimate of the entropy of a random vector".
    """
    n, k = len(g), g[0].numel()
    apart = pairwise(g.float()) + torch.eye(n, device=g.device) * torch.finfo(torch.float32).max
    rho = apart.topk(neighbour, dim=1, largest=False).values[:, -1]
    psi = torch.digamma(torch.tensor([float(n), float(neighbour)], dtype=torch.float64))
    log_volume = k / 2 * math.log(math.pi) - math.lgamma(k / 2 + 1)
    return rho.clamp_min(EPSILON).log().mean() + (float(psi[0] - psi[1]) + log_volume) / k
