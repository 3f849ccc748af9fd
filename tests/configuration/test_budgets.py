"""budget=equal and budget=published: each detector's own steps, and a refusal where there are none."""

import pytest
from omegaconf import OmegaConf

from omasgan.configuration.checks import check
from omasgan.configuration.explain import explain
from omasgan.configuration.identity import identity_of
from omasgan.configuration.schema import FOLDER

BUDGETS = ("equal", "published")
DETECTORS = sorted(path.stem for path in (FOLDER / "detector").glob("*.yaml"))
OWN = sorted(path.stem for path in (FOLDER / "detector_budget").glob("*.yaml"))
PAIRS = {f"{detector}_{budget}": (detector, budget) for detector in DETECTORS for budget in BUDGETS}


def with_detector(folder, name):
    """A folder for --config-dir with an autoencoder by another name, which has no steps of its own."""
    (folder / "detector").mkdir()
    content = (FOLDER / "detector" / "autoencoder.yaml").read_text()
    (folder / "detector" / f"{name}.yaml").write_text(content)
    return folder


@pytest.mark.parametrize("stem", OWN)
def test_every_file_belongs_to_a_detector_and_a_budget_and_reaches_the_detector(composed, stem):
    detector, budget = PAIRS[stem]
    content = OmegaConf.load(FOLDER / "detector_budget" / f"{stem}.yaml")
    config = check(composed(f"detector={detector}", f"budget={budget}"))
    for key, value in content.get("budget", {}).items():
        assert config["budget"][key] == value
    inner = config["detector"].get("detector", config["detector"])
    assert inner.get("budget", config["budget"]) == config["budget"]


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_detector_without_steps_is_refused_in_one_line(command, tmp_path, budget):
    own = with_detector(tmp_path, "mine")
    outcome = command("--config-dir", own, "detector=mine", f"budget={budget}", "logger=none", f"runs={tmp_path}/runs")
    assert outcome.code == 1
    (line,) = outcome.errors
    assert f"budget={budget} has no steps for detector=mine" in line
    assert f"detector_budget/mine_{budget}.yaml" in line
    assert not any((tmp_path / "runs").iterdir())


def test_a_file_beside_the_detector_gives_the_steps_and_the_rest_has_none(command, tmp_path):
    own = with_detector(tmp_path, "mine")
    (own / "detector_budget").mkdir()
    (own / "detector_budget" / "mine_equal.yaml").write_text("# @package _global_\nbudget:\n  task1: 7\n")
    shown = command("--config-dir", own, "detector=mine", "budget=equal", "--cfg", "job", "--resolve", "-p", "budget")
    assert "task1: 7" in shown.output
    assert "task3: 0" in shown.output


@pytest.mark.parametrize("detector", ["nearest_neighbour", "pca", "mahalanobis", "isolation_forest"])
@pytest.mark.parametrize("budget", BUDGETS)
def test_a_detector_that_trains_no_network_needs_no_steps(composed, detector, budget):
    assert check(composed(f"detector={detector}", f"budget={budget}"))["budget"]["task1"] == 0


def test_an_embedding_that_is_learned_needs_steps_and_pixels_do_not(composed):
    free = check(composed("detector=nearest_embedding", "budget=published", "representation=pixels"))
    assert free["budget"]["task1"] == 0
    with pytest.raises(Exception, match="has no steps") as caught:
        check(composed("detector=nearest_embedding", "budget=published"))
    assert "budget=published has no steps" in explain(caught.value)


def test_the_published_steps_of_omasgan_are_those_of_the_paper(composed):
    paper = check(composed("budget=paper"))["budget"]
    for detector in ("omasgan", "fgan"):
        assert check(composed(f"detector={detector}", "budget=published"))["budget"] == paper


def test_no_other_budget_is_changed(composed):
    identities = {name: identity_of(composed(f"budget={name}")) for name in ("default", "quick", "smoke", "paper")}
    assert identities["default"] == identity_of(composed())
    assert len(set(identities.values())) == 4
