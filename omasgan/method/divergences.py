"""The f-divergences, one class for each: the losses of critic and generator, T for the score, and f*(T) for Task 2."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from omasgan.errors import UserError


def xlogy(x: Tensor, y: Tensor) -> Tensor:
    """x log y, which is 0 where x is 0; of the shape of x."""
    return cast(Tensor, torch.special.xlogy(x, y))


def log_softplus(x: Tensor) -> Tensor:
    """log(softplus(x)), which far below 0 is x itself, because softplus(x) is exp(x) there; of the shape of x."""
    return torch.where(x < -30, x, torch.log(softplus(x.clamp_min(-30))))


class Divergence(ABC):
    """An f-divergence D_f(P || Q) = E_Q[f(dP/dQ)] in variational form; methods act elementwise, on any shape.

    D_f(P || Q) >= E_P[T] - E_Q[f*(T)] for every T with values in the domain of the convex conjugate f*, with equality
    at T = f'(dP/dQ). A network's raw output v becomes T = g_f(v).

    References
    ----------
    Nguyen et al. 2010; Nowozin et al. 2016 (f-GAN), tables 1, 2 and 6.

    Examples
    --------
    >>> kl, v = KL(), torch.tensor([1.0, 1.0])
    >>> kl.positive(v), kl.negative(v), kl.threshold
    (tensor([-1., -1.]), tensor([1., 1.]), 1.0)
    """

    threshold: float  # f'(1), the value of T where P and Q are equally likely

    @abstractmethod
    def f(self, u: Tensor) -> Tensor:
        """f(u), convex in the density ratio u > 0, with f(1) = 0 (for `GAN` -log 4)."""

    @abstractmethod
    def conjugate(self, t: Tensor) -> Tensor:
        """f*(t) = sup_u (u t - f(u))."""

    @abstractmethod
    def activation(self, v: Tensor) -> Tensor:
        """T = g_f(v), an increasing function from the real line into the domain of f*."""

    @abstractmethod
    def conjugate_of_activation(self, v: Tensor) -> Tensor:
        """f*(g_f(v)), written so that no intermediate value overflows or cancels."""

    def positive(self, v: Tensor) -> Tensor:
        """The critic's loss on a sample of P (data): -T."""
        return -self.activation(v)

    def negative(self, v: Tensor) -> Tensor:
        """The critic's loss on a sample of Q (generated): f*(T)."""
        return self.conjugate_of_activation(v)

    def generator(self, v: Tensor) -> Tensor:
        """A generator's loss on its sample: -T, since -f*(T) of eq. (2) has no gradient where the critic is certain."""
        return self.positive(v)


class KL(Divergence):
    """Kullback-Leibler: f(u) = u log u."""

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
    """Reverse Kullback-Leibler: f(u) = -log u."""

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
    """Pearson chi-square: f(u) = (u - 1)^2.

    As in the literature, f* is t^2/4 + t even for t < -2, where the supremum is -1: the bound is looser, never wrong.
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
    """Neyman chi-square: f(u) = (1 - u)^2 / u."""

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
    """Squared Hellinger distance: f(u) = (sqrt u - 1)^2."""

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
    """Twice the usual Jensen-Shannon divergence: f(u) = u log u - (u + 1) log((u + 1)/2)."""

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
    """The divergence of the original GAN: f(u) = u log u - (u + 1) log(u + 1), `JensenShannon` minus log 4."""

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
    """Total variation: f(u) = |u - 1| / 2."""

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
    """The alpha family: f(u) = (u^a - 1 - a (u - 1)) / (a (a - 1)).

    Parameters
    ----------
    alpha
        Any number a: 1 is kl, 0 is reverse_kl, 2 is half of pearson, 1/2 twice squared_hellinger, -1 half of neyman.

    Examples
    --------
    >>> Alpha(2.0).f(torch.tensor([0.0, 1.0, 3.0]))
    tensor([0.5000, 0.0000, 2.0000])
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
        base = (1 + (a - 1) * t).clamp_min(0)  # negative only for a > 1, where the supremum is at u = 0: f* = -1/a
        return -torch.log(base) if a == 0 else (base ** (a / (a - 1)) - 1) / a

    def activation(self, v: Tensor) -> Tensor:
        return v if self.alpha >= 1 else 1 / (1 - self.alpha) - softplus(-v)

    def conjugate_of_activation(self, v: Tensor) -> Tensor:
        a = self.alpha
        if a >= 1:
            return self.conjugate(v)
        log_base = math.log(1 - a) + log_softplus(-v)  # (1 - a) softplus(-v) itself underflows for large v
        return -log_base if a == 0 else torch.expm1(a / (a - 1) * log_base) / a


class KLWasserstein(KL):
    """KLWGAN (Song and Ermon 2020), the paper's base model: a hinge loss with weights on the generated batch.

    The weights w_i = exp(v_i / tau) / mean_j exp(v_j / tau) are the density ratios that the critic implies. They
    depend on the rest of the batch, so no score uses them: f, f* and T are those of kl.

    Parameters
    ----------
    tau
        Temperature of the weights; 5 in the authors' runs.

    Examples
    --------
    >>> KLWasserstein().negative(torch.tensor([-2.0, 0.0]))  # a sample beyond the hinge costs nothing
    tensor([0., 1.])
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
