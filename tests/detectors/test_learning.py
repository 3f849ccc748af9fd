"""Every stage trains its own networks and no other, by every term of its loss, and stops when that fails."""

import copy
import re
from functools import cache
from itertools import combinations

import pytest
import torch
from hydra import compose, initialize_config_dir

from omasgan.configuration.checks import check
from omasgan.configuration.schema import FOLDER, register
from omasgan.data.dataset import Spec
from omasgan.detectors.omasgan import OMASGAN
from omasgan.errors import UserError
from omasgan.pipeline import build
from omasgan.training import checkpoint
from omasgan.training.stage import Workspace, frozen

STEPS = 4
SHORT = [
    *("experiment=pixels", "dataset=digits", "architecture.width=8", "budget=smoke", "budget.batch=16"),
    *("boundary=default", "boundary.critic=cotrained", "boundary.N=16", "boundary.Q=32"),
]
HANDED_ON = {
    "task1": {"G_average": "G", "D": "D"},
    "task2": {"B_average": "B"},
    "task3": {"G_new_average": "G'", "C": "C"},
    "j": {"J": "J"},
}
"""Of every stage: what its checkpoint calls a network, and what the detector does."""

AVERAGED = {"task1": "G", "task2": "B", "task3": "G_new"}
MODULES = {"task1": "task1", "task2": "task2", "task3": "task3", "j": "anomaly_discriminator"}


@pytest.fixture(scope="module")
def train():
    return torch.randint(0, 256, (64, 1, 8, 8), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


@cache
def node(*overrides):
    register()
    with initialize_config_dir(str(FOLDER), version_base="1.3"):
        return check(compose("config", [*SHORT, *overrides]))["detector"]


def untrained(*overrides, folder=None) -> OMASGAN:
    workspace = Workspace(folder=folder, record_every=1, checkpoint_every=1)
    return build.detector(copy.deepcopy(node(*overrides)), Spec((1, 8, 8)), workspace).detector


def weights(network):
    return {name: weight.clone() for name, weight in network.state_dict().items()}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def saving(detector, train):
    """Trains the detector, whose workspace has a folder; what every stage saved, a state a step."""
    states = {}

    def keep(path, kind, state):
        states.setdefault(kind, []).append(copy.deepcopy(state))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "save", keep)
        detector.fit(train)
    return states


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    (folder / "checkpoints").mkdir()
    return folder


@pytest.fixture(scope="module")
def trained(train, folder):
    """A detector, and what its stages saved."""
    detector = untrained(folder=folder)
    return detector, saving(detector, train)


@pytest.fixture(scope="module")
def plain(trained):
    return trained[0]


# Which networks learn


def test_a_stage_changes_every_weight_of_its_networks(trained):
    detector, saved = trained
    parameters = {name for network in detector.networks().values() for name, _ in network.named_parameters()}
    learned = {"task1": ["G", "D"], "task2": ["B", "C"], "task3": ["G_new", "C"], "j": ["J"]}
    assert saved.keys() == learned.keys()
    for stage, names in learned.items():
        first, *_, last = saved[stage]
        assert len(saved[stage]) == STEPS
        for name in (*names, *(set(HANDED_ON[stage]) - set(names))):
            still = [key for key in parameters & last[name].keys() if torch.equal(first[name][key], last[name][key])]
            assert not still, f"{stage} leaves {still} of {name} as they were"


def test_what_a_stage_hands_on_no_later_one_changes(trained):
    detector, saved = trained
    networks = detector.networks()
    assert set(networks) == {name for handed in HANDED_ON.values() for name in handed.values()}
    for stage, handed in HANDED_ON.items():
        for name, here in handed.items():
            assert equal(saved[stage][-1][name], weights(networks[here])), f"{here} after {stage}"


def test_a_trained_detector_is_frozen(plain):
    for name, network in plain.networks().items():
        assert not any(weight.requires_grad for weight in network.parameters()), name
        assert not any(module.training for module in network.modules()), name


@pytest.mark.parametrize("ablation", ["none", "no_boundary", "no_retraining"])
def test_no_two_networks_share_a_weight(train, ablation):
    detector = untrained(f"ablation={ablation}")
    for trained in (False, True):
        if trained:
            detector.fit(train)
        storages = {
            name: {weight.untyped_storage().data_ptr() for weight in network.state_dict(keep_vars=True).values()}
            for name, network in detector.networks().items()
        }
        for one, other in combinations(storages, 2):
            assert not storages[one] & storages[other], f"{one} and {other}"


def test_an_ablated_stage_leaves_its_networks_where_they_start(train):
    detector = untrained("boundary.trained=false", "retraining.trained=false")
    detector.fit(train)
    assert equal(weights(detector.B), weights(detector.G))
    assert equal(weights(detector.G_new), weights(detector.G))
    assert equal(weights(detector.C), weights(detector.D))


# By what they learn


@pytest.mark.parametrize(
    ("change", "first", "untouched"),
    [
        ("optimisation.lr_discriminator=1e-3", ["D"], []),
        ("optimisation.lr_generator=1e-3", ["G"], []),
        ("optimisation.r1=1", ["D"], []),
        ("optimisation.ema=0", ["G"], ["D"]),
        ("optimisation.critic_steps=2", ["D"], []),
        ("divergence=kl", ["D"], []),
        ("augmentation=flip", ["D"], []),
        ("boundary.mu=9", ["B"], ["G", "D"]),
        ("boundary.nu=9", ["B"], ["G", "D"]),
        ("boundary.critic=frozen", ["B"], ["G", "D"]),
        ("boundary.Q=64", ["B"], ["G", "D"]),
        ("retraining.alpha=0", ["C"], ["G", "D", "B"]),
        ("retraining.beta=0", ["C", "G'"], ["G", "D", "B"]),
        ("retraining.gamma=0", ["C"], ["G", "D", "B"]),
        ("inference.delta=0", ["J"], ["G", "D", "B", "G'", "C"]),
        ("inference.mixing_min=0.2", ["J"], ["G", "D", "B", "G'", "C"]),
        ("inference.lambda_=0", [], ["G", "D", "B", "G'", "C", "J"]),
    ],
)
def test_every_number_counts_from_its_stage_on(train, plain, change, first, untouched):
    detector = untrained(change)
    detector.fit(train)
    for name, network in detector.networks().items():
        if name in first:
            assert not equal(weights(network), weights(plain.networks()[name])), f"{change} does nothing to {name}"
        elif name in untouched:
            assert equal(weights(network), weights(plain.networks()[name])), f"{change} changes {name}"
    assert not torch.equal(detector.score(train), plain.score(train))


