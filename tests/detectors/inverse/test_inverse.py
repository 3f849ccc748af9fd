import copy

import pytest
import torch
from torch import nn

from omasgan.data.dataset import Spec
from omasgan.detectors.inverse.anogan import AnoGAN
from omasgan.detectors.inverse.egbad import EGBAD, PairDiscriminator
from omasgan.detectors.inverse.f_anogan import FAnoGAN, slope_penalty
from omasgan.errors import UserError
from omasgan.method.divergences import GAN
from omasgan.networks.base import features_and_output
from omasgan.networks.dcgan import DCGAN
from omasgan.networks.mlp import MLP
from omasgan.training.augmentation import NoAugmentation
from omasgan.training.settings import Budget, Optimisation
from omasgan.training.stage import Workspace

SHAPE = (1, 8, 8)
BUDGET = Budget(task1=5, task3=5, batch=16)


def images(n, seed=0):
    return torch.randint(0, 256, (n, *SHAPE), generator=torch.Generator().manual_seed(seed)).to(torch.uint8)


def rows(n, seed=0):
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))


def anogan(budget=BUDGET, architecture=None, spec=SHAPE, **settings):
    architecture = architecture or DCGAN(latent=4, width=8, discriminator_norm="batch")
    return AnoGAN(
        Spec(spec), Workspace(), GAN(), architecture, NoAugmentation(), Optimisation(r1=0.0), budget, **settings
    )


def other(kind, budget=BUDGET, **settings):
    architecture = MLP(latent=2, width=16, depth=2)
    return kind(Spec((4,)), Workspace(), architecture, NoAugmentation(), budget, **settings)


@pytest.fixture(scope="module")
def trained():
    detector = anogan(search_steps=20, restarts=2)
    detector.fit(images(40))
    return detector


class Linear(nn.Module):
    def __init__(self, W):
        super().__init__()
        self.W = nn.Parameter(W)

    def forward(self, z):
        return z @ self.W.T


def test_the_search_in_a_linear_generator_finds_the_least_absolute_residual():
    """On the image of G the residual is 0; beside it, on an axis that G does not reach, it is the distance to it."""
    detector = anogan(architecture=MLP(latent=2, width=8), spec=(4,), search_steps=800, lr=0.1, feature_weight=0.0)
    W = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0], [0.0, 0.0]])
    detector.G = Linear(W)
    inside = torch.tensor([[0.7, -1.4, 0.0, 0.0]])
    beside = inside + torch.tensor([[0.0, 0.0, 3.0, 0.0]])
    residual = detector.search(torch.cat([inside, beside]))[:, 1]
    torch.testing.assert_close(residual, torch.tensor([0.0, 3.0]), atol=0.05, rtol=0)


