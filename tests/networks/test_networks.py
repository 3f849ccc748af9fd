import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from omasgan.errors import UserError
from omasgan.networks.base import NORMS
from omasgan.networks.dcgan import DCGAN
from omasgan.networks.mlp import MLP
from omasgan.networks.resnet import ResNet
from omasgan.training.stage import Workspace

LATENT = 6
CONVOLUTIONAL = [DCGAN, ResNet]
CASES = [
    *[(MLP(LATENT, width=8, depth=2), shape) for shape in [(1,), (2,), (13,), (1, 8, 8), (3, 5, 7)]],
    *[(DCGAN(LATENT, width=4), shape) for shape in [(1, 8, 8), (3, 14, 14), (3, 16, 32), (2, 40, 40), (1, 64, 64)]],
    *[(ResNet(LATENT, width=4), shape) for shape in [(1, 8, 8), (1, 28, 28), (3, 32, 32), (1, 48, 24)]],
    *[(ResNet(LATENT, width=4, stem=True), shape) for shape in [(3, 14, 14), (3, 16, 32), (2, 40, 40), (1, 64, 64)]],
]


def identifier(value):
    return type(value).__name__ if not isinstance(value, tuple) else "x".join(map(str, value))


every_case = pytest.mark.parametrize(("architecture", "shape"), CASES, ids=identifier)
every_convolutional = pytest.mark.parametrize("make", CONVOLUTIONAL, ids=lambda make: make.__name__)
every_norm = pytest.mark.parametrize("norm", NORMS)
one_of_each = pytest.mark.parametrize(
    ("architecture", "shape"),
    [(MLP(LATENT, width=8), (5,)), (DCGAN(LATENT, width=4), (3, 16, 16)), (ResNet(LATENT, width=4), (3, 16, 16))],
    ids=identifier,
)


@pytest.fixture(autouse=True)
def same_weights():
    torch.manual_seed(0)


def pair(architecture, shape):
    return architecture.generator(shape), architecture.discriminator(shape)


@every_case
def test_shapes_and_range(architecture, shape):
    G, D = pair(architecture, shape)
    x = G(torch.randn(3, LATENT))
    assert x.shape == (3, *shape)
    assert D(x).shape == (3,)
    assert D(x[:1]).shape == (1,)
    with torch.no_grad():
        for weight in G.parameters():
            weight.mul_(100)
        strong = G(torch.randn(64, LATENT)).abs().max()
    if len(shape) == 3:
        assert 0.9 < strong <= 1, "images fill [-1, 1] and never leave it"
    else:
        assert strong > 10, "rows have no bounds"


@every_case
def test_the_latent_reaches_every_value_and_every_value_reaches_the_score(architecture, shape):
    G, D = pair(architecture, shape)
    assert (G(torch.randn(16, LATENT)).std(dim=0) > 0).all()
    x = torch.rand(2, *shape).mul(2).sub(1).requires_grad_(True)
    (gradient,) = torch.autograd.grad(D(x).sum(), x)
    assert (gradient.flatten(1) != 0).float().mean() > 0.9


@pytest.mark.parametrize(
    ("make", "network", "shape"),
    [
        *[(DCGAN, "generator", shape) for shape in [(1, 6, 6), (1, 7, 7), (3, 30, 30), (1, 9, 9)]],
        *[(DCGAN, "discriminator", shape) for shape in [(1, 16, 7), (1, 8, 64), (1, 27, 28)]],
        *[(ResNet, "generator", shape) for shape in [(1, 16, 7), (1, 27, 28)]],
        *[(ResNet, "discriminator", shape) for shape in [(1, 7, 7), (3, 30, 30)]],
    ],
)
def test_a_size_that_does_not_halve_down_is_refused(make, network, shape):
    with pytest.raises(UserError) as caught:
        getattr(make(), network)(shape)
    message = str(caught.value)
    assert f"architecture={make.__name__.lower()}" in message
    assert f"{shape[1]} x {shape[2]}" in message
    assert "architecture=mlp" in message
    assert "\n" not in message


