import math
from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp
from torch.special import ndtr

from omasgan.errors import UserError
from omasgan.method.divergences import (
    GAN,
    KL,
    Alpha,
    JensenShannon,
    KLWasserstein,
    Neyman,
    Pearson,
    ReverseKL,
    SquaredHellinger,
    TotalVariation,
)


class Row(NamedTuple):
    """A line of the literature's tables, in arithmetic of any precision; f* is finite for t in (low, high)."""

    f: object
    conjugate: object
    activation: object
    low: float = -math.inf
    high: float = math.inf


def alpha_row(alpha):
    a = mp.mpf(alpha)

    def f(u):
        return (u**a - 1 - a * (u - 1)) / (a * (a - 1))

    def conjugate(t):
        return (max(1 + (a - 1) * t, 0) ** (a / (a - 1)) - 1) / a

    if alpha >= 1:
        return Row(f, conjugate, lambda v: v)
    return Row(f, conjugate, lambda v: 1 / (1 - a) - mp.log(1 + mp.exp(-v)), high=1 / (1 - alpha))


ROWS = {
    KL(): Row(lambda u: u * mp.log(u), lambda t: mp.exp(t - 1), lambda v: v),
    ReverseKL(): Row(lambda u: -mp.log(u), lambda t: -1 - mp.log(-t), lambda v: -mp.exp(-v), high=0),
    Pearson(): Row(lambda u: (u - 1) ** 2, lambda t: t**2 / 4 + t, lambda v: v),
    Neyman(): Row(lambda u: (1 - u) ** 2 / u, lambda t: 2 - 2 * mp.sqrt(1 - t), lambda v: 1 - mp.exp(-v), high=1),
    SquaredHellinger(): Row(lambda u: (mp.sqrt(u) - 1) ** 2, lambda t: t / (1 - t), lambda v: 1 - mp.exp(-v), high=1),
    JensenShannon(): Row(
        lambda u: u * mp.log(u) - (u + 1) * mp.log((u + 1) / 2),
        lambda t: -mp.log(2 - mp.exp(t)),
        lambda v: mp.log(2) - mp.log(1 + mp.exp(-v)),
        high=math.log(2),
    ),
    GAN(): Row(
        lambda u: u * mp.log(u) - (u + 1) * mp.log(u + 1),
        lambda t: -mp.log(1 - mp.exp(t)),
        lambda v: -mp.log(1 + mp.exp(-v)),
        high=0,
    ),
    TotalVariation(): Row(lambda u: abs(u - 1) / 2, lambda t: t, lambda v: mp.tanh(v) / 2, low=-0.5, high=0.5),
    Alpha(1.0): Row(lambda u: u * mp.log(u) - u + 1, lambda t: mp.exp(t) - 1, lambda v: v),
    Alpha(0.0): Row(
        lambda u: u - 1 - mp.log(u), lambda t: -mp.log(1 - t), lambda v: 1 - mp.log(1 + mp.exp(-v)), high=1
    ),
    **{Alpha(a): alpha_row(a) for a in (-2.0, 0.1, 0.8, 1.5, 3.0)},
}


def name(divergence):
    return type(divergence).__name__ + (f"({divergence.alpha})" if isinstance(divergence, Alpha) else "")


every = pytest.mark.parametrize("divergence", ROWS, ids=name)

ratios = st.floats(-5, 5).map(math.exp)
outputs = st.floats(-10, 10)


@pytest.fixture(autouse=True)
def digits():
    """Enough of them that 1 - exp(-700) is not 1."""
    with mp.workdps(700):
        yield


def t(value):
    return torch.tensor(value, dtype=torch.float64)


def derivative(function, x):
    x = x.detach().clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(function(x).sum(), x)
    return gradient


def truth(function, points):
    return t([float(function(mp.mpf(point))) for point in points.tolist()])


