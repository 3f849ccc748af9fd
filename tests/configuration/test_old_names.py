"""The names of earlier versions: answered on the command line, and read in the files of old runs."""

import pkgutil

import pytest
import yaml
from omegaconf import OmegaConf

from omasgan.configuration import old_names
from omasgan.configuration.checks import check

PARTS = "representation=[contrastive,autoencoder,visual_words,pca,rotation_prediction]"

# On the command line


@pytest.mark.parametrize(
    ("argument", "line"),
    [
        ("floors=none", "floors is now baselines"),
        ("~floors.nearest_codes", "floors.nearest_codes is now baselines.nearest_embedding"),
        ("+floors.pca.variance=0.5", "floors.pca.variance is now baselines.pca.variance"),
        ("inference.locality=0.5", "inference.locality is now inference.density_exponent"),
        ("inference.j_sees=sample", "inference.j_sees is now inference.j_features"),
        ("inference.j_sees=distances", "inference.j_sees=distances is now inference.j_features=neighbours"),
        ("inference.j_features=distances", "inference.j_features=distances is now inference.j_features=neighbours"),
        ("boundary.critic=halo", "boundary.critic=halo is now boundary.critic=noise_contrastive"),
        ("boundary.unit=spacing", "boundary.unit=spacing is now boundary.unit=quantile"),
        ("boundary.halo=3", "boundary.halo is now boundary.noise_scale"),
        ("representation=joint", "representation=joint is now representation=[contrastive,autoencoder]"),
        ("representation=[joint,pca]", "representation=joint is now representation=[contrastive,autoencoder]"),
        ("representation.patches.side=4", "representation.patches.side is now representation.visual_words.patch_size"),
        (
            "representation.principal.whitening=0",
            "representation.principal.whitening is now representation.pca.whitening",
        ),
        (
            "representation.contrastive.turns=0",
            "representation.contrastive.turns is now representation.contrastive.rotation_weight",
        ),
        ("inference=pixels", "inference=pixels is now experiment=pixels"),
        ("budget=toy", "budget=toy is now experiment=toy"),
        ("detector=nearest_codes", "detector=nearest_codes is now detector=nearest_embedding"),
        ("sweep=choices", "sweep=choices is now sweep=delta_density"),
    ],
)
def test_an_old_name_is_answered_in_one_line_by_the_new_one(command, tmp_path, argument, line):
    outcome = command(f"runs={tmp_path}", argument)
    assert (outcome.code, outcome.errors) == (1, [f"omasgan: {line}"])
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize(
    ("sweep", "line"),
    [
        ("representation=pca,joint", "representation=joint is now representation=[contrastive,autoencoder]"),
        ("boundary.critic=nothing,halo", "boundary.critic=halo is now boundary.critic=noise_contrastive"),
        ("inference.reach_min=0.3,0.6", "inference.reach_min is now inference.mixing_min"),
    ],
)
def test_an_old_name_in_a_sweep_is_answered_too(command, tmp_path, sweep, line):
    outcome = command(f"runs={tmp_path}", "-m", "seed=0", "logger=none", sweep)
    assert outcome.code == 1
    assert any(line in error for error in outcome.errors), outcome.errors
    assert not list(tmp_path.rglob("run.json"))


def test_the_names_of_today_are_not_answered():
    today = [PARTS, "representation.pca.components=3", "inference=paper", "boundary.critic=noise_contrastive", "-m", ""]
    assert old_names.advice(today) is None


@pytest.mark.parametrize("old", old_names.OPTIONS)
def test_every_old_option_is_gone_and_its_successor_is_there(composed, old):
    assert old_names.advice([old]) == f"{old} is now {old_names.OPTIONS[old]}"
    with pytest.raises(Exception, match="Could not find"):
        composed(old)
    check(composed(*old_names.OPTIONS[old].split(), "dataset=mnist"))


@pytest.mark.parametrize("old", old_names.KEYS)
def test_every_old_setting_is_gone_and_its_successor_is_there(composed, old):
    assert old_names.advice([f"{old}=1"]) == f"{old} is now {old_names.KEYS[old]}"
    cfg = composed(PARTS)
    assert OmegaConf.select(cfg, old) is None
    assert OmegaConf.select(cfg, old_names.KEYS[old], default="absent") != "absent"


