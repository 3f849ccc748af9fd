"""The parts of the score, as its settings say."""

from dataclasses import replace

import pytest
import torch
from hydra import compose, initialize_config_dir

from omasgan.configuration.checks import check
from omasgan.configuration.schema import FOLDER, register
from omasgan.data.dataset import Spec
from omasgan.detectors.omasgan import OMASGAN
from omasgan.errors import UserError
from omasgan.pipeline import build
from omasgan.training.stage import Workspace


@pytest.fixture(scope="module")
def detector():
    register()
    overrides = ["representation=pixels", "dataset=digits", "budget=smoke", "baselines=none"]
    with initialize_config_dir(str(FOLDER), version_base="1.3"):
        config = check(compose("config", overrides))
    represented = build.detector(config["detector"], Spec((5,)), Workspace())
    represented.fit(torch.randn(200, 5, generator=torch.Generator().manual_seed(0)))
    return represented.detector


@pytest.mark.parametrize(("neighbours", "density_exponent"), [(1, 0.0), (3, 0.5), (10, 1.0)])
def test_the_distance_is_the_mean_to_the_neighbours_over_the_density_scale(
    detector, neighbours, density_exponent, monkeypatch
):
    x = torch.randn(30, 5, generator=torch.Generator().manual_seed(1))
    settings = replace(detector.inference, neighbours=neighbours, density_exponent=density_exponent)
    monkeypatch.setattr(detector, "inference", settings)
    there = detector.neighbour_features.neighbours(detector.scaling(x))
    expected = there.distances[:, :neighbours].mean(dim=1) / there.density_scale**density_exponent
    torch.testing.assert_close(detector.terms(x)["divergence"], expected.double())


def test_the_critics_readings_are_its_own(detector, monkeypatch):
    x = torch.randn(30, 5, generator=torch.Generator().manual_seed(1))
    monkeypatch.setattr(detector, "inference", replace(detector.inference, divergence_term="variational"))
    terms = detector.terms(x)
    torch.testing.assert_close(terms["divergence"], terms["task3"])


@pytest.mark.parametrize(("reading", "passes"), [("variational", 1), ("conjugate", 2), ("distance", 1)])
def test_the_critic_is_run_once_for_each_term_that_it_gives(detector, reading, passes, monkeypatch):
    run = []
    monkeypatch.setattr(detector, "inference", replace(detector.inference, divergence_term=reading))
    hook = detector.C.register_forward_hook(lambda *_: run.append(1))
    detector.terms(torch.randn(30, 5, generator=torch.Generator().manual_seed(1)))
    hook.remove()
    assert len(run) == passes


def test_scores_are_computed_in_the_arithmetic_of_the_workspace(detector, monkeypatch):
    x = torch.randn(300, 5, generator=torch.Generator().manual_seed(1))
    exact = detector.terms(x)
    monkeypatch.setattr(detector, "workspace", replace(detector.workspace, dtype=torch.bfloat16))
    for name, term in detector.terms(x).items():
        assert term.dtype == torch.float64
        assert (term - exact[name]).abs().max() < 0.02 * exact[name].abs().max(), name
        assert torch.equal(term, exact[name]) == (name == "divergence"), "a distance is exact in any arithmetic"
        assert len(term.unique()) > 295, "rounded, samples would share scores"


def test_the_auxiliary_score_is_a_term_and_enters_full_by_its_weight(detector, monkeypatch):
    x = torch.randn(30, 5, generator=torch.Generator().manual_seed(1))
    plain = detector.terms(x)
    assert "auxiliary" not in plain
    monkeypatch.setattr(detector, "spec", Spec((5,), auxiliary=(1, 4)))
    monkeypatch.setitem(detector.scales, "auxiliary", (0.5, 2.0))
    monkeypatch.setattr(detector, "inference", replace(detector.inference, auxiliary_weight=3.0))
    terms = detector.terms(x)
    expected = x[:, 1].double() + x[:, 4].double()
    torch.testing.assert_close(terms["auxiliary"], expected)
    torch.testing.assert_close(terms["full"], plain["full"] + 3 * (expected - 0.5) / 2)


def test_an_auxiliary_score_that_no_part_gives_cannot_be_weighed(detector):
    inference = replace(detector.inference, auxiliary_weight=3.0)
    with pytest.raises(UserError, match=r"auxiliary_weight is 3, .* gives auxiliary scores: add rotation_prediction"):
        OMASGAN(
            Spec((5,)),
            Workspace(),
            *(detector.recipe.divergence, detector.architecture, detector.augmentation, detector.recipe.optimisation),
            *(detector.recipe.budget, detector.boundary, detector.retraining, inference),
        )
