import pytest
import torch
from torch import nn

from omasgan.data.dataset import Spec
from omasgan.detectors.one_class.contrast import ContrastNormalisation
from omasgan.detectors.one_class.deep_svdd import DeepSVDD, Sphere, centre_of, soft_boundary
from omasgan.errors import UserError
from omasgan.networks.dcgan import DCGAN
from omasgan.networks.mlp import MLP
from omasgan.networks.resnet import ResNet
from omasgan.training import checkpoint
from omasgan.training.augmentation import NoAugmentation
from omasgan.training.settings import Budget
from omasgan.training.stage import Workspace


def made(architecture=None, shape=(4,), steps=30, folder=None, **settings):
    architecture = architecture or MLP(latent=8, width=16, depth=2)
    budget = Budget(representation=20, task1=steps, batch=32, representation_batch=32)
    workspace = Workspace(folder=folder, checkpoint_every=7)
    return DeepSVDD(Spec(shape), workspace, architecture, NoAugmentation(), budget, **settings)


def rows(n, seed=0):
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))


def images(n, seed=0):
    return torch.randint(0, 256, (n, 1, 8, 8), generator=torch.Generator().manual_seed(seed)).to(torch.uint8)


def test_the_centre_is_the_mean_and_away_from_zero():
    embeddings = torch.tensor([[1.0, 0.02, -0.02, -3.0, 0.0], [3.0, 0.06, -0.06, -1.0, 0.0]])
    torch.testing.assert_close(centre_of(embeddings), torch.tensor([2.0, 0.1, -0.1, -2.0, 0.1]))


@pytest.mark.parametrize("architecture", [MLP(width=8), DCGAN(width=8, discriminator_norm="batch"), ResNet(width=8)])
def test_no_layer_has_a_bias(architecture):
    """The trap of this method: with a bias, a network that ignores its input reaches the centre."""
    detector = made(architecture, (1, 8, 8))
    names = [name for name, _ in detector.phi.named_parameters()]
    assert names
    assert not [name for name in names if "bias" in name]
    for layer in [*detector.phi.modules(), *detector.decoder.modules()]:
        assert getattr(layer, "bias", None) is None
        if isinstance(layer, nn.BatchNorm2d | nn.InstanceNorm2d | nn.GroupNorm):
            assert layer.weight is None
    assert detector.phi.eval()(torch.zeros(2, 1, 8, 8)).abs().max() < 1e-4, "zero is mapped to zero, not to the centre"


def test_the_score_is_the_squared_distance_of_the_embedding_to_the_centre():
    detector = made()
    detector.fit(rows(64))
    x = rows(10, seed=1)
    expected = (detector.phi(detector.scaling(x)) - detector.sphere.c).square().sum(dim=1)
    torch.testing.assert_close(detector.score(x), expected.double(), rtol=1e-4, atol=1e-6)


def test_the_centre_is_that_of_the_pretrained_network_and_does_not_move(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    detector = made(folder=tmp_path)
    detector.fit(rows(64))
    path = tmp_path / "checkpoints" / "pretraining.pt"
    pretrained = checkpoint.load(path, "pretraining", torch.device("cpu"))["phi"]
    other = made()
    other.phi.load_state_dict(pretrained)
    expected = centre_of(other.phi(detector.scaling(rows(64))))
    torch.testing.assert_close(detector.sphere.c, expected)


def test_training_brings_normal_samples_near_the_centre():
    untrained, trained = made(steps=1), made(steps=100, lr=1e-2)
    for detector in (untrained, trained):
        detector.fit(rows(64))
    assert trained.score(rows(20, seed=1)).mean() < untrained.score(rows(20, seed=1)).mean() / 2


def test_the_radius_of_the_soft_boundary_is_a_quantile_of_the_distances():
    detector = made(objective="soft_boundary", nu=0.25, steps=100)
    detector.fit(rows(200))
    inside = (detector.score(rows(200)) <= 0).double().mean()
    assert inside == pytest.approx(0.75, abs=0.15)
    squared = torch.arange(1.0, 101.0)
    radius = squared.quantile(0.75).sqrt()
    gradient = torch.autograd.functional.jacobian(lambda R: soft_boundary(squared, R, 0.25), radius)
    assert gradient.abs() < 1e-3, "this radius minimises the loss"


def test_the_constants_of_the_contrast_are_those_of_the_training_images():
    detector = made(DCGAN(latent=8, width=8, discriminator_norm="batch", spectral_norm=False), (1, 8, 8))
    detector.fit(images(40))
    seen = detector.seen(detector.scaling(images(40)))
    assert seen.min() == pytest.approx(-1, abs=1e-5)
    assert seen.max() == pytest.approx(1, abs=1e-5)
    brighter = detector.scaling(images(5)) * 0.5 + 0.3
    torch.testing.assert_close(detector.seen(brighter), detector.seen(detector.scaling(images(5))), atol=1e-4, rtol=0)


def test_an_image_of_one_colour_is_all_zeros():
    contrast = ContrastNormalisation()
    assert torch.equal(contrast(torch.full((1, 1, 2, 2), 0.7)), torch.zeros(1, 1, 2, 2))


def test_the_sphere_is_in_the_state():
    assert set(Sphere(3).state_dict()) == {"c", "R"}


def test_no_step_is_one_line():
    with pytest.raises(UserError, match=r"^budget\.task1 is 0: deep_svdd trains for that many steps, at least 1$"):
        made(steps=0).check(10)
