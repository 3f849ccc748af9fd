import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, conv_transpose2d

from omasgan.networks import strided
from omasgan.networks.strided import FEW, Doubling, Enlarge, Halving, Shrink, correlate, enlarge, short_type

CHANNELS = pytest.mark.parametrize("c", [1, 3, FEW - 1, FEW, FEW + 3])
"""Of the large image."""


@pytest.fixture(autouse=True)
def same_weights():
    torch.manual_seed(0)


def images(n, channels, height, width, dtype=torch.float64):
    x = torch.randn(n, channels, height, width, dtype=dtype).to(memory_format=torch.channels_last)
    return x.requires_grad_(True)


def layers(c, s=5):
    """Each layer, an equal one of the library, and what it takes."""
    yield Halving(c, s), nn.Conv2d(c, s, 4, 2, 1), images(6, c, 8, 12, torch.float32)
    yield Doubling(s, c), nn.ConvTranspose2d(s, c, 4, 2, 1), images(6, s, 4, 6, torch.float32)
    yield Doubling(s, c, bias=False), nn.ConvTranspose2d(s, c, 4, 2, 1, bias=False), images(6, s, 4, 6, torch.float32)


def output_and_gradients(layer, x):
    y = layer(x)
    weights = list(layer.parameters())
    direction = (torch.arange(y.numel()).sin() + 0.5).view(y.shape)
    return y, *torch.autograd.grad((y.float() * direction).sum(), [x, *weights])


@CHANNELS
def test_in_bfloat16_a_layer_is_the_librarys_but_for_rounding(c):
    for layer, other, x in layers(c):
        other.load_state_dict(layer.state_dict())
        expected = output_and_gradients(other, x)
        with torch.autocast("cpu", torch.bfloat16):
            found = output_and_gradients(layer, x)
        assert found[0].dtype == torch.bfloat16
        for one, reference in zip(found, expected, strict=True):
            assert one.shape == reference.shape
            assert (one.float() - reference).abs().max() < 0.02 * reference.abs().max()


@CHANNELS
def test_in_float32_a_layer_is_the_librarys(c):
    for layer, other, x in layers(c):
        other.load_state_dict(layer.state_dict())
        for one, reference in zip(output_and_gradients(layer, x), output_and_gradients(other, x), strict=True):
            torch.testing.assert_close(one, reference, rtol=0, atol=0)


def test_weights_train_through_a_layer_that_nothing_learns_before():
    layer = Halving(3, 2)
    with torch.autocast("cpu", torch.bfloat16):
        layer(torch.randn(2, 3, 8, 8)).float().square().sum().backward()
    assert all(weight.grad.any() and weight.grad.dtype == torch.float32 for weight in layer.parameters())


@CHANNELS
def test_enlarge_is_the_transposed_convolution(c):
    small, weight, bias = images(3, 2, 4, 5), images(2, c, 4, 4), torch.randn(c, dtype=torch.float64)
    expected = conv_transpose2d(small, weight, bias, stride=2, padding=1)
    torch.testing.assert_close(enlarge(small, weight, bias), expected)


@pytest.mark.parametrize("c", [3, FEW + 3])
@pytest.mark.parametrize(
    ("n", "patches", "threads"), [(4, 2**22, 2), (5, 2**22, 2), (7, 300, 2), (4, 1, 3), (4, 2**22, 1)]
)
def test_correlate_is_the_gradient_of_the_weight_however_it_is_shared_out(c, n, patches, threads, monkeypatch):
    monkeypatch.setattr(strided, "PATCHES", patches)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    large, small, weight = images(n, c, 6, 10), images(n, 2, 3, 5), images(2, c, 4, 4)
    (expected,) = torch.autograd.grad((small * conv2d(large, weight, None, 2, 1)).sum(), weight)
    torch.testing.assert_close(correlate(large, small), expected)


@pytest.mark.parametrize("c", [1, FEW])
@pytest.mark.parametrize(("operator", "channels"), [(Shrink, None), (Enlarge, 2)])
def test_gradients_and_theirs_are_right(operator, channels, c):
    side = 4 if operator is Shrink else 2
    x, weight = images(1, channels or c, side, side), images(2, c, 4, 4)
    bias = torch.randn(2 if operator is Shrink else c, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(operator.apply, (x, weight, bias))
    torch.autograd.gradgradcheck(operator.apply, (x, weight, bias))


def test_it_is_this_modules_turn_on_a_processor_under_autocast_alone():
    x = torch.randn(1)
    assert short_type(x) is None
    with torch.autocast("cpu", torch.bfloat16):
        assert short_type(x) == torch.bfloat16
        assert short_type(x.to("meta")) is None
