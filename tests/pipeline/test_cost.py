"""What a run says of its cost."""

import itertools
import json
import math

import pytest
import torch
from torch import nn

from omasgan.pipeline import build, outputs
from omasgan.runs import results
from omasgan.training.settings import Optimisation
from omasgan.training.stage import Stage, Workspace, adam, descend
from tests.pipeline.running import TOY, read

pytestmark = pytest.mark.usefixtures("no_pictures")


def trained_steps(workspace, stop=None):
    """Four steps of one small network, or as many as `stop`."""
    network = nn.Linear(2, 3)
    optimiser = adam(network, 1e-3, Optimisation())
    for step in Stage("task1", 4, workspace, {"G": network}, {"adam": optimiser}):
        if step == stop:
            raise KeyboardInterrupt
        descend(network(torch.ones(1, 2)).sum(), optimiser)


@pytest.fixture
def ticking(monkeypatch):
    """Every look at the clock takes a second."""
    monkeypatch.setattr("time.monotonic", itertools.count(0.0).__next__)


def seconds_of(folder):
    return torch.load(folder / "checkpoints" / "task1.pt", weights_only=True)["state"]["seconds"]


def test_the_seconds_of_an_interrupted_stage_count(tmp_path, ticking):
    (tmp_path / "checkpoints").mkdir()
    first, second, third = (Workspace(folder=tmp_path, checkpoint_every=2) for _ in range(3))
    with pytest.raises(KeyboardInterrupt):
        trained_steps(first, stop=3)
    spent = seconds_of(tmp_path)
    assert spent > 0
    assert first.cost.earlier == 0
    trained_steps(second)
    assert second.cost.earlier == spent
    assert seconds_of(tmp_path) > spent
    trained_steps(third)
    assert third.cost.earlier == seconds_of(tmp_path), "nothing is left to do"
    assert {workspace.cost.parameters for workspace in (first, second, third)} == {9}


def test_what_a_checkpoint_of_an_earlier_version_took_is_not_known(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    path = tmp_path / "checkpoints" / "task1.pt"
    trained_steps(Workspace(folder=tmp_path))
    content = torch.load(path, weights_only=True)
    del content["state"]["seconds"]
    torch.save(content, path)
    workspace = Workspace(folder=tmp_path)
    trained_steps(workspace)
    assert math.isnan(workspace.cost.earlier)
    tested = results.Objective("test", ("1",), 90, 10)
    found = outputs.cost_of(tmp_path, {"fit": 1.0, "score": 2.0}, workspace.cost, tested)
    assert results.cost({"cost": found}) == results.Cost(None, 20.0, 9)


@pytest.mark.parametrize(("detector", "networks"), [("fgan", ("G", "D")), ("pca", ())])
def test_a_run_writes_the_cost_of_its_detector(start, monkeypatch, detector, networks):
    made = []
    plain = build.detector
    monkeypatch.setattr(build, "detector", lambda *given: made.append(plain(*given)) or made[-1])
    folder = start(*TOY, f"detector={detector}")
    cost = results.cost(read(folder))
    inner = getattr(made[0], "detector", made[0])
    weights = [weight for name in networks for weight in getattr(inner, name).parameters()]
    assert cost.parameters == sum(weight.numel() for weight in weights)
    assert cost.training_seconds == read(folder)["seconds"]["fit"]
    assert cost.scoring_seconds == pytest.approx(read(folder)["seconds"]["score"] * 10), "there are 100 test samples"


def test_a_baseline_that_is_added_later_leaves_the_cost(start):
    folder = start(*TOY, "detector=fgan")
    before = read(folder)["cost"]
    start(*TOY, "detector=fgan", "baselines=cheap")
    assert "test/auroc/pca" in read(folder)["metrics"]
    assert read(folder)["cost"] == before
    old = {key: value for key, value in read(folder).items() if key != "cost"}
    (folder / "metrics.json").write_text(json.dumps(old))
    start(*TOY, "detector=fgan", "baselines=cheap", "+detector@baselines.nearest_embedding=nearest_embedding")
    assert "test/auroc/nearest_embedding" in read(folder)["metrics"]
    assert results.cost(read(folder)) == results.Cost()
