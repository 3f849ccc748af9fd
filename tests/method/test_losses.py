import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
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
    EPSILON,
    anomaly_loss,
    boundary_loss,
    critic_loss,
    dispersion,
    distance,
    generator_loss,
    gradient_penalty,
    nearest,
    pairwise,
    retraining_critic_loss,
    variational_bound,
)

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

sizes = st.integers(1, 12)
seeds = st.integers(0, 2**32 - 1)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def gradients(loss, *inputs):
    return torch.autograd.grad(loss, inputs)


# Eq. (4)


def brute_distance(b, g, p=2.0):
    """min_j || b_i - g_j ||_p, one pair at a time, in float64."""
    return torch.stack(
        [torch.stack([(x - y).abs().pow(p).sum().pow(1 / p) for y in g.double()]).min() for x in b.double()]
    )


@given(n=sizes, q=sizes, k=sizes, seed=seeds)
def test_distance_is_the_least_over_all_pairs(n, q, k, seed):
    b, g = normal(n, k, seed=seed), normal(q, k, seed=seed + 1)
    torch.testing.assert_close(distance(b, g).double(), brute_distance(b, g), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("p", [1.0, 3.0])
@given(n=sizes, q=sizes, k=sizes, seed=seeds)
def test_distance_in_another_norm_is_the_one_to_the_euclidean_neighbour(p, n, q, k, seed):
    b, g = normal(n, k, seed=seed), normal(q, k, seed=seed + 1)
    neighbours = g[torch.cdist(b.double(), g.double()).argmin(dim=1)]
    found = distance(b, g, p).double()
    expected = (b - neighbours).double().abs().pow(p).sum(dim=1).pow(1 / p)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert (found >= brute_distance(b, g, p) - 1e-4).all(), "an upper bound of the minimum"


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_distance_to_a_single_sample_has_no_choice_of_neighbour(p):
    b, g = normal(20, 5), normal(1, 5, seed=1)
    torch.testing.assert_close(distance(b, g, p).double(), brute_distance(b, g, p), rtol=1e-4, atol=1e-4)


@given(n=sizes, q=sizes, k=sizes, seed=seeds, chunk=st.integers(1, 15))
def test_the_chunk_does_not_matter(n, q, k, seed, chunk):
    random = torch.Generator().manual_seed(seed)
    b, g = (torch.randint(-4, 5, (m, k), generator=random).float() for m in (n, q))  # exact, so ties are ties
    found = (b - g[nearest(b, g, chunk)]).square().sum(dim=1)
    assert torch.equal(found, (b[:, None] - g).square().sum(dim=2).min(dim=1).values)


def test_distance_takes_images():
    b, g = normal(4, 3, 5, 6), normal(7, 3, 5, 6, seed=1)
    torch.testing.assert_close(distance(b, g), distance(b.flatten(1), g.flatten(1)))


@pytest.mark.parametrize("p", [2.0, 3.0])
def test_the_gradient_of_distance_is_that_of_the_minimum_and_reaches_b_alone(p):
    b, g = normal(9, 6).requires_grad_(True), normal(1 if p != 2 else 12, 6, seed=1).requires_grad_(True)
    (found,) = gradients(distance(b, g, p).sum(), b)
    (expected,) = gradients(brute_distance(b, g, p).sum(), b)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    distance(b, g, p).sum().backward()
    assert g.grad is None


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("k", [2, 784, 3072])
def test_distance_to_a_copy_is_about_nothing_and_has_a_finite_gradient(p, k):
    g = normal(5, k)
    b = g[:2].clone().requires_grad_(True)
    d = distance(b, g, p)
    assert (d <= 2 * EPSILON * k ** (1 / p)).all()
    (gradient,) = gradients(d.sum(), b)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("offset", [0.0, 30.0, 1000.0])
def test_the_origin_does_not_matter_to_distance(offset):
    b, g = normal(20, 784) + offset, normal(60, 784, seed=1) + offset
    d = distance(b.requires_grad_(True), g)
    torch.testing.assert_close(d.double(), torch.cdist(b.double(), g.double()).min(dim=1).values, rtol=1e-4, atol=1e-4)
    assert gradients(d.sum(), b)[0].isfinite().all()


def test_distance_keeps_the_order_of_b_and_forgets_that_of_g():
    b, g = normal(8, 4), normal(15, 4, seed=1)
    order, other = (torch.randperm(m, generator=torch.Generator().manual_seed(2)) for m in (8, 15))
    torch.testing.assert_close(distance(b[order], g[other]), distance(b, g)[order])


@pytest.mark.parametrize("scale", [1e-2, 10.0])
@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_distance_scales_with_the_data(scale, p):
    b, g = normal(8, 4), normal(15, 4, seed=1)
    torch.testing.assert_close(distance(scale * b, scale * g, p), scale * distance(b, g, p), rtol=1e-3, atol=0)


# Eq. (5)


def brute_dispersion(z, b, neighbours=None, epsilon=0.0):
    """1/(N-1) sum_{j != i} || z_i - z_j || / || b_i - b_j ||, or the mean over the nearest b_j, one pair at a time."""
    rows = []
    for i in range(len(b)):
        pairs = []
        for j in range(len(b)):
            if j != i:
                far = (b[i].double() - b[j].double()).norm()
                softened = (far.square() + epsilon**2).sqrt()
                pairs.append((far.item(), (z[i].double() - z[j].double()).norm() / softened))
        kept = sorted(pairs, key=lambda pair: pair[0])[:neighbours]
        rows.append(sum(ratio for _, ratio in kept) / len(kept))
    return torch.stack(rows)


@given(n=st.integers(2, 12), latent=sizes, k=st.integers(2, 12), seed=seeds)
def test_dispersion_is_the_mean_over_the_others(n, latent, k, seed):
    z, b = normal(n, latent, seed=seed), normal(n, k, seed=seed + 1)
    torch.testing.assert_close(dispersion(z, b).double(), brute_dispersion(z, b), rtol=1e-4, atol=1e-4)


@given(n=st.integers(2, 12), neighbours=st.integers(1, 14), seed=seeds)
def test_dispersion_over_the_nearest_alone(n, neighbours, seed):
    z, b = normal(n, 3, seed=seed), normal(n, 4, seed=seed + 1)
    found, expected = dispersion(z, b, neighbours).double(), brute_dispersion(z, b, neighbours)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("epsilon", [0.0, 0.7])
@pytest.mark.parametrize("neighbours", [None, 3])
def test_softened_dispersion_and_its_gradient(neighbours, epsilon):
    z, b = normal(10, 3), normal(10, 5, seed=1).requires_grad_(True)
    found_s, expected_s = dispersion(z, b, neighbours, epsilon), brute_dispersion(z, b, neighbours, epsilon)
    torch.testing.assert_close(found_s.double(), expected_s, rtol=1e-4, atol=1e-4)
    (found,) = gradients(found_s.sum(), b)
    (expected,) = gradients(expected_s.sum(), b)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_dispersion_drives_a_close_pair_apart():
    z, b = normal(2, 3), torch.tensor([[0.0, 0.0], [0.1, 0.0]], requires_grad=True)
    (gradient,) = gradients(dispersion(z, b).sum(), b)
    assert gradient[0, 0] > 0 > gradient[1, 0]


def test_dispersion_takes_images():
    z, b = normal(6, 3), normal(6, 1, 4, 5, seed=1)
    torch.testing.assert_close(dispersion(z, b), dispersion(z, b.flatten(1)))


@pytest.mark.parametrize("neighbours", [None, 3])
def test_dispersion_follows_the_order_of_the_pairs(neighbours):
    z, b = normal(10, 3), normal(10, 5, seed=1)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(dispersion(z[order], b[order], neighbours), dispersion(z, b, neighbours)[order])


@pytest.mark.parametrize("scale", [1e-2, 10.0])
@pytest.mark.parametrize("neighbours", [None, 3])
def test_dispersion_scales_with_z_and_against_b(scale, neighbours):
    z, b = normal(10, 3), normal(10, 5, seed=1)
    torch.testing.assert_close(dispersion(z, scale * b, neighbours), dispersion(z, b, neighbours) / scale)
    torch.testing.assert_close(dispersion(scale * z, b, neighbours), dispersion(z, b, neighbours) * scale)


@pytest.mark.parametrize("neighbours", [None, 2])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_dispersion_is_finite_where_samples_coincide(neighbours, offset):
    z, b = normal(8, 16), normal(8, 784, seed=1) + offset
    b[1] = b[0]
    s = dispersion(z, b.requires_grad_(True), neighbours)
    assert s.isfinite().all()
    assert gradients(s.sum(), b)[0].isfinite().all()


@pytest.mark.parametrize("far", [1.0, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("offset", [0.0, 2.0])
def test_a_close_pair_among_distant_samples_is_not_lost_to_rounding(far, offset):
    z, b = normal(8, 16), normal(8, 784, seed=1) + offset
    b[1] = b[0] + far / math.sqrt(784)
    torch.testing.assert_close(dispersion(z, b).double(), brute_dispersion(z, b), rtol=1e-3, atol=0)


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


@given(n=st.integers(2, 8), k=st.integers(1, 5), seed=st.integers(0, 99))
def test_the_gradient_of_pairwise_distances_is_that_of_the_definition(n, k, seed):
    random = torch.Generator().manual_seed(seed)
    a, weight = torch.randn(n, k, generator=random) + 5, torch.randn(n, n, generator=random)
    weight.fill_diagonal_(0)  # a distance of zero has no gradient
    mine, theirs = (a.clone().requires_grad_(True) for _ in range(2))
    (pairwise(mine) * weight).sum().backward()
    others = ~torch.eye(n, dtype=torch.bool)
    differences = (theirs.double()[:, None] - theirs.double()[None])[others]
    (torch.linalg.vector_norm(differences, dim=1) * weight[others]).sum().backward()
    torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-3, atol=1e-4)


def test_samples_that_meet_have_no_gradient():
    a = torch.tensor([[0.0], [EPSILON / 10]], requires_grad=True)
    pairwise(a).sum().backward()
    assert torch.equal(a.grad, torch.zeros(2, 1))
