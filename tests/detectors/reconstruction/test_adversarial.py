import copy

import pytest
import torch
from torch import nn

from omasgan.data.dataset import Spec
from omasgan.detectors.reconstruction.adae import ADAE, Balance, absolute
from omasgan.detectors.reconstruction.ganomaly import GANomaly
from omasgan.errors import UserError
from omasgan.networks.base import features_and_output
from omasgan.networks.dcgan import DCGAN
from omasgan.networks.mlp import MLP
from omasgan.networks.resnet import ResNet
from omasgan.training.augmentation import NoAugmentation
from omasgan.training.settings import Budget
from omasgan.training.stage import Workspace

SHAPE = (1, 8, 8)


def images(n, seed=0):
    random = torch.Generator().manual_seed(seed)
    shade = torch.randint(60, 200, (n, 1, 1, 1), generator=random)
    return (shade + torch.randint(0, 50, (n, *SHAPE), generator=random)).to(torch.uint8)


def made(kind, steps=10, **settings):
    architecture = DCGAN(latent=4, width=8, discriminator_norm="batch", spectral_norm=False)
    return kind(Spec(SHAPE), Workspace(), architecture, NoAugmentation(), Budget(task1=steps, batch=32), **settings)


@pytest.fixture(scope="module")
def ganomaly():
    detector = made(GANomaly, lr=2e-3)
    detector.fit(images(64))
    return detector


@pytest.mark.parametrize("architecture", [MLP(width=8), DCGAN(width=8), ResNet(width=8)])
def test_the_features_are_what_the_last_layer_is_given(architecture):
    network, x = architecture.discriminator(SHAPE).eval(), torch.randn(3, *SHAPE)
    features, output = features_and_output(network, x)
    last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    torch.testing.assert_close(last(features).flatten(), output)
    assert torch.equal(output, network(x))
    assert not last._forward_pre_hooks


def test_ganomaly_scores_a_sample_the_same_in_any_batch_and_the_leaky_score_does_not(ganomaly):
    """The trap of this method: the published code scores with batch norm in training mode."""
    x = images(20, seed=1)
    others = torch.cat([x[:4], 255 - images(16, seed=2)])
    state = copy.deepcopy(ganomaly.state_dict())
    torch.testing.assert_close(ganomaly.score(x)[:4], ganomaly.score(others)[:4], rtol=1e-4, atol=1e-6)
    assert not torch.allclose(ganomaly.leaky_score(x)[:4], ganomaly.leaky_score(others)[:4], rtol=1e-2)
    torch.testing.assert_close(ganomaly.state_dict(), state, rtol=0, atol=0)
    assert not any(network.training for network in ganomaly.networks().values())


def test_the_codes_of_a_perfect_reconstruction_agree(ganomaly):
    """With E' = E and a decoder that returns the sample, the score is 0."""
    detector, x = copy.deepcopy(ganomaly), images(5)
    scaled = detector.scaling(x)
    detector.second_encoder, detector.decoder = detector.encoder, lambda z: scaled
    assert detector.compare(scaled).abs().max() == 0


def test_a_larger_weight_of_the_reconstruction_gives_a_better_one():
    errors = []
    for weight in (0.0, 50.0):
        detector = made(GANomaly, steps=60, lr=2e-3, adversarial=0.0, contextual=weight)
        detector.fit(images(64))
        errors.append(float(detector.terms(images(20, seed=1))["reconstruction"].mean()))
    assert errors[1] < 0.8 * errors[0]


def test_the_losses_of_adae_cancel_where_the_reconstructions_are_the_samples():
    x = torch.randn(8, 3)
    D = nn.Linear(3, 3)
    real, fake = absolute(x, D(x)), absolute(x, D(x))  # with G the identity, G(x) = x
    assert (real - fake).item() == 0


def test_the_balance_falls_where_the_other_autoencoder_is_bad_and_stays_in_its_range():
    """The trap of this method: with k = 1 throughout, D can lower its loss without bound."""
    balance = Balance(ratio=0.5, rate=0.1)
    balance.move(torch.tensor(1.0), torch.tensor(5.0))
    assert balance.k == 0
    for _ in range(100):
        balance.move(torch.tensor(10.0), torch.tensor(1.0))
    assert balance.k == 1
    balance.move(torch.tensor(1.0), torch.tensor(5.0))
    assert balance.k == pytest.approx(1 + 0.1 * (0.5 - 5))
    balance.move(torch.tensor(1.0), torch.tensor(0.5))
    assert balance.k == pytest.approx(0.55), "no change where the wanted ratio is met"


def test_the_loss_of_adae_stays_bounded():
    detector = made(ADAE, steps=60, lr=1e-2, rate=0.05)
    detector.fit(images(64))
    assert 0 <= detector.balance.k <= 1
    assert detector.score(images(20, seed=1)).max() < 4, "pixels are in [-1, 1]"


@pytest.mark.parametrize(("kind", "name"), [(GANomaly, "ganomaly"), (ADAE, "adae")])
def test_no_step_is_one_line(kind, name):
    with pytest.raises(UserError, match=rf"^budget\.task1 is 0: {name} trains for that many steps, at least 1$"):
        made(kind, steps=0).check(10)
