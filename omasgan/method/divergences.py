"""The f-divergences of the method, one small class each.

D_f(P || Q) = E_Q[f(dP/dQ)] is bounded from below by E_P[T] - E_Q[f*(T)] for every T with values in the domain of the
convex conjugate f*, with equality at T = f'(dP/dQ) (Nguyen et al. 2010; Nowozin et al. 2016, tables 1, 2 and 6). A
network's raw output v becomes T = g_f(v). Every stage asks a divergence for three per-sample terms alone: what a critic
pays for a sample of P, what it pays for a sample of Q, and what a generator pays whose samples should pass for P's.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from omasgan.errors import UserError


def xlogy(x: Tensor, y: Tensor) -> Tensor:
    """x log y, and 0 where x is 0."""
    return cast(Tensor, torch.special.xlogy(x, y))


def log_softplus(x: Tensor) -> Tensor:
    """log(softplus(x)), which is x itself far below 0, where softplus(x) is exp(x)."""
    return torch.where(x < -30, x, torch.log(softplus(x.clamp_min(-30))))


class Divergence(ABC):
    """One f-divergence. All methods act elementwise on tensors of any shape."""

    threshold: float
    """f'(1): the value of T at which P and Q are equally likely."""

    @abstractmethod
    def f(self, u: Tensor) -> Tensor:
        """The convex generating function f(u) of the density ratio u > 0, with f(1) = 0 up to `gan`'s constant."""

    @abstractmethod
    def conjugate(self, t: Tensor) -> Tensor:
        """f*(t) = sup_u (u t - f(u))."""

    @abstractmethod
    def activation(self, v: Tensor) -> Tensor:
        """T = g_f(v), which maps the real line into the domain of f*; increasing."""

    @abstractmethod
    def conjugate_of_activation(self, v: Tensor) -> Tensor:
        """f*(g_f(v)), written so that no intermediate value overflows or cancels."""

    def positive(self, v: Tensor) -> Tensor:
        """What a critic pays for a sample of P (data): -T."""
        return -self.activation(v)

    def negative(self, v: Tensor) -> Tensor:
        """What a critic pays for a sample of Q (generated): f*(T)."""
        return self.conjugate_of_activation(v)

    def generator(self, v: Tensor) -> Tensor:
        """What a generator pays for its sample: -T, Nowozin's alternative to eq. (1)'s -f*(T), whose gradient survives
        a critic that is sure."""
        return self.positive(v)


class KL(Divergence):
    """Kullback-Leibler, f = u log u."""

    threshold = 1.0

    def f(self, u: Tensor) -> Tensor:
        return xlogy(u, u)

    def conjugate(self, t: Tensor) -> Tensor:
        return torch.exp(t - 1)

    def activation(self, v: Tensor) -> Tensor:
        return v

    def conjugate_of_activation(self, v: Tensor) -> Tensor:
        return torch.exp(v - 1)


class ReverseKL(Divergence):
    """Reverse Kullback-Leibler, f = -log u."""

    threshold = -1.0

    def f(self, u: Tensor) -> Tensor:
        return -torch.log(u)

    def conjugate(self, t: Tensor) -> Tensor:
        return -1 - torch.log(-t)

    def activation(self, v: Tensor) -> Tensor:
        return -torch.exp(-v)

    def conjugate_of_activation(self, v: Tensor) -> Tensor:
        return v - 1


class Pearson(Divergence):
    """Pearson chi-square, f = (u - 1)^2.

    For t < -2 the supremum over u > 0 lies at u = 0 and f* stays at -1; the parabola t^2/4 + t of the literature, used
    here as there, is its analytic continuation: it rises again, so T beyond -2 is a worse bound, never a wrong one.
    """

    threshold = 0.0

    def f(self, u: Tensor) -> Tensor:
        return (u - 1).square()

    def conjugate(self, t: Tensor) -> Tensor:
        return t.square() / 4 + t

    def activation(self, v: Tensor) -> Tensor:
        return v

    def conjugate_of_activation(self, v: Tensor) -> Tensor:
        return v.square() / 4 + v


class Neyman(Divergence):
    """Neyman chi-square, f = (1 - u)^2 / u."""

    threshold = 0.0

    def f(self, u: Tensor) -> Tensor:
        return (1 - u).square() / u

    def conjugate(self, t: Tensor) -> Tensor:
        return 2 - 2 * torch.sqrt(1 - t)

    def activation(self, v: Tensor) -> Tensor:
        return -torch.expm1(-v)

    def conjugate_of_activation(self, v: Tensor) -> Tensor:
        return -2 * torch.expm1(-v / 2)


