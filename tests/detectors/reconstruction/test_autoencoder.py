import math

import pytest
import torch
from torch import nn

from omasgan.data.dataset import Spec
from omasgan.detectors.reconstruction.autoencoder import Autoencoder
from omasgan.detectors.reconstruction.hidden_layers import HiddenLayers, hidden_layers
from omasgan.detectors.reconstruction.vae import VAE, negative_elbo
from omasgan.errors import UserError
from omasgan.networks.dcgan import DCGAN
from omasgan.networks.mlp import MLP
from omasgan.training.augmentation import NoAugmentation
from omasgan.training.settings import Budget
from omasgan.training.stage import Stage, Workspace


def made(kind, steps=30, **settings):
    budget = Budget(task1=steps, batch=32)
    return kind(Spec((4,)), Workspace(), MLP(latent=2, width=16, depth=2), NoAugmentation(), budget, **settings)


def rows(n, seed=0):
    plane = torch.randn(n, 2, generator=torch.Generator().manual_seed(seed))
    return torch.cat([plane, plane.flip(1)], dim=1)


def test_the_elbo_of_a_linear_decoder_is_the_likelihood_of_probabilistic_pca():
    """With W of orthogonal columns the posterior is diagonal, and the bound is tight."""
    random = torch.Generator().manual_seed(0)
    W = torch.linalg.qr(torch.randn(5, 2, generator=random, dtype=torch.float64))[0] * torch.tensor([2.0, 0.5])
    x, sigma = torch.randn(7, 5, generator=random, dtype=torch.float64), 0.6
    precision = W.T @ W / sigma**2 + torch.eye(2)
    variance = (1 / precision.diagonal()).expand(7, 2)
    mu = x @ W / sigma**2 * variance
    bound = negative_elbo(x, mu @ W.T, mu, variance.log(), sigma)[:, 0]
    spread = (variance * W.square().sum(dim=0)).sum(dim=1) / (2 * sigma**2)  # of the decoded z around the decoded mean
    exact = torch.distributions.MultivariateNormal(torch.zeros(5).double(), W @ W.T + sigma**2 * torch.eye(5))
    torch.testing.assert_close(bound + spread, -exact.log_prob(x))


def test_nap_is_the_mahalanobis_distance_and_sap_the_length_of_the_gaps():
    random = torch.Generator().manual_seed(1)
    gaps = torch.randn(500, 3, generator=random) @ torch.randn(3, 3, generator=random) + 1
    layers = HiddenLayers()
    layers.fit(gaps)
    centred = (gaps - gaps.mean(dim=0)).double()
    inverse = torch.linalg.inv(centred.T @ centred / len(gaps))
    expected = ((centred @ inverse) * centred).sum(dim=1)
    scores = layers.scores(gaps)
    torch.testing.assert_close(scores["nap"], expected, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(scores["sap"], gaps.double().square().sum(dim=1))
    assert scores["nap"].mean() == pytest.approx(3, rel=1e-3), "the number of directions"


def test_directions_without_variance_are_left_out():
    layers = HiddenLayers()
    layers.fit(torch.cat([torch.randn(50, 2), torch.full((50, 1), 3.0)], dim=1))
    assert layers.whitening.shape == (3, 2)


def test_the_hidden_layers_are_those_of_the_nonlinearities_and_leave_no_hook():
    network = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 4), nn.LeakyReLU(0.2), nn.Linear(4, 1))
    x = torch.randn(6, 3)
    found, output = hidden_layers(network, x)
    assert [layer.shape for layer in found] == [(6, 5), (6, 4)]
    assert torch.equal(found[1], network[:4](x))
    assert torch.equal(output, network(x))
    assert not any(module._forward_hooks for module in network)


def test_large_feature_maps_are_averaged():
    found, _ = hidden_layers(DCGAN(width=8).encoder((1, 28, 28), 2), torch.randn(2, 1, 28, 28))
    assert [layer.shape[1] for layer in found] == [8 * 16, 16 * 16]


@pytest.mark.parametrize("kind", [Autoencoder, VAE])
def test_it_learns_the_plane_that_the_rows_lie_in(kind):
    detector = made(kind, steps=300, lr=1e-2)
    detector.fit(rows(200))
    off = rows(50, seed=1) * torch.tensor([1.0, 1.0, -1.0, -1.0])
    for term in ("reconstruction", "sap", "nap"):
        normal, abnormal = (detector.terms(x)[term].median() for x in (rows(50, seed=1), off))
        assert abnormal > 2 * normal, term


def test_a_vae_scores_the_mean_of_the_posterior():
    """The trap of this method: a z that is drawn makes the score a random number."""
    detector, x = made(VAE), rows(20, seed=1)
    detector.fit(rows(100))
    code = detector.encoder(detector.scaling(x))
    mu, log_variance = code.chunk(2, dim=1)
    decoded = detector.decoder(mu)
    expected = negative_elbo(detector.scaling(x), decoded, mu, log_variance, detector.sigma)[:, 0]
    torch.testing.assert_close(detector.score(x), expected.double(), rtol=1e-4, atol=1e-3)


def test_noise_is_on_the_inputs_alone_and_only_in_training():
    plain, noisy = made(Autoencoder), made(Autoencoder, noise=0.5)
    for detector in (plain, noisy):
        detector.scaling = None
    x = rows(64)

    def loss(detector):
        return detector.losses(x, Stage("reconstruction", 1, detector.workspace, {}, {}))["loss"]

    assert loss(plain) != loss(noisy)
    assert loss(plain) == (plain.decoder(plain.encoder(x)) - x).square().mean()
    assert loss(noisy) == loss(noisy), "the noise is of the stage's random stream"


def test_the_deviation_weighs_the_error_against_the_divergence():
    x, decoded, mu, log_variance = torch.zeros(1, 4), torch.ones(1, 4), torch.ones(1, 2), torch.zeros(1, 2)
    elbo, error, kl = negative_elbo(x, decoded, mu, log_variance, sigma=0.5, weight=3.0)[0].tolist()
    assert (error, kl) == (1.0, 1.0)
    assert elbo == pytest.approx(4 / 2 * (1 / 0.25 + math.log(2 * math.pi * 0.25)) + 3)


def test_no_step_is_one_line():
    with pytest.raises(UserError, match=r"^budget\.task1 is 0: reconstruction trains for that many steps, at least 1$"):
        made(Autoencoder, steps=0).check(10)
