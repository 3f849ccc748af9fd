"""budget=equal: every detector's networks see the same number of samples in training."""

import math
from importlib.util import find_spec

import pytest
import torch
from hydra import compose, initialize_config_dir
from torch import nn

from omasgan.configuration.checks import check
from omasgan.configuration.schema import FOLDER, register
from omasgan.data.dataset import Spec
from omasgan.pipeline import build
from omasgan.training.settings import Budget
from omasgan.training.stage import Stage, Workspace

PASSES = 1_000_000
SHARE = 400
"""Of how many steps one is taken here."""

DETECTORS = sorted(path.stem.removesuffix("_equal") for path in (FOLDER / "detector_budget").glob("*_equal.yaml"))
LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
if find_spec("zuko"):
    from zuko.nn import Linear as LinearOfFlows

    LAYERS += (LinearOfFlows,)
HEADS = {
    *(("contrastive", "projector"), ("contrastive", "rotation_classifier"), ("autoencoder", "posterior")),
    ("encoder", "classifier"),
}
"""Small heads on the features of another network."""

AFTER_TRAINING = {"geom": ["detector.detector.dirichlet_samples=4"], "goad": ["detector.detector.centre_samples=4"]}
"""What is computed once, which is not counted, from fewer samples."""


class Fewer(int):
    """A share of a number of steps, which knows that number."""

    def __new__(cls, steps):
        self = super().__new__(cls, math.ceil(steps / SHARE))
        self.ratio = steps / self if steps else 1
        return self


class Counter:
    """Counts the samples that pass through the first layer of each network of each stage, as for all steps."""

    def __init__(self, patch):
        self.counts, self.layers, self.weight = {}, {}, None
        start, steps = Stage.__init__, Stage.__iter__

        def watched(stage, name, number, workspace, networks, *others, **more):
            start(stage, name, number, workspace, networks, *others, **more)
            for key, network in networks.items():
                layer = next((module for module in network.modules() if isinstance(module, LAYERS)), network)
                if (name, key) not in HEADS:
                    self.layers[id(layer)] = layer, key

        def counted(stage):
            self.weight = stage.name, getattr(stage.steps, "ratio", SHARE)
            try:
                yield from steps(stage)
            finally:
                self.weight = None

        patch.setattr(Stage, "__init__", watched)
        patch.setattr(Stage, "__iter__", counted)

    def __call__(self, module, inputs, _output):
        if self.weight is not None and id(module) in self.layers:
            (stage, ratio), (_, key) = self.weight, self.layers[id(module)]
            self.counts[stage, key] = self.counts.get((stage, key), 0) + ratio * len(inputs[0])


def shorten(patch):
    """Every budget that is made from now on has a share of its steps."""
    make = Budget.__init__

    def fewer(budget, **values):
        batches = {"batch", "representation_batch"}
        make(budget, **{key: value if key in batches else Fewer(value) for key, value in values.items()})

    patch.setattr(Budget, "__init__", fewer)


@pytest.mark.parametrize("name", DETECTORS)
def test_a_million_sample_passes_in_training(name, monkeypatch):
    register()
    overrides = [f"detector={name}", "budget=equal", "threads=1", *AFTER_TRAINING.get(name, [])]
    with initialize_config_dir(str(FOLDER), version_base="1.3"):
        config = check(compose("config", overrides))
    shorten(monkeypatch)
    detector = build.detector(config["detector"], Spec((1, 16, 16)), Workspace())
    random = torch.Generator().manual_seed(0)
    train = torch.randint(0, 256, (300, 1, 16, 16), generator=random).to(torch.uint8)
    monkeypatch.setattr(Stage, "due", lambda _: False)  # a record is made in few of all steps
    counter = Counter(monkeypatch)
    handle = nn.modules.module.register_module_forward_hook(counter)
    try:
        detector.fit(train)
    finally:
        handle.remove()
    assert sum(counter.counts.values()) == pytest.approx(PASSES, rel=0.05), counter.counts


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.stem for path in (FOLDER / "detector_budget").glob("*_published.yaml")))
def test_the_published_training_takes_a_step_of_each_of_its_stages(name, monkeypatch):
    register()
    name = name.removesuffix("_published")
    with initialize_config_dir(str(FOLDER), version_base="1.3"):
        config = check(compose("config", [f"detector={name}", "budget=published", "threads=1"]))
    make, plain, stages = Budget.__init__, Stage.__iter__, []
    short = {"batch": 8, "representation_batch": 8}
    monkeypatch.setattr(
        Budget, "__init__", lambda self, **given: make(self, **{k: min(v, short.get(k, 1)) for k, v in given.items()})
    )
    monkeypatch.setattr(Stage, "__iter__", lambda stage: stages.append(stage) or plain(stage))
    detector = build.detector(config["detector"], Spec((1, 16, 16)), Workspace())
    detector.fit(torch.randint(0, 256, (40, 1, 16, 16), generator=torch.Generator().manual_seed(0)).to(torch.uint8))
    assert {stage.steps for stage in stages} == {1}