@every
def test_f_its_conjugate_and_the_activation_are_those_of_the_literature(divergence):
    row, u, v = ROWS[divergence], torch.logspace(-2, 2, 21, dtype=torch.float64), torch.linspace(-6, 6, 25).double()
    torch.testing.assert_close(divergence.f(u), truth(row.f, u), rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(divergence.activation(v), truth(row.activation, v), rtol=1e-11, atol=1e-11)
    values = divergence.activation(v)
    torch.testing.assert_close(divergence.conjugate(values), truth(row.conjugate, values), rtol=1e-9, atol=1e-9)


@every
@given(ratio=ratios, v=outputs)
def test_fenchel_young(divergence, ratio, v):
    u = t(ratio)
    values = divergence.activation(t(v))
    gap = divergence.f(u) + divergence.conjugate(values) - u * values
    assert gap >= -1e-9 * (1 + divergence.f(u).abs() + (u * values).abs())


@every
def test_fenchel_young_is_an_equality_at_the_derivative(divergence):
    u = torch.logspace(-2, 2, 40, dtype=torch.float64)
    slope = derivative(divergence.f, u)
    torch.testing.assert_close(divergence.f(u) + divergence.conjugate(slope), u * slope, rtol=1e-9, atol=1e-9)


@every
def test_the_conjugate_of_the_conjugate_is_f(divergence):
    v = torch.linspace(-60, 60, 120_001, dtype=torch.float64)
    values, conjugates = divergence.activation(v), divergence.conjugate_of_activation(v)
    u = torch.logspace(-0.6, 0.6, 13, dtype=torch.float64)
    supremum = (u[:, None] * values - conjugates).max(dim=1).values
    torch.testing.assert_close(supremum, divergence.f(u), rtol=1e-5, atol=1e-5)


@every
def test_the_conjugate_is_the_supremum(divergence):
    u = torch.logspace(-8, 8, 400_001, base=math.e, dtype=torch.float64)
    values = derivative(divergence.f, torch.logspace(-1, 1, 13, dtype=torch.float64))
    supremum = (values[:, None] * u - divergence.f(u)).max(dim=1).values
    tolerance = 1e-3 if isinstance(divergence, TotalVariation) else 1e-5  # its supremum may lie at u = 0
    torch.testing.assert_close(supremum, divergence.conjugate(values), rtol=tolerance, atol=tolerance)


@every
@given(a=ratios, b=ratios, weight=st.floats(0, 1))
def test_f_is_convex(divergence, a, b, weight):
    chord = weight * divergence.f(t(a)) + (1 - weight) * divergence.f(t(b))
    below = divergence.f(t(weight * a + (1 - weight) * b))
    assert below <= chord + 1e-9 * (1 + chord.abs())


@every
def test_f_of_one_is_zero_so_that_equal_distributions_have_no_divergence(divergence):
    expected = -2 * math.log(2) if isinstance(divergence, GAN) else 0.0
    assert divergence.f(t(1.0)) == pytest.approx(expected, abs=1e-15)


@every
def test_the_activation_is_increasing_and_stays_where_the_conjugate_is_finite(divergence):
    v = torch.linspace(-15, 15, 3001, dtype=torch.float64)
    values, row = divergence.activation(v), ROWS[divergence]
    assert (values.diff() > 0).all()
    assert row.low < values.min()
    assert values.max() < row.high
    assert divergence.conjugate(values).isfinite().all()


@every
def test_the_activation_reaches_what_every_ratio_asks_for(divergence):
    v = t([-1000.0, 1000.0])
    low, high = divergence.activation(v)
    slopes = derivative(divergence.f, t([0.1, 0.5, 2.0, 10.0]))
    assert (low <= slopes).all()
    assert (slopes <= high).all()


@every
def test_the_threshold_is_the_derivative_at_one(divergence):
    assert divergence.threshold == pytest.approx(derivative(divergence.f, t(1.0)).item(), abs=1e-15)


@every
def test_the_composition_is_the_conjugate_of_the_activation(divergence):
    v = torch.linspace(-8, 8, 65, dtype=torch.float64)
    composed = divergence.conjugate(divergence.activation(v))
    torch.testing.assert_close(divergence.conjugate_of_activation(v), composed, rtol=1e-9, atol=1e-9)


FAR = [
    sign * size for size in (1e-6, 0.1, 1.0, 10.0, 19.9, 20.1, 29.9, 30.1, 60.0, 87.0, 105.0, 700.0) for sign in (-1, 1)
]


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_composition_neither_overflows_nor_cancels_far_out(divergence, dtype):
    row, v = ROWS[divergence], torch.tensor(FAR, dtype=dtype, requires_grad=True)
    with mp.workdps(700):
        expected = [float(row.conjugate(row.activation(mp.mpf(point)))) for point in v.tolist()]
    expected = torch.tensor(expected, dtype=torch.float64).to(dtype)
    found = divergence.conjugate_of_activation(v)
    rtol, atol = (1e-4, 2e-7) if dtype == torch.float32 else (2e-8, 1e-15)
    torch.testing.assert_close(found, expected, rtol=rtol, atol=atol)
    (gradient,) = torch.autograd.grad(found.sum(), v)
    representable = expected.abs() < torch.finfo(dtype).max / 1e6
    assert gradient[representable].isfinite().all()
    assert not gradient.isnan().any()


@every
def test_critic_and_generator_pay_the_terms_of_the_bound(divergence):
    v = torch.linspace(-4, 4, 33, dtype=torch.float64)
    assert torch.equal(divergence.positive(v), -divergence.activation(v))
    assert torch.equal(divergence.negative(v), divergence.conjugate_of_activation(v))
    assert torch.equal(divergence.generator(v), -divergence.activation(v))


U = torch.logspace(-2, 2, 41, dtype=torch.float64)


@pytest.mark.parametrize(
    ("alpha", "factor", "other"), [(2.0, 0.5, Pearson()), (0.5, 2.0, SquaredHellinger()), (-1.0, 0.5, Neyman())]
)
def test_alpha_is_a_multiple_of_a_classic(alpha, factor, other):
    torch.testing.assert_close(Alpha(alpha).f(U), factor * other.f(U))


@pytest.mark.parametrize(("limit", "other", "slope"), [(1.0, KL(), -1.0), (0.0, ReverseKL(), 1.0)])
@pytest.mark.parametrize("step", [-1e-5, 0.0, 1e-5])
def test_alpha_has_kl_and_reverse_kl_as_limits(limit, other, slope, step):
    # A multiple of u - 1 has no expectation under Q, so it changes no divergence.
    expected = other.f(U) + slope * (U - 1)
    torch.testing.assert_close(Alpha(limit + step).f(U), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("alpha", [math.nan, math.inf, -math.inf])
def test_alpha_must_be_finite(alpha):
    with pytest.raises(UserError, match=rf"^divergence\.alpha is {alpha}: .*finite"):
        Alpha(alpha)


# kl_wasserstein


def test_klwgan_is_kl_but_for_what_it_pays():
    for method in ("f", "conjugate", "activation", "conjugate_of_activation", "threshold"):
        assert getattr(KLWasserstein, method) is getattr(KL, method), method


def weights(v, tau):
    ratio = torch.exp(v / tau)
    return ratio / ratio.mean()


@pytest.mark.parametrize("tau", [0.5, 1.0, 5.0])
def test_klwgan_pays_the_hinge_with_weights_of_mean_one(tau):
    divergence, v = KLWasserstein(tau), torch.randn(64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    w = weights(v, tau)
    torch.testing.assert_close(divergence.positive(v), torch.clamp(1 - v, min=0))
    torch.testing.assert_close(divergence.negative(v), torch.clamp(1 + w * v, min=0))
    torch.testing.assert_close(divergence.generator(v), -w * v)
    torch.testing.assert_close((-divergence.generator(v) / v).mean(), t(1.0))


def test_klwgan_weights_survive_large_outputs():
    for shift in (-1e4, 1e4):
        v = torch.tensor([0.0, 1.0, 2.0]) + shift
        torch.testing.assert_close(-KLWasserstein(5.0).generator(v) / v, weights(v - shift, 5.0), rtol=1e-3, atol=0)


def test_the_gradient_flows_through_the_klwgan_weights():
    divergence, v = KLWasserstein(2.0), t([-0.5, 0.3, 0.9, 1.4])
    found = derivative(divergence.generator, v)
    torch.testing.assert_close(found, derivative(lambda v: -weights(v, 2.0) * v, v))
    assert not torch.allclose(found, -weights(v, 2.0))


@pytest.mark.parametrize("tau", [0.0, -1.0, math.nan])
def test_tau_must_be_positive(tau):
    with pytest.raises(UserError, match=rf"^divergence\.tau is {tau}: .*above 0"):
        KLWasserstein(tau)


# The bound on two Gaussians, P = N(0, 1) and Q = N(M, S^2), by quadrature

M, S = 0.5, 1.2
X = torch.linspace(-14, 14, 2801, dtype=torch.float64)
DX = X[1] - X[0]
LOG_P = -X.square() / 2 - math.log(2 * math.pi) / 2
LOG_Q = -((X - M) / S).square() / 2 - math.log(2 * math.pi) / 2 - math.log(S)
P, Q = LOG_P.exp(), LOG_Q.exp()


def chernoff(a):
    """The integral of p^a q^(1 - a)."""
    w = (1 - a) / S**2
    return S ** (a - 1) / math.sqrt(a + w) * math.exp(-(M**2) * w * a / (2 * (a + w)))


def total_variation():
    """Half the integral of |p - q|, whose sign changes where the quadratic log p - log q does."""
    a, b, c = (1 / S**2 - 1) / 2, -M / S**2, M**2 / (2 * S**2) + math.log(S)
    root = math.sqrt(b**2 - 4 * a * c)
    ends = t(sorted([(-b - root) / (2 * a), (-b + root) / (2 * a)]))
    return float(ndtr(ends).diff() - ndtr((ends - M) / S).diff())


JS = float(((P * (LOG_P - (P + Q).log() + math.log(2))) + Q * (LOG_Q - (P + Q).log() + math.log(2))).sum() * DX)

KNOWN = {
    KL(): math.log(S) + (1 + M**2) / (2 * S**2) - 0.5,
    ReverseKL(): -math.log(S) + (S**2 + M**2) / 2 - 0.5,
    Pearson(): chernoff(2) - 1,
    Neyman(): chernoff(-1) - 1,
    SquaredHellinger(): 2 - 2 * chernoff(0.5),
    JensenShannon(): JS,
    GAN(): JS - 2 * math.log(2),
    TotalVariation(): total_variation(),
    Alpha(0.0): -math.log(S) + (S**2 + M**2) / 2 - 0.5,
    Alpha(1.0): math.log(S) + (1 + M**2) / (2 * S**2) - 0.5,
    **{Alpha(a): (chernoff(a) - 1) / (a * (a - 1)) for a in (0.3, 1.5)},
}
every_known = pytest.mark.parametrize(("divergence", "known"), KNOWN.items(), ids=map(name, KNOWN))


@every_known
def test_the_divergence_is_the_expectation_of_f(divergence, known):
    assert float((Q * divergence.f((LOG_P - LOG_Q).exp())).sum() * DX) == pytest.approx(known, abs=1e-5)


@every_known
def test_the_best_critic_attains_the_divergence(divergence, known):
    best = derivative(divergence.f, (LOG_P - LOG_Q).exp())
    assert float((P * best - Q * divergence.conjugate(best)).sum() * DX) == pytest.approx(known, abs=1e-5)


def bound(divergence, v):
    return -((P * divergence.positive(v) + Q * divergence.negative(v)).sum() * DX)


def trained_bound(divergence):
    """The bound after training the critic V(x) = a + b x + c x^2."""
    coefficients = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    powers = X[:, None] ** torch.arange(3)
    optimiser = torch.optim.LBFGS([coefficients], max_iter=100, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        value = -bound(divergence, powers @ coefficients)
        value.backward()
        return value.item()

    start = -optimiser.step(loss)
    return start, bound(divergence, powers @ coefficients).item()


@pytest.mark.parametrize(
    "divergence", [KL(), ReverseKL(), Neyman(), SquaredHellinger(), JensenShannon(), GAN()], ids=name
)
def test_a_trained_critic_attains_the_divergence(divergence):
    # For these, V is an affine function of log p/q at its best: what this critic can be.
    known = next(value for other, value in KNOWN.items() if type(other) is type(divergence))
    start, end = trained_bound(divergence)
    baseline = divergence.f(t(1.0)).item()  # the bound of a critic that knows nothing, at best
    assert end - baseline == pytest.approx(known - baseline, rel=0.01)
    assert end <= known + 1e-6
    assert start < end


@every_known
def test_no_critic_exceeds_the_divergence(divergence, known):
    _, end = trained_bound(divergence)
    assert end <= known + 1e-6
    generator = torch.Generator().manual_seed(0)
    for scale in (0.1, 0.5, 1.0, 2.0):
        v = scale * torch.randn(len(X), generator=generator, dtype=torch.float64)
        assert bound(divergence, v) <= known + 1e-6
