import pytest
import torch
from torch import nn

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
from omasgan.method.losses import (
    anomaly_loss,
    boundary_loss,
    critic_loss,
    generator_loss,
    gradient_penalty,
    retraining_critic_loss,
    variational_bound,
)
from tests.method.tensors import gradients, normal

F_DIVERGENCES = [
    KL(),
    ReverseKL(),
    Pearson(),
    Neyman(),
    SquaredHellinger(),
    JensenShannon(),
    GAN(),
    TotalVariation(),
    Alpha(0.5),
    Alpha(2.0),
]
every_f = pytest.mark.parametrize("divergence", F_DIVERGENCES, ids=lambda divergence: type(divergence).__name__)


# Eq. (1) to (3), (6) and (7)


@pytest.fixture
def v():
    """Outputs of a network on four batches of different sizes."""
    return tuple(normal(n, seed=n).double().requires_grad_(True) for n in (5, 6, 7, 8))


@every_f
def test_critic_and_generator_play_for_the_bound(divergence, v):
    p, q, *_ = v
    bound = divergence.activation(p).mean() - divergence.conjugate(divergence.activation(q)).mean()
    torch.testing.assert_close(variational_bound(divergence, p, q), bound)
    torch.testing.assert_close(critic_loss(divergence, p, q), -bound)
    torch.testing.assert_close(generator_loss(divergence, q), -divergence.activation(q).mean())


def test_klwgan_critic_and_generator(v):
    p, q, *_ = v
    w = torch.exp(q / 5) / torch.exp(q / 5).mean()
    expected = torch.clamp(1 - p, min=0).mean() + torch.clamp(1 + w * q, min=0).mean()
    torch.testing.assert_close(critic_loss(KLWasserstein(5.0), p, q), expected)
    torch.testing.assert_close(generator_loss(KLWasserstein(5.0), q), -(w * q).mean())


@every_f
def test_boundary_loss_is_minus_m_plus_distance_plus_dispersion(divergence, v):
    v_g, v_b, d, s = v
    m = divergence.activation(v_g).mean() - divergence.conjugate(divergence.activation(v_b)).mean()
    found = boundary_loss(divergence, v_b, d, s, mu=0.2, nu=0.25)
    whole = -m + 0.2 * d.mean() + 0.25 * s.mean()
    # Of m, the expectation over G is out of B's reach.
    torch.testing.assert_close(found, whole + divergence.activation(v_g).mean())
    for mine, theirs in zip(gradients(found, v_b, d, s), gradients(whole, v_b, d, s), strict=True):
        torch.testing.assert_close(mine, theirs)


@every_f
def test_the_boundary_goes_where_the_critic_is_sure_that_no_sample_is(divergence):
    v_b = torch.linspace(-0.9, 3, 20).double().requires_grad_(True)
    loss = boundary_loss(divergence, v_b, torch.zeros(20), torch.zeros(20), mu=0.0, nu=0.0)
    assert (gradients(loss, v_b)[0] > 0).all()


WEIGHTS = {"alpha": 0.3, "beta": 0.7, "gamma": 0.4}


def test_retraining_with_the_gan_divergence_is_equation_six(v):
    new, real, boundary, generated = v
    C_new, C_real, C_boundary, C_generated = (torch.sigmoid(side) for side in v)
    objective = (
        torch.log(1 - C_new).mean()
        + 0.3 * torch.log(C_real).mean()
        + 0.7 * torch.log(1 - C_boundary).mean()
        + 0.4 * torch.log(C_generated).mean()
    )
    torch.testing.assert_close(retraining_critic_loss(GAN(), new, real, boundary, generated, **WEIGHTS), -objective)


@every_f
def test_retraining_is_a_weighted_sum_of_bounds(divergence, v):
    new, real, boundary, generated = v
    T_new, T_real, T_boundary, T_generated = (divergence.activation(side) for side in v)
    objective = (
        0.3 * T_real.mean()
        + 0.4 * T_generated.mean()
        - divergence.conjugate(T_new).mean()
        - 0.7 * divergence.conjugate(T_boundary).mean()
    )
    loss = retraining_critic_loss(divergence, new, real, boundary, generated, **WEIGHTS)
    torch.testing.assert_close(loss, -objective)