class SquaredHellinger(Divergence):
    """Squared Hellinger, f = (sqrt u - 1)^2."""

    threshold = 0.0

    def f(self, u: Tensor) -> Tensor:
        return (torch.sqrt(u) - 1).square()

    def conjugate(self, t: Tensor) -> Tensor:
        return t / (1 - t)

    def activation(self, v: Tensor) -> Tensor:
        return -torch.expm1(-v)

    def conjugate_of_activation(self, v: Tensor) -> Tensor:
        return torch.expm1(v)


class JensenShannon(Divergence):
    """Jensen-Shannon (twice the usual normalisation), f = u log u - (u + 1) log((u + 1)/2)."""

    threshold = 0.0

    def f(self, u: Tensor) -> Tensor:
        return xlogy(u, u) - (u + 1) * torch.log((u + 1) / 2)

    def conjugate(self, t: Tensor) -> Tensor:
        return -torch.log(2 - torch.exp(t))

    def activation(self, v: Tensor) -> Tensor:
        return math.log(2) - softplus(-v)

    def conjugate_of_activation(self, v: Tensor) -> Tensor:
        return softplus(v) - math.log(2)


class GAN(Divergence):
    """The divergence of the original GAN, f = u log u - (u + 1) log(u + 1): Jensen-Shannon less log 4."""

    threshold = -math.log(2)

    def f(self, u: Tensor) -> Tensor:
        return xlogy(u, u) - (u + 1) * torch.log(u + 1)

    def conjugate(self, t: Tensor) -> Tensor:
        return -torch.log(-torch.expm1(t))

    def activation(self, v: Tensor) -> Tensor:
        return -softplus(-v)

    def conjugate_of_activation(self, v: Tensor) -> Tensor:
        return softplus(v)


class TotalVariation(Divergence):
    """Total variation, f = |u - 1| / 2."""

    threshold = 0.0

    def f(self, u: Tensor) -> Tensor:
        return (u - 1).abs() / 2

    def conjugate(self, t: Tensor) -> Tensor:
        return t

    def activation(self, v: Tensor) -> Tensor:
        return torch.tanh(v) / 2

    def conjugate_of_activation(self, v: Tensor) -> Tensor:
        return torch.tanh(v) / 2


class Alpha(Divergence):
    """The alpha family, f = (u^a - 1 - a (u - 1)) / (a (a - 1)); a = 1 is kl and a = 0 reverse_kl, by their limits.

    alpha: any real number; 2 is half of pearson, 1/2 twice squared_hellinger, -1 half of neyman.
    """

    threshold = 0.0

    def __init__(self, alpha: float = 0.5) -> None:
        if not math.isfinite(alpha):
            raise UserError(f"divergence.alpha is {alpha}: it must be a finite number")
        self.alpha = alpha

    def f(self, u: Tensor) -> Tensor:
        a = self.alpha
        if a == 1:
            return xlogy(u, u) - u + 1
        if a == 0:
            return u - 1 - torch.log(u)
        return (u**a - 1 - a * (u - 1)) / (a * (a - 1))

    def conjugate(self, t: Tensor) -> Tensor:
        a = self.alpha
        if a == 1:
            return torch.expm1(t)
        # Where the base is negative (a > 1 only) the supremum lies at u = 0, which the clamp gives exactly.
        base = (1 + (a - 1) * t).clamp_min(0)
        return -torch.log(base) if a == 0 else (base ** (a / (a - 1)) - 1) / a

    def activation(self, v: Tensor) -> Tensor:
        return v if self.alpha >= 1 else 1 / (1 - self.alpha) - softplus(-v)

    def conjugate_of_activation(self, v: Tensor) -> Tensor:
        a = self.alpha
        if a >= 1:
            return self.conjugate(v)
        # By the base's logarithm: the base itself, (1 - a) softplus(-v), underflows for large v.
        log_base = math.log(1 - a) + log_softplus(-v)
        return -log_base if a == 0 else torch.expm1(a / (a - 1) * log_base) / a


class KLWasserstein(KL):
    """KLWGAN (Song & Ermon 2020, 'Bridging the gap between f-GANs and Wasserstein GANs'), the paper's base model.

    The generated batch is re-weighted by w_i = exp(v_i / tau) / mean_j exp(v_j / tau), the density ratio that the
    critic itself implies, and the critic pays the hinge. The weights are a statistic of the batch, so they occur in
    training alone; T, f and f* are those of kl.

    tau: temperature of the weights, > 0; 5 in the authors' runs.
    """

    def __init__(self, tau: float = 5.0) -> None:
        if not tau > 0:
            raise UserError(f"divergence.tau is {tau}: it must be above 0")
        self.tau = tau

    def positive(self, v: Tensor) -> Tensor:
        return relu(1 - v)

    def negative(self, v: Tensor) -> Tensor:
        return relu(1 + self._weights(v) * v)

    def generator(self, v: Tensor) -> Tensor:
        return -self._weights(v) * v

    def _weights(self, v: Tensor) -> Tensor:
        return torch.softmax(v / self.tau, dim=0) * len(v)
