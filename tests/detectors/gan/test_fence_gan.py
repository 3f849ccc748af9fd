import copy

import pytest
import torch
from torch.nn.functional import binary_cross_entropy

from omasgan.detectors.gan.fence_gan import Fence, FenceGAN, dispersion
from omasgan.errors import UserError
from omasgan.method.divergences import GAN
from omasgan.method.losses import critic_loss, generator_loss
from tests.detectors.gan.common import GRID, Normed, gaussian, integral, made, modes, rows


@pytest.fixture
def v():
    return torch.linspace(-4, 4, 9, dtype=torch.float64).requires_grad_(True)


def test_the_losses_are_weighted_cross_entropies(v):
    fence, D, other = Fence(0.3, 0.2), v.sigmoid(), torch.tensor([0.5, -1.0], dtype=torch.float64)
    real, generated = torch.ones_like(D), torch.zeros(2, dtype=torch.float64)
    expected = binary_cross_entropy(D, real) + 0.2 * binary_cross_entropy(other.sigmoid(), generated)
    torch.testing.assert_close(critic_loss(fence, v, other), expected)
    torch.testing.assert_close(generator_loss(fence, v), binary_cross_entropy(D, torch.full_like(D, 0.3)))
    torch.testing.assert_close(Fence(1.0, 1.0).generator(v), GAN().generator(v))


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.9])
def test_the_loss_of_the_generator_is_smallest_where_d_is_alpha(alpha):
    v = torch.logit(torch.linspace(0.001, 0.999, 999, dtype=torch.float64)).requires_grad_(True)
    loss = Fence(alpha, 0.1).generator(v)
    (slope,) = torch.autograd.grad(loss.sum(), v)
    D = v.sigmoid().detach()
    assert float(D[loss.argmin()]) == pytest.approx(alpha, abs=1e-3)
    below, above = slope[alpha - 1e-9 > D], slope[alpha + 1e-9 < D]
    assert (below < 0).all()
    assert (above > 0).all()


def test_the_best_discriminator_of_two_gaussians_attains_the_divergence():
    fence, p, q = Fence(0.1, 0.3), gaussian(0.0, 1.0), gaussian(1.5, 1.2)
    D = p / (p + 0.3 * q)
    v = D.logit().requires_grad_(True)
    loss = integral(p * fence.positive(v) + q * fence.negative(v))
    assert -loss == pytest.approx(integral(q * fence.f(p / q)), abs=1e-9)
    (slope,) = torch.autograd.grad((p * fence.positive(v) + q * fence.negative(v)).sum(), v)
    assert slope.abs().max() < 1e-12
    ratio = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    (threshold,) = torch.autograd.grad(fence.f(ratio), ratio)
    assert fence.threshold == pytest.approx(float(threshold))
    torch.testing.assert_close(fence.conjugate(fence.activation(GRID)), fence.conjugate_of_activation(GRID))


def test_the_dispersion_falls_as_samples_spread_and_does_not_depend_on_their_size():
    g = torch.randn(500, 3, 4, generator=torch.Generator().manual_seed(0))
    centre = g.mean(dim=0)
    assert dispersion(g) == pytest.approx(1.0, rel=0.05)
    torch.testing.assert_close(dispersion(centre + 2 * (g - centre)), dispersion(g) / 2)
    torch.testing.assert_close(dispersion(g + 7), dispersion(g))
    torch.testing.assert_close(dispersion(torch.cat([g, g], dim=1)), dispersion(g))
    images = torch.randn(20, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    in_pixels = 30 / (images - images.mean(dim=0)).flatten(1).norm(dim=1).mean()
    torch.testing.assert_close(30 / 28 * dispersion(images), in_pixels)
    same = torch.ones(4, 3, requires_grad=True)
    assert dispersion(same).isfinite()
    dispersion(same).backward()
    assert same.grad.isfinite().all()


def test_beta_spreads_the_samples():
    found = []
    for beta in (0.0, 3.0):
        fence = made(FenceGAN, beta=beta, optimisation={"ema": 0.0})
        fence.fit(rows(200))
        found.append(dispersion(fence.samples(200)["G"]))
    assert found[1] < 0.5 * found[0]


def test_the_score_is_minus_log_d_and_points_off_the_circle_are_anomalous():
    fence = made(FenceGAN, budget={"task1": 300})
    fence.fit(rows(300))
    x = rows(50, seed=1)
    with torch.no_grad():
        D = fence.D(fence.scaling(x)).double().sigmoid()
    torch.testing.assert_close(fence.score(x), -D.log(), rtol=1e-5, atol=1e-6)
    assert fence.score(4 * x).mean() > fence.score(x).mean(), "D is near 1 on normal samples"


def test_d_is_trained_first_and_g_only_then():
    fence = made(FenceGAN, budget={"task1": 1})
    D, G = copy.deepcopy(fence.D), copy.deepcopy(fence.G)
    fence.pretrain(fence.batches(rows(100)))
    assert all(not torch.equal(*pair) for pair in zip(D.parameters(), fence.D.parameters(), strict=True))
    assert all(torch.equal(*pair) for pair in zip(G.parameters(), fence.G.parameters(), strict=True))


def test_all_training_uses_the_batch_norm_of_the_batch_and_all_scoring_the_running_one():
    fence = made(FenceGAN, architecture=Normed(latent=4, width=16), budget={"representation": 3, "task1": 3})
    of_G, of_D = modes(fence.G), modes(fence.D)
    fence.fit(rows(100))
    assert of_G == [True] * (3 + 2 * 3)
    assert of_D == [True] * (2 * 3 + 3 * 3)
    of_D.clear()
    fence.score(rows(10))
    assert of_D == [False]


def test_a_budget_without_steps_is_refused_but_d_need_not_be_trained_first():
    with pytest.raises(UserError, match=r"budget\.task1 is 0: fence_gan trains"):
        made(FenceGAN, budget={"task1": 0}).fit(rows(10))
    made(FenceGAN, budget={"representation": 0, "task1": 1}).fit(rows(10))
