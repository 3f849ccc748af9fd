"""Options of OMASGAN against texture (blur, B on the images of G, distances between features), and its likelihood."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from omasgan.data.dataset import Spec
from omasgan.detectors.omasgan import OMASGAN
from omasgan.errors import UserError
from omasgan.method import losses, task2
from omasgan.method.divergences import GAN
from omasgan.method.neighbour_features import RANKS
from omasgan.method.settings import Boundary, Inference, Retraining
from omasgan.networks.blur import Blur, blurred
from omasgan.networks.dcgan import DCGAN
from omasgan.networks.latent_map import LatentMap
from omasgan.networks.mlp import MLP
from omasgan.training.augmentation import NoAugmentation
from omasgan.training.settings import Budget, Optimisation
from omasgan.training.stage import Workspace, trainable


def checkerboard(size=16):
    return ((torch.arange(size).view(-1, 1) + torch.arange(size)) % 2).float().expand(1, 1, size, size)


def test_a_blur_removes_texture_and_keeps_brightness():
    x = checkerboard()
    seen = Blur(1.5)(x)
    assert float((seen[..., 5:-5, 5:-5] - 0.5).abs().max()) < 1e-3
    gradient = torch.linspace(0, 1, 40).expand(2, 3, 40, 40)
    inner = (..., slice(6, -6), slice(6, -6))
    torch.testing.assert_close(Blur(1.5)(gradient)[inner], gradient[inner])
    network = nn.Identity()
    assert blurred(network, 0.0) is network


def test_the_samples_of_a_latent_map_are_those_of_g_before_and_after_training():
    G = DCGAN(latent=6, width=4).generator((1, 8, 8)).eval()
    weights = copy.deepcopy(G.state_dict())
    B, z = trainable(LatentMap(copy.deepcopy(G), latent=6)), torch.randn(5, 6)
    assert torch.equal(B(z), G(z))
    adam = torch.optim.Adam(B.parameters(), lr=0.1)
    for _ in range(3):
        adam.zero_grad()
        B(z).mean().backward()
        adam.step()
    assert not torch.equal(B(z), G(z))
    torch.testing.assert_close(B(z), G(B.latents(z)))
    torch.testing.assert_close(B.latents(z).norm(dim=1), z.norm(dim=1))
    assert not torch.allclose(B.latents(z), z, atol=0.01)
    for name, value in B.G.state_dict().items():
        assert torch.equal(value, weights[name]), name  # also the statistics of batch normalisation


def detector(boundary, inference=None, shape=(1, 8, 8), architecture=DCGAN, optimisation=None):
    budget = Budget(task1=2, critic=2, task2=4, task3=2, j=2, batch=8)
    settings = (GAN(), architecture(latent=4, width=4), NoAugmentation(), optimisation or Optimisation(), budget)
    own = {"j_features": "sample", "divergence_term": "variational", **(inference or {})}
    return OMASGAN(Spec(shape), Workspace(), *settings, Boundary(N=8, Q=16, **boundary), Retraining(), Inference(**own))


def test_a_detector_with_both_is_trained_saved_and_loaded():
    x = torch.randint(0, 256, (40, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    settings = {"boundary": {"generator": "latent_map", "blur": 1.0}, "inference": {"blur": 1.0}}
    trained, other = detector(**settings), detector(**settings)
    trained.fit(x)
    assert any(bool((weight != 0).any()) for weight in trained.B.h[-1].parameters())
    for name, value in trained.B.G.state_dict().items():
        assert torch.equal(value, trained.G.state_dict()[name]), name
    other.load_state_dict(trained.state_dict())
    assert torch.equal(other.score(x), trained.score(x))


def test_a_detector_with_the_likelihood_of_its_generator_is_trained_saved_and_loaded():
    x = torch.randint(0, 256, (40, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    settings = {"divergence_term": "likelihood"}
    trained, other = detector({}, settings), detector({}, settings)
    trained.fit(x)
    other.load_state_dict(trained.state_dict())
    terms, loaded = trained.terms(x), other.terms(x)
    for name, term in terms.items():
        torch.testing.assert_close(loaded[name], term, rtol=0, atol=0)
    torch.testing.assert_close(terms["divergence"], trained.likelihood(trained.scaling(x), trained.G_new))
    torch.testing.assert_close(trained.terms(x[:1])["divergence"], terms["divergence"][:1])
    assert not any(parametrize.is_parametrized(layer) for layer in trained.likelihood.modules())
    assert any(parametrize.is_parametrized(layer) for layer in trained.J.modules())
    assert not torch.equal(terms["divergence"], terms["task3"])


def test_distances_between_features_are_measured_behind_the_last_but_one_layer_of_d(monkeypatch):
    x = torch.randint(0, 256, (40, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    sizes = []

    def distance(b, g, p):
        sizes.append((b[0].numel(), g[0].numel()))
        return losses.distance(b, g, p)

    monkeypatch.setattr(task2, "distance", distance)
    trained = detector({"space": "features", "mu": 9.0}, shape=(3, 8, 8))
    trained.fit(x)
    k = next(layer for layer in reversed(list(trained.D.modules())) if isinstance(layer, nn.Linear)).in_features
    assert set(sizes[-4:]) == {(k, k)}
    assert k != 3 * 8 * 8
    plain = detector({"mu": 9.0}, shape=(3, 8, 8))
    plain.fit(x)
    assert any(not torch.equal(a, b) for a, b in zip(plain.B.parameters(), trained.B.parameters(), strict=True))


@pytest.mark.parametrize("settings", [{"boundary": {"blur": 1.0}}, {"boundary": {}, "inference": {"blur": 1.0}}])
def test_a_blur_of_rows_is_refused(settings):
    with pytest.raises(UserError, match="a blur needs images in pixels"):
        detector(**settings, shape=(5,), architecture=MLP)


def test_pasted_rectangles_of_rows_are_refused():
    with pytest.raises(UserError, match="cut_paste needs images in pixels"):
        detector({}, {"negatives": "cut_paste", "mixing_min": 1.0, "mixing_max": 1.0}, shape=(5,), architecture=MLP)


ALONE = {"j_features": "distances_and_density", "divergence_term": "distance"}


def test_j_without_the_sample_depends_on_its_distances_alone():
    x = torch.randn(40, 5, generator=torch.Generator().manual_seed(0))
    trained, other = (detector({}, ALONE, shape=(5,), architecture=MLP) for _ in range(2))
    trained.fit(x)
    assert next(trained.J.parameters()).shape[1] == len(RANKS) + 1
    other.load_state_dict(trained.state_dict())
    assert torch.equal(other.score(x), trained.score(x))
    with torch.no_grad():
        v = trained.J(trained.neighbour_features(trained.scaling(x))).double()
    torch.testing.assert_close(trained.terms(x)["j"], v.flatten())


def test_images_need_j_to_see_them():
    with pytest.raises(UserError, match="j_features=distances_and_density is for rows and embeddings"):
        detector({}, ALONE)


def test_the_gradient_penalty_of_j_is_that_of_all_tasks_unless_it_has_one_of_its_own():
    x = torch.randn(40, 5, generator=torch.Generator().manual_seed(0))

    def weights(**inference):
        settings = {"optimisation": Optimisation(r1=3.0), "shape": (5,), "architecture": MLP}
        trained = detector({}, ALONE | inference, **settings)
        trained.fit(x)
        return torch.cat([weight.flatten() for weight in trained.J.parameters()])

    shared = weights()
    assert torch.equal(weights(r1=3.0), shared)
    assert not torch.equal(weights(r1=0.0), shared)