class Elsewhere(torch.nn.Module):
    """A boundary that lies to one side."""

    def __init__(self, G, shift):
        super().__init__()
        self.G, self.shift = G, shift

    def forward(self, z):
        return (self.G(z) + self.shift).clamp(-1, 1)


@pytest.mark.parametrize(("beta", "moved"), [(0.7, ["C", "G'"]), (0.0, ["J"])])
def test_where_the_boundary_lies_matters_to_what_is_trained_away_from_it(monkeypatch, train, beta, moved):
    def trained(shift):
        detector = untrained(f"retraining.beta={beta}")

        def put(batches):
            detector.B = frozen(Elsewhere(copy.deepcopy(detector.G), shift))

        monkeypatch.setattr(detector, "train_task2", put)
        detector.fit(train)
        return detector.networks()

    left, right = trained(-0.5), trained(0.5)
    for name in moved:
        assert not equal(weights(left[name]), weights(right[name])), name
    for name in {"G", "D"} if beta else {"G", "D", "G'", "C"}:
        assert equal(weights(left[name]), weights(right[name])), "nothing else could have told them apart"


def test_the_boundary_is_what_j_and_c_learn_to_reject(monkeypatch, train):
    """With no other task than the boundary's, both give it the higher score."""
    detector = untrained("budget.task3=60", "budget.j=60", "optimisation.lr_discriminator=2e-3", "architecture=mlp")
    dark = (train // 4).contiguous()

    def put(batches):
        detector.B = frozen(Elsewhere(copy.deepcopy(detector.G), 1.5))

    monkeypatch.setattr(detector, "train_task2", put)
    detector.fit(dark)
    white = torch.full_like(dark, 255)
    normal, boundary = detector.terms(dark), detector.terms(white)
    for term in ("task3", "j", "full"):
        assert boundary[term].mean() > normal[term].mean(), term


@pytest.mark.parametrize("ema", [0.0, 0.2, 0.995])
def test_the_running_average_follows(train, folder, ema):
    """In four steps, the warm-up passes 0.2 and stays below 0.995."""
    detector = untrained(f"optimisation.ema={ema}", folder=folder)
    parameters = [name for name, _ in detector.G.named_parameters()]
    start = weights(detector.G)
    saved = saving(detector, train)
    for stage, name in AVERAGED.items():
        expected = dict(start) if stage == "task1" else weights(detector.G)
        for step, state in enumerate(saved[stage]):
            decay = min(ema, (1 + step) / (10 + step))
            for key, now in state[name].items():
                expected[key] = decay * expected[key] + (1 - decay) * now if key in parameters else now
            torch.testing.assert_close(state[f"{name}_average"], expected)


# When it fails


@pytest.mark.parametrize(("stage", "step"), [("task1", 0), ("task1", 2), ("task2", 2), ("task3", 0), ("j", 2)])
def test_a_loss_that_is_no_number_stops_the_stage(monkeypatch, train, stage, step):
    module = f"omasgan.method.{MODULES[stage]}"
    players = 1 if stage == "j" else 2
    calls = []

    def broken(loss, optimiser):
        calls.append(loss)
        optimiser.zero_grad(set_to_none=True)
        (loss * float("nan") if len(calls) > players * step else loss).backward()
        optimiser.step()

    monkeypatch.setattr(f"{module}.descend", broken)
    with pytest.raises(UserError) as caught:
        untrained().fit(train)
    message = str(caught.value)
    assert re.match(rf"{stage} diverged at step ({step}|{step + 1}) of {STEPS}: \S.* is nan", message)
    assert "lower optimisation.lr_generator" in message
    assert len(calls) <= players * (step + 2), "it stops there"


def test_weights_that_are_no_numbers_are_never_saved(monkeypatch, train, tmp_path):
    def broken(loss, optimiser):
        for weight in optimiser.param_groups[0]["params"]:
            weight.data.fill_(float("inf"))

    (tmp_path / "checkpoints").mkdir()
    monkeypatch.setattr("omasgan.method.anomaly_discriminator.descend", broken)
    with pytest.raises(UserError, match="j diverged at step 0 of 4: J has weights that are not finite"):
        untrained(folder=tmp_path).fit(train)
    assert {path.stem for path in (tmp_path / "checkpoints").iterdir()} == {"task1", "task2", "task3"}


@pytest.mark.parametrize("stage", AVERAGED)
def test_a_generator_of_one_single_sample_is_reported(train, stage):
    detector = untrained("optimisation.lr_generator=1e-12", "architecture=mlp")
    batches = detector.batches(train)

    def collapse():
        for weight in detector.G.parameters():
            weight.data.zero_()

    def run():
        for name in AVERAGED:
            if name == stage:
                collapse()
            getattr(detector, f"train_{name}")(batches)

    with pytest.raises(
        UserError, match=rf"{stage} diverged at step 0 of {STEPS}: the generator has collapsed to a single"
    ):
        run()