@pytest.mark.parametrize("network", ["generator", "discriminator"])
@every_convolutional
def test_rows_are_refused(make, network):
    with pytest.raises(UserError, match=r"rows of 5.*architecture=mlp"):
        getattr(make(), network)((5,))


@every_norm
@every_convolutional
def test_every_norm_trains_and_evaluates(make, norm):
    G, D = pair(make(LATENT, 8, generator_norm=norm, discriminator_norm=norm), (1, 16, 16))
    for mode in (True, False):
        v = D.train(mode)(G.train(mode)(torch.randn(4, LATENT)))
        v.sum().backward()
        assert v.isfinite().all()
        assert all(weight.grad.isfinite().all() for weight in [*G.parameters(), *D.parameters()])


@every_norm
@every_convolutional
def test_the_norm_is_where_it_was_asked_for(make, norm):
    plain = make(LATENT, 8, generator_norm="none")
    G, D = pair(make(LATENT, 8, generator_norm=norm), (1, 16, 16))
    kind = type(NORMS[norm](8))
    assert any(type(layer) is kind for layer in G.modules())
    extra = len(list(G.parameters())) - len(list(plain.generator((1, 16, 16)).parameters()))
    assert (extra > 0) == (norm != "none")
    assert len(D.state_dict()) == len(plain.discriminator((1, 16, 16)).state_dict())


@pytest.mark.parametrize("spectral_norm", [True, False])
@one_of_each
def test_every_parameter_learns(architecture, shape, spectral_norm):
    norm = {} if isinstance(architecture, MLP) else {"generator_norm": "none"}  # a norm layer undoes a bias before it
    G, D = pair(replace(architecture, spectral_norm=spectral_norm, **norm), shape)
    D(G(torch.randn(8, LATENT))).square().sum().backward()
    for network in (G, D):
        for name, weight in network.named_parameters():
            assert weight.grad is not None, name
            assert weight.grad.isfinite().all(), name
            assert weight.grad.any(), name