def test_retraining_weighs_each_batch_of_klwgan_by_itself(v):
    divergence, (new, real, boundary, generated) = KLWasserstein(5.0), v
    loss = retraining_critic_loss(divergence, new, real, boundary, generated, **WEIGHTS)
    data, rest = critic_loss(divergence, real, new), critic_loss(divergence, generated, boundary)
    negatives = divergence.negative(new).mean(), divergence.negative(boundary).mean()
    expected = 0.3 * (data - negatives[0]) + negatives[0] + 0.4 * (rest - negatives[1]) + 0.7 * negatives[1]
    torch.testing.assert_close(loss, expected)


def test_the_retrained_critic_raises_data_and_g_and_lowers_the_others():
    v = [torch.linspace(-0.9, 3, 5).double().requires_grad_(True) for _ in range(4)]
    for divergence in F_DIVERGENCES:
        new, real, boundary, generated = gradients(retraining_critic_loss(divergence, *v, **WEIGHTS), *v)
        assert (real < 0).all()
        assert (generated < 0).all()
        assert (new > 0).all()
        assert (boundary > 0).all()


@pytest.mark.parametrize("delta", [0.0, 0.25, 0.5, 1.0])
def test_anomaly_loss_is_equation_seven(v, delta):
    boundary, real, retrained, _ = v
    J_boundary, J_real, J_retrained = (torch.sigmoid(side) for side in (boundary, real, retrained))
    objective = (
        torch.log(J_boundary).mean()
        + delta * torch.log(1 - J_real).mean()
        + (1 - delta) * torch.log(1 - J_retrained).mean()
    )
    torch.testing.assert_close(anomaly_loss(boundary, real, retrained, delta), -objective)


def test_j_rises_on_the_boundary_and_falls_on_data_and_on_the_retrained_generator(v):
    boundary, real, retrained = gradients(anomaly_loss(*v[:3], delta=0.5), *v[:3])
    assert (boundary < 0).all()
    assert (real > 0).all()
    assert (retrained > 0).all()


def test_the_losses_survive_a_critic_that_is_sure():
    low, high = torch.full((3,), -1000.0, requires_grad=True), torch.full((3,), 1000.0, requires_grad=True)
    for loss in (
        anomaly_loss(low, high, high, 0.5),
        critic_loss(GAN(), low, high),
        retraining_critic_loss(GAN(), high, low, high, low, **WEIGHTS),
    ):
        assert loss.isfinite()
        assert all(gradient.isfinite().all() for gradient in gradients(loss, low, high))


# The gradient penalty


class Flat(nn.Module):
    """A network from a function of (n, k)."""

    def __init__(self, function):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, -2.0, 3.0]))
        self.function = function

    def forward(self, x):
        return self.function(x, self.weight)


@pytest.mark.parametrize("sides", [1, 2, 3])
def test_the_penalty_of_a_linear_network_is_the_norm_of_its_weight(sides):
    network = Flat(lambda x, w: x @ w)
    penalty = gradient_penalty(network, [normal(n + 2, 3, seed=n) for n in range(sides)], weight=0.5)
    assert penalty.item() == pytest.approx(0.5 / 2 * sides * 14.0)
    torch.testing.assert_close(gradients(penalty, network.weight)[0], 0.5 * sides * network.weight.detach())


def test_the_penalty_is_the_mean_over_samples_of_the_squared_norm():
    images, network = normal(7, 1, 2, 3), Flat(lambda x, w: x.square().flatten(1).sum(dim=1) * w[1] / 2)
    expected = 10.0 / 2 * 4 * images.square().flatten(1).sum(dim=1).mean()
    torch.testing.assert_close(gradient_penalty(network, [images], weight=10.0).detach(), expected)


def test_the_penalty_leaves_its_samples_alone():
    x, network = normal(4, 3).requires_grad_(True), Flat(lambda x, w: x @ w)
    torch.autograd.backward(gradient_penalty(network, [2 * x], weight=1.0))
    assert x.grad is None
    assert network.weight.grad is not None


def test_no_weight_no_penalty_and_no_work():
    def never(x, w):
        raise AssertionError

    assert gradient_penalty(Flat(never), [normal(4, 3)], weight=0.0) == 0
