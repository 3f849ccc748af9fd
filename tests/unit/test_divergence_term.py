"""The reading of the divergence that the score takes, as its settings say."""

from dataclasses import replace

import pytest
import torch
from hydra import compose, initialize_config_dir

from omasgan import build
from omasgan import config as configuration
from omasgan.data.dataset import Spec
from omasgan.stages.stage import Workspace


@pytest.fixture(scope="module")
def detector():
    configuration.register()
    overrides = ["representation=pixels", "dataset=digits", "budget=smoke", "floors=none"]
    with initialize_config_dir(str(configuration.FOLDER), version_base="1.3"):
        config = configuration.check(compose("config", overrides))
    represented = build.detector(config["detector"], Spec((5,)), Workspace())
    represented.fit(torch.randn(200, 5, generator=torch.Generator().manual_seed(0)))
    return represented.detector


@pytest.mark.parametrize(("neighbours", "locality"), [(1, 0.0), (3, 0.5), (10, 1.0)])
def test_the_distance_is_that_of_its_neighbours_over_the_spacing(detector, neighbours, locality, monkeypatch):
    x = torch.randn(30, 5, generator=torch.Generator().manual_seed(1))
    settings = replace(detector.inference, neighbours=neighbours, locality=locality)
    monkeypatch.setattr(detector, "inference", settings)
    there = detector.sight.around(detector.scaling(x))
    expected = there.distances[:, :neighbours].mean(dim=1) / there.spacing**locality
    torch.testing.assert_close(detector.terms(x)["divergence"], expected.double())


def test_the_critics_readings_are_its_own(detector, monkeypatch):
    x = torch.randn(30, 5, generator=torch.Generator().manual_seed(1))
    monkeypatch.setattr(detector, "inference", replace(detector.inference, divergence_term="variational"))
    terms = detector.terms(x)
    torch.testing.assert_close(terms["divergence"], terms["task3"])
