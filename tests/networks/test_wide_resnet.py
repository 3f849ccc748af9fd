import copy

import pytest
import torch
from torch import nn

from omasgan.errors import UserError
from omasgan.networks.wide_resnet import WideBlock, WideResNet

SHAPES = [(1, 8, 8), (3, 9, 14), (1, 28, 28), (3, 32, 32)]


@pytest.fixture(autouse=True)
def same_weights():
    torch.manual_seed(0)


def convolutions(network, size):
    return [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (size, size)]


@pytest.mark.parametrize("depth", [10, 16, 28])
@pytest.mark.parametrize("widening", [1, 4])
def test_depth_and_widening_are_what_they_say(depth, widening):
    network = WideResNet(depth, widening).encoder((3, 32, 32), 5)
    widths = [layer.out_channels for layer in convolutions(network, 3)]
    n = (depth - 4) // 6
    assert widths == [16, *(16 * widening * 2**group for group in range(3) for _ in range(2 * n))]
    assert len(convolutions(network, 1)) == (2 if widening == 1 else 3), "a shortcut where the channels change"


def test_parameters_of_the_papers_networks():
    """Millions of parameters for ten classes: 0.6, 2.2 and 8.9 for depth 40 and widening 1, 2 and 4."""
    for widening, millions in [(1, 0.6), (2, 2.2), (4, 8.9)]:
        network = WideResNet(40, widening).encoder((3, 32, 32), 10)
        assert sum(weight.numel() for weight in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("stride", [1, 2])
def test_shapes_and_that_every_parameter_learns(shape, stride):
    architecture = WideResNet(10, stride=stride)
    assert architecture.discriminator(shape)(torch.randn(3, *shape)).shape == (3,)
    network = architecture.encoder(shape, 5)
    outputs = network(torch.randn(3, *shape))
    assert outputs.shape == (3, 5)
    outputs.square().sum().backward()
    for name, weight in network.named_parameters():
        assert weight.grad.isfinite().all(), name
        assert weight.grad.any(), name


def test_the_stride_divides_the_first_feature_map():
    sizes = []
    network = WideResNet(10, stride=2).encoder((1, 28, 28), 5)
    for layer in network:
        layer.register_forward_hook(lambda layer, given, made: sizes.append(tuple(made.shape[2:])))
    network(torch.randn(2, 1, 28, 28))
    assert sizes[:4] == [(14, 14), (14, 14), (7, 7), (4, 4)]


def test_a_block_without_change_of_shape_adds_its_input():
    block = WideBlock(4, 4, stride=1).eval()
    nn.init.zeros_(block.conv2.weight)
    x = torch.randn(2, 4, 8, 8)
    assert torch.equal(block(x), x)
    assert block.shortcut is None


def test_outputs_do_not_depend_on_the_batch_and_evaluation_changes_nothing():
    network = WideResNet(10).encoder((1, 16, 16), 5)
    for _ in range(5):
        network(torch.randn(8, 1, 16, 16) + 1)
    before = copy.deepcopy(network.eval().state_dict())
    x = torch.randn(6, 1, 16, 16)
    with torch.no_grad():
        alone = torch.cat([network(one) for one in x.split(1)])
        torch.testing.assert_close(network(x), alone, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)


def test_outputs_are_float32_under_autocast():
    network = WideResNet(10).encoder((1, 16, 16), 1)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        v = network(torch.randn(64, 1, 16, 16))
    assert v.dtype == torch.float32
    assert (v != v.bfloat16()).any()


@pytest.mark.parametrize("depth", [11, 15])
def test_other_depths_are_refused(depth):
    with pytest.raises(UserError, match=rf"architecture\.depth is {depth}: it must be 6 n \+ 4"):
        WideResNet(depth)


def test_it_has_no_generator():
    for refused in (lambda: WideResNet().generator((1, 28, 28)), lambda: WideResNet().latent):
        with pytest.raises(UserError, match="architecture=wide_resnet has no generator") as caught:
            refused()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "said"), [((5,), r"rows of 5.*architecture=mlp"), ((1, 6, 8), "6 x 8.*dataset.size")]
)
def test_rows_and_tiny_images_are_refused(shape, said):
    with pytest.raises(UserError, match=said):
        WideResNet().encoder(shape, 5)
