import json

import pytest
import torch
from torch import nn

from omasgan.errors import UserError
from omasgan.report import folders
from omasgan.runs import folder as runs
from omasgan.runs.record import history
from omasgan.training.batches import Batches, Scaling
from omasgan.training.debugging import Debugger
from omasgan.training.settings import Debug, Optimisation
from omasgan.training.stage import Stage, Workspace, adam, descend

STAGES = {"task1", "critic", "task2", "task3", "j"}
TINY = (
    *("experiment=pixels", "dataset=digits", "budget=smoke", "architecture.width=8", "protocol.abnormal_class=0"),
    *("boundary.N=32", "boundary.Q=64", "precision=float32", "device=cpu"),
)


def train(debug=None, folder=None, steps=4, spoil=lambda step, network: None):
    """A stage that fits a line to random rows; what its steps drew, its losses, and its weights at the end."""
    if folder is not None:
        (folder / "checkpoints").mkdir(exist_ok=True)
    torch.manual_seed(0)
    network = nn.Linear(3, 1)
    network.register_buffer("seen", torch.zeros(()))
    workspace = Workspace(folder=folder, debug=Debugger(debug))
    optimiser = adam(network, 0.01, Optimisation())
    stage = Stage("task1", steps, workspace, {"G": network}, {"adam": optimiser})
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(1))
    batches = Batches(x, Scaling(x), workspace.device)
    drawn, losses = [], []
    with workspace.debug.watch(folder):
        for step in stage:
            batch = batches.draw(5, stage.random)
            drawn.append(torch.cat([batch.flatten(), stage.latents(2, 2).flatten(), torch.rand(1)]))  # and of dropout
            loss = (network(batch) - batch.sum(dim=1, keepdim=True)).square().mean()
            losses.append(loss.item())
            descend(loss, optimiser)
            spoil(step, network)
    return drawn, losses, {name: tensor.clone() for name, tensor in network.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("debug", [Debug(profile=True), Debug(anomaly=True)], ids=["profile", "anomaly"])
def test_what_only_looks_on_changes_no_number(tmp_path, debug):
    (drawn, _, weights), (drawn_plainly, _, plain) = train(debug, tmp_path), train()
    assert all(map(torch.equal, drawn, drawn_plainly))
    assert same(weights, plain)


def test_overfit_draws_the_same_at_every_step_and_the_loss_falls(tmp_path):
    drawn, losses, _ = train(Debug(overfit=True), tmp_path, steps=60)
    assert all(torch.equal(draw, drawn[0]) for draw in drawn)
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.9 * losses[0]
    assert len({float(draw.sum()) for draw in train()[0]}) == 4, "which it does not otherwise"


def test_overfit_goes_on_with_the_same_batch_after_a_resume(tmp_path):
    (first, *_), *_ = train(Debug(overfit=True), tmp_path, steps=2)
    (resumed, *_), _, weights = train(Debug(overfit=True), tmp_path, steps=5)
    assert torch.equal(first, resumed)
    assert same(weights, train(Debug(overfit=True), steps=5)[2])


def infinite_gradient(step, network):
    if step == 2:
        network.weight.grad[0, 1] = torch.inf


def infinite_weight(step, network):
    if step == 2:
        network.bias.data[0] = -torch.inf


def infinite_buffer(step, network):
    if step == 2:
        network.seen.fill_(torch.nan)


def nan_backwards(step, network):
    if step == 2:
        root = (network.weight - network.weight.detach()).square().sum().sqrt()  # whose slope at 0 is 0/0
        root.backward()


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (infinite_gradient, "the gradient of G.weight is not finite"),
        (infinite_weight, "G.bias is not finite"),
        (infinite_buffer, "G.seen is not finite"),
        (nan_backwards, "Function 'PowBackward0' returned nan values in its 0th output"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_anomaly_names_stage_step_and_tensor(spoil, what):
    with pytest.raises(UserError, match=f"task1 diverged at step 2 of 4: {what}"):
        train(Debug(anomaly=True), spoil=spoil)
    train(spoil=spoil)  # which nobody would have noticed


def test_a_fault_of_the_program_stays_one(tmp_path):
    def fault(step, network):
        raise RuntimeError("a fault")

    with pytest.raises(RuntimeError, match="a fault"):
        train(Debug(anomaly=True), spoil=fault)


# The options of the group `debug`


@pytest.fixture
def debugged(command, tmp_path):
    """Runs one option of `debug`; the run's folder."""

    def run(option, *overrides):
        outcome = command(*TINY, f"runs={tmp_path}/runs", f"debug={option}", *overrides)
        assert outcome.code == 0, outcome.errors
        (folder,) = (path.parent for path in (tmp_path / "runs" / "debug" / option).rglob("metrics.json"))
        assert not (folder / "wandb").exists()
        assert set(runs.result(folder).metrics) == {
            *STAGES - {"task2", "critic"},
            "divergence",
            "full",
        }
        return folder

    return run


def recorded(folder):
    """The steps that each stage recorded."""
    return {stage: next(iter(values.values()))[0] for stage, values in history(folder).items()}


def test_debug_step_runs_anew_each_time_in_a_folder_of_its_own(debugged, tmp_path):
    folder = debugged("step")
    assert recorded(folder) == {stage: [1] for stage in STAGES}
    before = {path: path.stat().st_ino for path in (folder / "checkpoints").iterdir()}
    (folder / "left").write_text("by code that is another now")
    assert debugged("step") == folder
    after = {path: path.stat().st_ino for path in (folder / "checkpoints").iterdir()}
    assert before.keys() == after.keys()
    assert not (folder / "left").exists()
    assert recorded(folder) == {stage: [1] for stage in STAGES}

    with pytest.raises(UserError, match="there is no run in"):
        folders.find([tmp_path / "runs"])
    assert folders.find([tmp_path / "runs" / "debug"]) == [folder]


def test_debug_runs_train_every_stage_themselves(debugged, command, tmp_path):
    folder = debugged("step")
    command(*TINY, f"runs={tmp_path}/runs", "debug=step", "inference.lambda_=2")
    for path in (tmp_path / "runs").rglob("run.json"):
        assert "trained_in" not in json.loads(path.read_text())
        assert recorded(path.parent) == {stage: [1] for stage in STAGES}
    assert len(list(folder.parents[2].rglob("run.json"))) == 2


def test_debug_profile_traces_a_few_steps_of_each_stage(debugged):
    folder = debugged("profile")
    events = json.loads((folder / "profile" / "trace.json").read_text())["traceEvents"]
    marks = {event["name"] for event in events if event.get("cat") == "user_annotation"}
    assert {f"{stage}, step {step}" for stage in STAGES for step in range(5)} <= marks
    assert any(event["name"] == "aten::convolution" for event in events)


def test_debug_anomaly_records_every_step(debugged):
    folder = debugged("anomaly")
    assert recorded(folder) == {stage: [1, 2, 3, 4] for stage in STAGES}
    assert {path.stem for path in (folder / "csv").iterdir()} >= STAGES


def test_debug_overfit_makes_the_losses_fall(debugged):
    steps = [f"budget.{name}=40" for name in ("task1", "critic", "task2", "task3", "j")]
    curves = history(debugged("overfit", *steps))
    assert curves["task1"]["loss/D"][0] == [1, 11, 21, 31, 40]
    for stage, name in (("critic", "loss/C"), ("j", "loss/J")):  # which no opponent makes harder as they go
        losses = curves[stage][name][1]
        assert losses == sorted(losses, reverse=True)