def largest_singular_values(network):
    """Of the weights that the layers compute with, as matrices of one row an output."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    return torch.stack([torch.linalg.matrix_norm(layer.weight.detach().flatten(1), ord=2) for layer in layers])


@one_of_each
def test_spectral_norm_is_one_after_some_steps(architecture, shape):
    D = replace(architecture, spectral_norm=True).discriminator(shape)
    for weight in D.parameters():
        torch.nn.init.normal_(weight)  # a change that the power iteration has to follow
    for _ in range(100):
        D(torch.randn(2, *shape))
    found = largest_singular_values(D.eval())
    torch.testing.assert_close(found, torch.ones_like(found), rtol=0.02, atol=0)


@one_of_each
def test_without_spectral_norm_weights_are_free(architecture, shape):
    D = replace(architecture, spectral_norm=False).discriminator(shape)
    before = largest_singular_values(D)
    with torch.no_grad():
        for weight in D.parameters():
            weight.mul_(3)
    D(torch.randn(2, *shape))
    torch.testing.assert_close(largest_singular_values(D), 3 * before)


def test_a_perceptron_with_spectral_norm_is_no_steeper_than_one():
    D = MLP(LATENT, width=8, spectral_norm=True).discriminator((5,))
    for _ in range(100):
        D(torch.randn(2, 5))
    a, b = torch.randn(100, 5), torch.randn(100, 5)
    assert ((D.eval()(a) - D(b)).abs() <= 1.01 * (a - b).norm(dim=1)).all()


@pytest.mark.parametrize(
    ("architecture", "shape"),
    [
        (MLP(width=8), (5,)),
        (MLP(width=8), (3, 5, 7)),
        *[(make(width=8, discriminator_norm=norm), (3, 16, 16)) for make in CONVOLUTIONAL for norm in NORMS],
    ],
    ids=str,
)
def test_a_score_does_not_depend_on_the_batch(architecture, shape):
    D = architecture.discriminator(shape)
    for _ in range(5):
        D(torch.randn(8, *shape) + 1)  # so that running statistics are not those of a fresh network
    before = copy.deepcopy(D.eval().state_dict())
    x = torch.randn(6, *shape)
    with torch.no_grad():
        together, alone, turned = D(x), torch.cat([D(sample[None]) for sample in x]), D(x.flip(0)).flip(0)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together, turned, rtol=1e-4, atol=1e-5)
    assert len(together.unique()) == 6
    assert all(torch.equal(D.state_dict()[name], value) for name, value in before.items())


@every_convolutional
def test_how_an_image_lies_in_memory_changes_nothing(make):
    G, D = pair(make(LATENT, 8), (3, 16, 16))
    x = torch.randn(4, 3, 16, 16)
    torch.testing.assert_close(D.eval()(x), D(x.contiguous(memory_format=torch.channels_last)), rtol=1e-4, atol=1e-6)
    made = G.eval()(torch.randn(4, LATENT))
    torch.testing.assert_close(D(made), D(made.contiguous()), rtol=1e-4, atol=1e-6)


@one_of_each
@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_two_networks_share_nothing(architecture, shape, network):
    first, second = (getattr(architecture, network)(shape) for _ in range(2))
    storages = [{value.data_ptr() for value in made.state_dict().values()} for made in (first, second)]
    assert storages[0].isdisjoint(storages[1])
    assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@one_of_each
def test_a_copy_is_the_same_network_and_independent(architecture, shape):
    D = replace(architecture, spectral_norm=True).discriminator(shape).eval()
    x = torch.randn(3, *shape)
    twin, before = copy.deepcopy(D), D(x)
    torch.testing.assert_close(twin(x), before)
    with torch.no_grad():
        for weight in twin.parameters():
            weight.add_(torch.randn_like(weight))
    assert torch.equal(D(x), before)
    twin.load_state_dict(D.state_dict())
    torch.testing.assert_close(twin(x), before)


def test_width_and_depth_are_what_they_say():
    def outputs(network, kind):
        return [layer.weight.shape[0] for layer in network.modules() if isinstance(layer, kind)]

    assert outputs(MLP(width=7, depth=2).discriminator((5,)), nn.Linear) == [7, 7, 1]
    assert outputs(MLP(width=7, depth=2).generator((5,)), nn.Linear) == [7, 7, 5]
    assert outputs(DCGAN(width=2).discriminator((1, 96, 192)), nn.Conv2d) == [2, 4, 8, 16, 16]
    assert set(outputs(ResNet(width=3).discriminator((1, 32, 32)), nn.Conv2d)) == {3}


@every_case
def test_scores_are_float32_under_autocast(architecture, shape):
    D = architecture.discriminator(shape)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        v = D(torch.randn(64, *shape))
    assert v.dtype == torch.float32
    assert (v != v.bfloat16()).any(), "rounded, samples would share scores"


def test_a_spectral_norm_is_computed_once_for_all_passes_under_one_autocast():
    D = MLP(width=8, spectral_norm=True).discriminator((5,))
    once = copy.deepcopy(D)
    x = torch.randn(4, 5)
    workspace = Workspace()
    with workspace.autocast():
        v, again = D(x), D(x)
    torch.testing.assert_close(v, again, rtol=0, atol=0)
    once(x)
    for (name, one), other in zip(D.state_dict().items(), once.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0, msg=name)
    (v.sum() + again.sum()).backward()
    with torch.no_grad():  # other weights, as the power iteration may have converged for the first ones
        for parameter in D.parameters():
            parameter.copy_(torch.randn_like(parameter))
    with workspace.autocast():
        D(x)
    assert not torch.equal(
        D.state_dict()["0.1.parametrizations.weight.0._u"], once.state_dict()["0.1.parametrizations.weight.0._u"]
    )
