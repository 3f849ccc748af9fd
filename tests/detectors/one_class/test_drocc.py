import pytest
import torch
from torch.nn.functional import softplus

from omasgan.data.dataset import Spec
from omasgan.detectors.one_class.drocc import DROCC, lengths, spread
from omasgan.errors import UserError
from omasgan.networks.mlp import MLP
from omasgan.training.augmentation import NoAugmentation
from omasgan.training.batches import Batches, Scaling
from omasgan.training.settings import Budget
from omasgan.training.stage import Workspace


def made(steps=30, **settings):
    budget = Budget(task1=steps, batch=64)
    return DROCC(Spec((3,)), Workspace(), MLP(width=32, depth=2), NoAugmentation(), budget, **settings)


def rows(n, seed=0):
    return torch.randn(n, 3, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def trained():
    detector = made(steps=200, gamma=1.5)
    detector.fit(rows(300))
    return detector


@pytest.mark.parametrize("gamma", [1.0, 2.0])
def test_the_offsets_stay_on_the_shell(gamma):
    detector = made(gamma=gamma, ascent_step=0.7)
    detector.r = 1.3
    h = detector.search(rows(50), torch.cat([rows(25, seed=1) * 100, rows(25, seed=2) / 100]))
    assert (lengths(h) >= 1.3 - 1e-5).all()
    assert (lengths(h) <= gamma * 1.3 + 1e-5).all()


def test_a_projection_moves_along_the_offset_and_only_where_it_is_outside():
    detector = made(gamma=2.0)
    detector.r = 1.0
    h = torch.tensor([[0.0, 0.5, 0.0], [0.0, 0.0, 1.5], [8.0, 0.0, 0.0]])
    expected = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.5], [2.0, 0.0, 0.0]])
    torch.testing.assert_close(detector.projected(h), expected)


def test_the_search_raises_the_loss(trained):
    """It looks for points that are taken for normal."""
    x, start = trained.scaling(rows(100, seed=1)), rows(100, seed=2)
    before = softplus(-trained.f(x + trained.projected(start))).mean()
    after = softplus(-trained.f(x + trained.search(x, start))).mean()
    assert after > before


def test_the_offsets_carry_no_graph_and_the_classifier_trains_on(trained):
    h = trained.search(rows(5), rows(5, seed=1))
    assert h.is_leaf
    assert not h.requires_grad
    assert all(weight.requires_grad for weight in trained.f.parameters())


def test_one_rule_gives_the_radius_of_every_class():
    """The trap of this method: the published radii were chosen for each class."""
    x = rows(500) * torch.tensor([1.0, 2.0, 3.0]) + 7
    scaling = Scaling(x)
    assert spread(Batches(x, scaling, torch.device("cpu"))) == pytest.approx(3**0.5, rel=2e-3)
    detector = made(radius=0.5)
    detector.fit(x)
    assert detector.r == pytest.approx(3**0.5 / 2, rel=2e-3), "sqrt(d) / 2 for standardised values"


def test_points_beyond_the_shell_are_abnormal(trained):
    x = rows(100, seed=3)
    far = x / lengths(x) * 4
    near = x / lengths(x) * 0.3
    assert trained.score(far).median() > trained.score(near).median()


def test_no_step_is_one_line():
    with pytest.raises(UserError, match=r"^budget\.task1 is 0: drocc trains for that many steps, at least 1$"):
        made(steps=0).check(10)
