import pytest
import torch
from torch.distributions import Dirichlet

from omasgan.detectors.transformations import dirichlet

ALPHA = torch.tensor([[0.3, 5.0, 2.0, 0.05], [1.0, 1.0, 1.0, 1.0], [40.0, 0.5, 7.0, 0.2]], dtype=torch.float64)


def sampled(n):
    torch.manual_seed(0)
    return Dirichlet(ALPHA).sample((n,)).clamp_min(1e-300).log()


def test_the_parameters_of_a_dirichlet_are_recovered_from_its_samples():
    torch.testing.assert_close(dirichlet.fit(sampled(20_000)), ALPHA, rtol=0.05, atol=0)


def test_the_fit_is_where_the_likelihood_is_stationary():
    log_p = sampled(200)
    alpha = dirichlet.fit(log_p).requires_grad_(True)
    likelihood = Dirichlet(alpha).log_prob(log_p.exp()).mean(dim=0).sum()
    (gradient,) = torch.autograd.grad(likelihood, alpha)
    torch.testing.assert_close(gradient * alpha, torch.zeros_like(alpha), rtol=0, atol=1e-3)


def test_each_distribution_is_fitted_to_its_own_samples():
    log_p = sampled(50)
    alone = torch.stack([dirichlet.fit(log_p[:, i]) for i in range(len(ALPHA))])
    torch.testing.assert_close(dirichlet.fit(log_p), alone, rtol=1e-4, atol=0)


def test_equal_samples_have_a_finite_fit_with_their_mean():
    log_p = torch.tensor([0.7, 0.2, 0.1]).log().expand(10, 3)
    alpha = dirichlet.fit(log_p)
    assert alpha.isfinite().all()
    torch.testing.assert_close(alpha / alpha.sum(), log_p[0].exp().double(), rtol=1e-3, atol=0)


@pytest.mark.parametrize("x", [1e-8, 1e-3, 0.5, 1.0, 30.0, 1e6])
def test_the_inverse_of_the_digamma_function(x):
    x = torch.tensor(x, dtype=torch.float64)
    torch.testing.assert_close(dirichlet.inverse_digamma(torch.digamma(x)), x, rtol=1e-9, atol=0)