@pytest.mark.parametrize(("key", "old"), old_names.VALUES)
def test_every_old_value_has_a_successor_that_is_allowed(composed, key, old):
    override = old_names.advice([f"{key}={old}"]).split(" is now ")[1]
    check(composed(override))


# The configuration of an old run

METHOD = """
  boundary: {_target_: omasgan.settings.Boundary, critic: halo, halo: 2.5, unit: spacing, mu: 0.02}
  inference:
    {_target_: omasgan.settings.Inference, delta: 0.8, j_sees: distances, bank: real, bank_size: 100,
     locality: 0.5, reach_min: 0.3, reach_max: 0.7, doubt: 16.0}
"""

METHOD_TODAY = """
  boundary:
    {_target_: omasgan.method.settings.Boundary, critic: noise_contrastive, noise_scale: 2.5, unit: quantile, mu: 0.02}
  inference:
    {_target_: omasgan.method.settings.Inference, delta: 0.8, j_features: neighbours, memory_bank: real,
     memory_bank_size: 100, density_exponent: 0.5, mixing_min: 0.3, mixing_max: 0.7, auxiliary_weight: 16.0}
"""

JOINT = """
representation: &representation
  patches:
    views: {_target_: omasgan.data.augmentation.Crop, smallest: 0.8}
    _target_: omasgan.representations.patches.Patches
    _partial_: true
    side: 6
    words: 400
    parts: 3
    components: 128
  principal: {_target_: omasgan.representations.principal.Principal, _partial_: true, components: 48, whitening: 0.5}
  _target_: omasgan.representations.joint.TurnedPhotographs
  _partial_: true
  turns:
    architecture: {_target_: omasgan.architectures.resnet.ResNet, width: 32}
    _target_: omasgan.representations.turns.Turns
    _partial_: true
    budget: {_target_: omasgan.settings.Budget, representation: 320}
detector:
  _target_: omasgan.detectors.represented.Represented
  representation: *representation
  detector:
    _target_: omasgan.detectors.omasgan.OMASGAN
    _partial_: true
    divergence: {_target_: omasgan.divergences.GAN}
    boundary: {_target_: omasgan.settings.Boundary, critic: frozen, unit: raw, halo: 2.8}
floors:
  pca: {_target_: omasgan.detectors.floors.PCA, variance: 0.95}
  nearest_codes: {_target_: omasgan.detectors.represented.Represented, representation: *representation}
logger: {_target_: omasgan.settings.LoggerSettings, mode: disabled}
seed: 3
"""

JOINT_TODAY = """
representation: &representation
  visual_words:
    views: {_target_: omasgan.training.augmentation.Crop, smallest: 0.8}
    _target_: omasgan.representations.visual_words.VisualWords
    _partial_: true
    patch_size: 6
    words: 400
    regions: 3
    components: 128
  pca: {_target_: omasgan.representations.pca.PCA, _partial_: true, components: 48, whitening: 0.5}
  rotation_prediction:
    architecture: {_target_: omasgan.networks.resnet.ResNet, width: 32}
    _target_: omasgan.representations.rotation_prediction.RotationPrediction
    _partial_: true
    budget: {_target_: omasgan.training.settings.Budget, representation: 320}
detector:
  _target_: omasgan.detectors.represented.Represented
  representation: *representation
  detector:
    _target_: omasgan.detectors.omasgan.OMASGAN
    _partial_: true
    divergence: {_target_: omasgan.method.divergences.GAN}
    boundary: {_target_: omasgan.method.settings.Boundary, critic: frozen, unit: raw, noise_scale: 2.8}
baselines:
  pca: {_target_: omasgan.detectors.baselines.PCA, variance: 0.95}
  nearest_embedding: {_target_: omasgan.detectors.represented.Represented, representation: *representation}
logger: {}
seed: 3
"""


def read(text):
    return yaml.safe_load(text)


def at_every_level(method):
    """The method's settings at the top, and where a detector repeats them."""
    return {**read(f"x:{method}")["x"], "detector": {"detector": read(f"x:{method}")["x"]}}


def test_the_settings_of_the_method_come_out_in_todays_names_wherever_they_are_repeated():
    assert old_names.renamed_config(at_every_level(METHOD)) == at_every_level(METHOD_TODAY)


