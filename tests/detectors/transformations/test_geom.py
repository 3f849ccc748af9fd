import copy

import pytest
import torch
from torch import nn

from omasgan.data.dataset import Spec
from omasgan.detectors.transformations.geom import GEOM, dirichlet_score
from omasgan.errors import UserError
from omasgan.networks.wide_resnet import WideResNet
from omasgan.training.augmentation import NoAugmentation
from omasgan.training.settings import Budget
from omasgan.training.stage import Workspace

SHAPE = (1, 8, 8)
M = 72


class Pooled:
    """A tiny architecture: a strided convolution with batch norm and one linear layer."""

    latent = 1

    def encoder(self, shape, outputs):
        return nn.Sequential(
            *(nn.Conv2d(shape[0], 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten()),
            nn.Linear(8 * (shape[1] // 2) * (shape[2] // 2), outputs),
        )


def images(n, seed=0):
    """Bright towards one corner, so that the flips and rotations can be told apart."""
    across = torch.linspace(0, 1, 8)
    corner = 200 * across[:, None] ** 2 * across[None, :]
    noise = torch.randint(0, 50, (n, *SHAPE), generator=torch.Generator().manual_seed(seed))
    return (corner + noise).to(torch.uint8)


def detector(steps=60, **settings):
    return GEOM(Spec(SHAPE), Workspace(), Pooled(), NoAugmentation(), Budget(task1=steps, batch=64), **settings)


@pytest.fixture(scope="module")
def trained():
    geom = detector(lr=1e-2, dirichlet_samples=50)
    geom.fit(images(100))
    return geom


def test_the_score_is_constant_where_all_alpha_are_one():
    log_p = torch.log_softmax(torch.randn(5, M, M, dtype=torch.float64), dim=2)
    assert torch.equal(dirichlet_score(torch.ones(M, M), log_p), torch.zeros(5, dtype=torch.float64))


def test_the_score_is_minus_the_mean_log_density_of_the_dirichlet_distributions_up_to_a_constant():
    alpha = torch.rand(M, M, dtype=torch.float64) + 0.5
    log_p = torch.log_softmax(torch.randn(5, M, M, dtype=torch.float64), dim=2)
    density = torch.distributions.Dirichlet(alpha, validate_args=False).log_prob(log_p.exp()).mean(dim=1)
    difference = dirichlet_score(alpha, log_p) + density
    torch.testing.assert_close(difference, difference[:1].expand(5))


def test_the_classifier_learns_the_transformations(trained):
    right = (trained.outputs(trained.log_p, images(20, seed=1)).argmax(dim=2) == torch.arange(M)).float().mean()
    assert right > 0.5


def test_the_probability_term_is_minus_the_mean_probability_of_the_right_transformation(trained):
    x = images(4, seed=1)
    network, scaled = trained.classifier, trained.scaling(x)
    p = [torch.softmax(network(trained.transformations(scaled, torch.full((4,), t))), dim=1)[:, t] for t in range(M)]
    expected = -torch.stack(p).mean(dim=0)
    torch.testing.assert_close(trained.terms(x)["probability"].float(), expected, rtol=0, atol=1e-4)


def test_the_score_of_an_image_is_that_of_the_image_alone_with_batch_norm_in_eval_mode(trained):
    x = torch.cat([images(9, seed=1), 255 - images(9, seed=2)])
    before = copy.deepcopy(trained.classifier.state_dict())
    alone = torch.cat([trained.score(one) for one in x.split(1)])
    torch.testing.assert_close(trained.score(x), alone, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(trained.classifier.state_dict(), before, rtol=0, atol=0)


def test_an_image_turned_round_is_more_anomalous(trained):
    x = images(50, seed=1)
    normal, turned = trained.terms(x), trained.terms(x.rot90(2, (2, 3)))
    for term in normal:
        assert turned[term].min() > normal[term].max(), term


def test_the_dirichlet_distributions_are_fitted_to_as_many_training_images_as_asked(trained):
    few = detector(lr=1e-2, dirichlet_samples=10)
    few.fit(images(100))
    torch.testing.assert_close(few.classifier.state_dict(), trained.classifier.state_dict(), rtol=0, atol=0)
    assert not torch.allclose(few.alpha, trained.alpha, rtol=1e-3)


def test_probabilities_have_a_floor_and_sum_to_one(trained):
    x = images(5, seed=1)
    p = trained.outputs(trained.log_p, x).exp()
    floored = copy.copy(trained)
    floored.floor = 0.01
    raised = floored.outputs(floored.log_p, x).exp()
    assert p.min() < 1e-3
    torch.testing.assert_close(raised.sum(dim=2), torch.ones(5, M, dtype=torch.float64))
    expected = p.clamp_min(0.01) / p.clamp_min(0.01).sum(dim=2, keepdim=True)
    torch.testing.assert_close(raised, expected, rtol=0, atol=1e-4)


def test_no_steps_are_refused():
    with pytest.raises(UserError, match=r"budget\.task1 is 0: geom trains"):
        detector(steps=0).fit(images(10))


@pytest.mark.parametrize(("shape", "said"), [((5,), "rows of 5 numbers"), ((3, 6, 6), "6 x 6"), ((1, 8, 16), "8 x 16")])
def test_samples_without_the_transformations_are_refused(shape, said):
    with pytest.raises(UserError, match=said):
        GEOM(Spec(shape), Workspace(), WideResNet(), NoAugmentation(), Budget())
