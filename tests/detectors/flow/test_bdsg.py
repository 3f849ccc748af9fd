import sys

import pytest
import torch

from omasgan.data.dataset import Spec
from omasgan.detectors.flow.bdsg import BDSG
from omasgan.detectors.flow.coupling_flow import LARGEST, CouplingFlow, FlowCritic
from omasgan.errors import UserError
from omasgan.method.divergences import KL
from omasgan.method.settings import Boundary
from omasgan.training.augmentation import NoAugmentation
from omasgan.training.settings import Budget, Optimisation
from omasgan.training.stage import Workspace

pytest.importorskip("zuko", reason="the extra omasgan[flows] is not installed")

FROZEN = Boundary(critic="frozen", N=64, Q=128)


def rows(n, seed=0):
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(seed)) * torch.tensor([1.0, 3.0])


def bdsg(budget=None, boundary=FROZEN, **settings):
    budget = budget or Budget(task1=300, task2=60, batch=64)
    optimisation = Optimisation(lr_generator=2e-3)
    return BDSG(
        *(Spec((2,)), Workspace(), KL(), NoAugmentation(), optimisation, budget, boundary),
        **{"layers": 3, "width": 16, "lr": 1e-2, "bank": 100, **settings},
    )


@pytest.fixture(scope="module")
def trained():
    detector = bdsg()
    detector.fit(rows(500))
    return detector


def test_the_density_of_rows_integrates_to_one(trained):
    axis = torch.linspace(-7, 7, 141)
    grid = torch.cartesian_prod(axis, axis)
    density = (trained.flow(grid) * 2).exp()
    assert float(density.sum().detach()) * 0.1**2 == pytest.approx(1, abs=0.02)


def test_the_density_of_images_integrates_to_one():
    flow = CouplingFlow((1, 1, 2), layers=2, width=8)
    axis = torch.linspace(-1, 1, 202)[:-1] + 1 / 201
    grid = torch.cartesian_prod(axis, axis).view(-1, 1, 1, 2)
    mass = float((flow(grid) * 2).exp().sum().detach()) * (2 / 201) ** 2
    inside = 0.05**0.5  # the part of the flow's mass that lies outside of [-1, 1] is what the margin cuts off
    assert inside < mass <= 1.01


def test_a_flow_that_is_trained_on_a_gaussian_has_its_density(trained):
    x = rows(200, seed=1)
    scaled = trained.scaling(x)
    exact = torch.distributions.Normal(0, 1).log_prob(scaled).mean(dim=1)
    assert (trained.flow(scaled) - exact).abs().median() < 0.1


def test_the_inverse_of_the_flow_is_its_generator(trained):
    z = torch.randn(50, 2)
    x = trained.flow.generate(z)
    torch.testing.assert_close(trained.flow.flow().transform(x), z, rtol=1e-3, atol=1e-3)


def test_dequantised_images_stay_images_and_differ_by_less_than_a_value():
    flow = CouplingFlow((1, 2, 2), layers=2, width=8)
    x = torch.tensor([-1.0, 1.0, 0.0, 0.5]).view(1, 1, 2, 2)
    noisy = flow.noisy(x, torch.Generator().manual_seed(0))
    assert noisy.abs().max() <= 1
    assert (noisy - x).abs().max() <= 1 / 255
    assert not torch.equal(noisy, x)


def test_the_boundary_generator_leaves_the_density(trained):
    samples = trained.samples(200)
    inside, outside = (trained.score(samples[name]).median() for name in ("G", "B"))
    assert outside > inside + 0.3


def test_the_term_boundary_is_higher_on_the_side_of_B(trained):
    samples = trained.samples(200)
    assert trained.terms(samples["B"])["boundary"].median() > trained.terms(rows(200, seed=2))["boundary"].median()


def test_the_critic_is_the_standardised_density(trained):
    critic = FlowCritic(trained.flow, mean=-1.0, deviation=0.5)
    x = trained.scaling(rows(5))
    torch.testing.assert_close(critic(x), (trained.flow(x) + 1) / 0.5)
    assert critic(x + 1000).min() == -LARGEST


def test_what_a_user_may_get_wrong_is_one_line(monkeypatch):
    with pytest.raises(
        UserError, match=r"^boundary.critic is cotrained, but the critic of bdsg is its flow: set bound"
    ):
        bdsg(boundary=Boundary(critic="cotrained"))
    with pytest.raises(UserError, match=r"^budget\.task2 is 0: bdsg trains for that many steps, at least 1$"):
        bdsg(Budget(task2=0)).check(10)
    monkeypatch.setitem(sys.modules, "zuko.flows", None)
    with pytest.raises(UserError, match=r"^detector=bdsg needs the package zuko: pip install 'omasgan\[flows\]'$"):
        bdsg()