def test_a_representation_of_several_parts_comes_out_as_a_list_in_the_same_order():
    renamed = old_names.renamed_config(read(JOINT))
    assert renamed == read(JOINT_TODAY)
    for node in (renamed, renamed["detector"], renamed["baselines"]["nearest_embedding"]):
        assert list(node["representation"]) == ["visual_words", "pca", "rotation_prediction"]


@pytest.mark.parametrize(
    ("old", "today"),
    [
        ("{_target_: omasgan.representations.base.Pixels}", "pixels: {_target_: omasgan.representations.base.Pixels}"),
        (
            "{_target_: omasgan.representations.contrastive.Contrastive, turns: 2.0, lr: 0.1}",
            "contrastive: {_target_: omasgan.representations.contrastive.Contrastive, rotation_weight: 2.0, lr: 0.1}",
        ),
        (
            "{_target_: omasgan.representations.autoencoder.Autoencoder, kl: 1.0}",
            "autoencoder: {_target_: omasgan.representations.autoencoder.Autoencoder, kl: 1.0}",
        ),
        (
            "{_target_: omasgan.representations.patches.Patches, side: 6, parts: 3}",
            "visual_words: {_target_: omasgan.representations.visual_words.VisualWords, patch_size: 6, regions: 3}",
        ),
        (
            "{_target_: omasgan.representations.principal.Principal, components: 32}",
            "pca: {_target_: omasgan.representations.pca.PCA, components: 32}",
        ),
        (
            "{_target_: omasgan.representations.turns.Turns}",
            "rotation_prediction: {_target_: omasgan.representations.rotation_prediction.RotationPrediction}",
        ),
    ],
)
def test_a_representation_of_one_part_comes_out_as_a_list_of_one(old, today):
    config = {"representation": read(old), "detector": {"representation": read(old)}}
    parts = read(today)
    assert old_names.renamed_config(config) == {"representation": parts, "detector": {"representation": parts}}


@pytest.mark.parametrize("config", [read(JOINT_TODAY), at_every_level(METHOD_TODAY)])
def test_a_configuration_of_today_is_left_as_it_is(config):
    assert old_names.renamed_config(config) == config


OLD_TARGETS = [
    "omasgan.architectures.dcgan.DCGAN",
    "omasgan.architectures.mlp.MLP",
    "omasgan.architectures.resnet.ResNet",
    "omasgan.data.arrays.arrays",
    "omasgan.data.augmentation.Affine",
    "omasgan.data.augmentation.Crop",
    "omasgan.data.augmentation.Flip",
    "omasgan.data.augmentation.FlipColour",
    "omasgan.data.augmentation.NoAugmentation",
    "omasgan.data.benchmarks.cifar10",
    "omasgan.data.benchmarks.fashion_mnist",
    "omasgan.data.benchmarks.kmnist",
    "omasgan.data.benchmarks.mnist",
    "omasgan.data.benchmarks.svhn",
    "omasgan.data.digits.digits",
    "omasgan.data.folders.image_folder",
    "omasgan.data.protocols.LeaveOneOut",
    "omasgan.data.protocols.Novelty",
    "omasgan.data.protocols.OneClass",
    "omasgan.data.protocols.PseudoLeaveOneOut",
    "omasgan.data.toy.blobs",
    "omasgan.data.toy.moons",
    "omasgan.data.toy.rings",
    "omasgan.detectors.fgan.FGAN",
    "omasgan.detectors.floors.IsolationForest",
    "omasgan.detectors.floors.Mahalanobis",
    "omasgan.detectors.floors.NearestNeighbour",
    "omasgan.detectors.floors.PCA",
    "omasgan.detectors.omasgan.OMASGAN",
    "omasgan.detectors.represented.Represented",
    "omasgan.divergences.Alpha",
    "omasgan.divergences.GAN",
    "omasgan.divergences.JensenShannon",
    "omasgan.divergences.KL",
    "omasgan.divergences.KLWasserstein",
    "omasgan.divergences.Neyman",
    "omasgan.divergences.Pearson",
    "omasgan.divergences.ReverseKL",
    "omasgan.divergences.SquaredHellinger",
    "omasgan.divergences.TotalVariation",
    "omasgan.representations.autoencoder.Autoencoder",
    "omasgan.representations.base.Pixels",
    "omasgan.representations.contrastive.Contrastive",
    "omasgan.representations.patches.Patches",
    "omasgan.representations.principal.Principal",
    "omasgan.representations.turns.Turns",
    "omasgan.settings.Boundary",
    "omasgan.settings.Budget",
    "omasgan.settings.Inference",
    "omasgan.settings.Optimisation",
    "omasgan.settings.Retraining",
]
"""Every `_target_` of the old options, but for the joined representations, which are lists of parts today."""


