"""f_D(G', delta_x) as a likelihood: for a linear G' it is known in closed form."""

import pytest
import torch
from torch import nn

from omasgan.method.divergences import KL
from omasgan.method.likelihood import Likelihood, train
from omasgan.method.recipe import Recipe
from omasgan.training.batches import Batches, Scaling
from omasgan.training.settings import Budget, Optimisation
from omasgan.training.stage import Workspace

LATENT, VALUES, NOISE = 2, 6, 0.3


@pytest.fixture(scope="module")
def linear():
    """A linear G', samples of it with noise, their true -log p(x), and the trained likelihood."""
    random = torch.Generator().manual_seed(0)
    G_new = nn.Linear(LATENT, VALUES).requires_grad_(False)
    G_new.weight.copy_(torch.randn(VALUES, LATENT, generator=random))
    G_new.bias.zero_()
    x = G_new(torch.randn(3000, LATENT, generator=random)) + NOISE * torch.randn(3000, VALUES, generator=random)
    scaling = Scaling(torch.tensor([[-1.0], [1.0]]).expand(2, VALUES) / 2**0.5)  # of deviation 1: leaves x as it is
    assert torch.equal(scaling(x), x)
    likelihood = Likelihood(nn.Linear(VALUES, 2 * LATENT))
    recipe = Recipe(LATENT, KL(), Optimisation(lr_discriminator=1e-2), Budget(j=1500, batch=256))
    train(likelihood, G_new, Batches(x, scaling, torch.device("cpu")), recipe, Workspace())
    covariance = G_new.weight @ G_new.weight.T + NOISE**2 * torch.eye(VALUES)
    true = -torch.distributions.MultivariateNormal(torch.zeros(VALUES), covariance).log_prob(x)
    return G_new, x, true.double(), likelihood


def test_the_noise_is_what_the_reconstruction_leaves(linear):
    # The best reconstruction leaves the noise in the directions that G' does not reach.
    *_, likelihood = linear
    left = NOISE * ((VALUES - LATENT) / VALUES) ** 0.5
    assert float(likelihood.variance.sqrt()) == pytest.approx(left, rel=0.1)


def test_the_estimate_has_the_order_of_the_likelihood_of_a_linear_generator(linear):
    G_new, x, true, likelihood = linear
    estimate = likelihood(x, G_new)
    assert torch.corrcoef(torch.stack([estimate, true]))[0, 1] > 0.98
    far = likelihood(x + 5, G_new)
    assert (far > estimate.quantile(0.99)).double().mean() > 0.99


def test_a_score_does_not_depend_on_the_other_samples(linear):
    G_new, x, _, likelihood = linear
    torch.testing.assert_close(likelihood(x[:1], G_new), likelihood(x, G_new)[:1])
