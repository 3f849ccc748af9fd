"""The divergence between Gaussians in an evidence lower bound."""

from __future__ import annotations

from torch import Tensor


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, I)) of diagonal Gaussians (n, l), summed over l, averaged over n; scalar."""
    return kl_divergences(mean, log_variance).mean()


def kl_divergences(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, I)) of each of the diagonal Gaussians (n, l), summed over l; (n,)."""
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1) / 2