@pytest.mark.parametrize("old", OLD_TARGETS)
def test_every_old_target_is_found_today(old):
    today = old_names.renamed_config({"node": {"_target_": old}})["node"]["_target_"]
    found = pkgutil.resolve_name(today)
    assert callable(found)
    assert found.__module__ == today.rpartition(".")[0]


def test_every_module_that_moved_had_a_target():
    for module, today in old_names.MODULES.items():
        moved = {target for target in OLD_TARGETS if target.startswith(f"{module}.")}
        assert moved, module
        if not isinstance(today, str):
            assert moved == {f"{module}.{name}" for name in today}


# Scores and the saved detector of an old run


def test_old_terms_come_out_in_todays_names():
    metrics = {"full": {"auroc": 0.9}, "doubt": {"auroc": 0.8}, "nearest_codes": {"auroc": 0.7}}
    expected = {"full": {"auroc": 0.9}, "auxiliary": {"auroc": 0.8}, "nearest_embedding": {"auroc": 0.7}}
    assert old_names.renamed_terms(metrics) == expected
    assert old_names.renamed_terms(expected) == expected


def test_a_saved_detector_comes_out_in_todays_names():
    old = {
        "representation": {
            "patches": {"filters": 1, "discriminants": {"centre": 2}},
            "principal": {"centre": 3},
            "turns": {"networks": {"teller": {"weight": 4}}},
            "contrastive": {"networks": {"trunk": {"weight": 5}, "teller": {"weight": 6}}},
        },
        "detector": {
            "networks": {"G": {"weight": 7}},
            "scales": {"j": [0.0, 1.0], "doubt": [2.0, 3.0]},
            "sight": {"bank": 8, "spacings": 9, "shift": 10},
        },
    }
    today = {
        "representation": {
            "visual_words": {"filters": 1, "discriminants": {"centre": 2}},
            "pca": {"centre": 3},
            "rotation_prediction": {"networks": {"rotation_classifier": {"weight": 4}}},
            "contrastive": {"networks": {"trunk": {"weight": 5}, "rotation_classifier": {"weight": 6}}},
        },
        "detector": {
            "networks": {"G": {"weight": 7}},
            "scales": {"j": [0.0, 1.0], "auxiliary": [2.0, 3.0]},
            "neighbour_features": {"bank": 8, "density_scales": 9, "shift": 10},
        },
    }
    parts = list(today["representation"])
    assert old_names.renamed_state(old, parts) == today
    assert old_names.renamed_state(today, parts) == today


@pytest.mark.parametrize(
    ("part", "old", "today"),
    [
        ("pixels", {}, {}),
        ("contrastive", {"networks": {"teller": 1}}, {"networks": {"rotation_classifier": 1}}),
        ("rotation_prediction", {"networks": {"teller": 1}}, {"networks": {"rotation_classifier": 1}}),
        ("pca", {"centre": 1}, {"centre": 1}),
    ],
)
def test_the_only_part_of_a_saved_representation_gets_its_name(part, old, today):
    state = {"representation": {part: today}, "detector": {"neighbour_features": None}}
    assert old_names.renamed_state({"representation": old, "detector": {"sight": None}}, [part]) == state
    assert old_names.renamed_state(state, [part]) == state


def test_a_detector_without_a_representation_is_renamed_too():
    assert old_names.renamed_state({"train": 1, "seed": 0}) == {"train": 1, "seed": 0}


def test_the_one_image_layer_of_a_pretrained_network_is_a_list_now():
    network = {"_target_": "omasgan.networks.pretrained.efficientnet_lite0", "patch_layers": ["_blocks.1"]}
    old = {"detector": {"representation": {"pretrained": {"network": {**network, "image_layer": "_blocks.15"}}}}}
    new = {"detector": {"representation": {"pretrained": {"network": {**network, "image_layers": ["_blocks.15"]}}}}}
    assert old_names.renamed_config(old) == new
    assert old_names.renamed_config(new) == new