def test_the_search_of_a_sample_does_not_depend_on_the_others(trained):
    """The trap of this method: with a mean over the batch in the loss, or batch norm in training mode, it would."""
    x = images(12, seed=1)
    together = trained.terms(x)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    for term, scores in together.items():
        alone = torch.cat([trained.terms(sample)[term] for sample in x[:3].split(1)])
        torch.testing.assert_close(alone, scores[:3], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(trained.terms(x[order])[term], scores[order], rtol=1e-4, atol=1e-4)


def test_the_search_changes_no_network(trained):
    state = copy.deepcopy(trained.state_dict())
    trained.score(images(3, seed=2))
    torch.testing.assert_close(trained.state_dict(), state, rtol=0, atol=0)


def test_more_steps_and_more_starts_are_never_worse(trained):
    x = images(8, seed=3)
    scores = {}
    detector = copy.deepcopy(trained)
    for steps, starts in ((1, 1), (20, 1), (20, 2)):
        detector.search_steps, detector.starts = steps, trained.starts[:starts]
        scores[steps, starts] = detector.score(x)
    assert scores[20, 1].mean() < scores[1, 1].mean()
    assert (scores[20, 2] <= scores[20, 1] + 1e-6).all(), "the first start is the same"


def test_the_score_weighs_the_residual_and_the_features(trained):
    terms = trained.terms(images(5, seed=4))
    torch.testing.assert_close(terms["search"], 0.9 * terms["residual"] + 0.1 * terms["feature"], rtol=1e-5, atol=1e-4)


def test_the_penalty_is_zero_for_a_slope_of_one():
    weight = torch.nn.functional.normalize(torch.randn(1, 4), dim=1)
    D = nn.Sequential(nn.Linear(4, 1), nn.Flatten(0))
    D[0].weight.data = weight
    assert slope_penalty(D, rows(6)).item() == pytest.approx(0, abs=1e-10)
    D[0].weight.data = 3 * weight
    assert slope_penalty(D, rows(6)).item() == pytest.approx(4, rel=1e-5)


def test_with_a_perfect_encoder_the_score_of_f_anogan_is_zero():
    detector = other(FAnoGAN)
    x = rows(6)
    detector.G, detector.E = nn.Identity(), nn.Identity()
    assert detector.compare(x).abs().max() == 0
    detector.E = lambda x: x + 1
    loss, residual, feature = detector.compare(x).T
    torch.testing.assert_close(residual, torch.ones(6))
    torch.testing.assert_close(loss, residual + feature)


def test_f_anogan_scores_what_its_encoder_was_trained_to_lower():
    detector = other(FAnoGAN, Budget(task1=5, task3=200, batch=32), lr_encoder=1e-2)
    detector.fit(rows(100))
    few = other(FAnoGAN)
    few.fit(rows(100))
    assert detector.score(rows(50, seed=1)).mean() < few.score(rows(50, seed=1)).mean()


def test_the_discriminator_of_pairs_sees_both_and_ends_in_its_features():
    D = PairDiscriminator(nn.Linear(4, 8), latent=2, features=8)
    x, z = rows(5), torch.randn(5, 2)
    v = D((x, z))
    assert v.shape == (5,)
    assert (v != D((x, z + 1))).all()
    assert (v != D((x + 1, z))).all()
    features, output = features_and_output(D, (x, z))
    torch.testing.assert_close(D.joint[-2:](features), output)


def test_egbad_pushes_its_pairs_the_right_way():
    """E makes the value of (x, E(x)) fall and G makes that of (G(z), z) rise, with D fixed: v(x, z) = sum of z + x."""
    detector = other(EGBAD, Budget(task1=30, batch=32), lr=1e-2, ema=0.0)

    class Total(nn.Module):
        def __init__(self):
            super().__init__()
            self.unused = nn.Parameter(torch.zeros(()))

        def forward(self, pair):
            return pair[0].sum(dim=1) + pair[1].sum(dim=1) + self.unused

    detector.D = Total()
    e_before, g_before = detector.E(rows(50)).mean(), detector.G(torch.zeros(1, 2)).mean()
    detector.fit(rows(64))
    assert detector.E(rows(50)).mean() < e_before
    assert detector.G(torch.zeros(1, 2)).mean() > g_before


def test_egbad_weighs_the_residual_and_the_features():
    detector = other(EGBAD)
    detector.fit(rows(40))
    terms = detector.terms(rows(6, seed=1))
    torch.testing.assert_close(terms["bigan"], 0.9 * terms["residual"] + 0.1 * terms["feature"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "name", "stage"),
    [
        (lambda b: anogan(b), "anogan", "task1"),
        (lambda b: other(EGBAD, b), "egbad", "task1"),
        (lambda b: other(FAnoGAN, b), "f_anogan", "task3"),
    ],
)
def test_no_step_is_one_line(make, name, stage):
    budget = Budget(**{"task1": 5, "task3": 5, stage: 0})
    with pytest.raises(UserError, match=rf"^budget\.{stage} is 0: {name} trains for that many steps, at least 1$"):
        make(budget).check(10)
