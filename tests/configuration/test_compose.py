import inspect
import pkgutil
import re
import shutil
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
import yaml
from hydra.errors import HydraException
from omegaconf import OmegaConf
from PIL import Image

from omasgan.commands.run import run
from omasgan.configuration import identity
from omasgan.configuration.checks import check
from omasgan.configuration.explain import explain, is_users
from omasgan.configuration.identity import SEVERAL, identity_of, option_names
from omasgan.configuration.schema import FOLDER
from omasgan.configuration.validation import parameters
from omasgan.data import benchmarks
from omasgan.data.dataset import Samples
from omasgan.errors import UserError
from omasgan.pipeline import build

pytestmark = pytest.mark.usefixtures("no_pictures")

CONF = FOLDER
FILES = sorted(path.relative_to(CONF) for path in CONF.glob("*/*.yaml"))
GROUPS = {group: [path.stem for path in paths] for group, paths in groupby(FILES, lambda path: path.parent.name)}
SPECIAL = GROUPS.pop("dataset_architecture", [])
GROUPS.pop("network")  # a choice within a representation
GROUPS.pop("detector_budget")  # they belong to a detector and a budget; see test_budgets
ABLATIONS = [name for name in GROUPS["ablation"] if name != "none"]
EXPERIMENTS = GROUPS["experiment"]


def filled(cfg):
    """With a word for what only the user can know, such as where his data lie."""
    for key in OmegaConf.missing_keys(cfg):
        OmegaConf.update(cfg, key, "somewhere")
    return cfg


def photos(folder):
    """A folder with a few images."""
    folder.mkdir()
    for number in range(60):
        Image.new("RGB", (40, 40), (number, 2 * number, 100)).save(folder / f"{number}.png")
    return folder


def nodes(node, key=""):
    """All nodes with a `_target_`, by their place."""
    if "_target_" in node:
        yield key, node
    for name, child in node.items():
        if isinstance(child, dict):
            yield from nodes(child, f"{key}.{name}".strip("."))


@pytest.mark.parametrize("number", range(len(GROUPS["detector"]) + len(GROUPS["architecture"])))
def test_every_option_composes_fits_its_target_and_spells_out_all_its_settings(composed, number):
    # One option of every group at a time, for composing takes long. An experiment would choose others, and a detector
    # sets sizes that only its own architecture has.
    left_out = {"experiment", "architecture" if number < len(GROUPS["detector"]) else "detector"}
    choices = [
        f"{group}={options[number % len(options)]}" for group, options in GROUPS.items() if group not in left_out
    ]
    config = check(filled(composed(*choices)))
    for key, node in nodes(config):
        allowed = parameters(pkgutil.resolve_name(node["_target_"]))
        assert node.keys() - {"_target_", "_partial_"} == allowed.keys(), key
        inspect.Signature(list(allowed.values())).bind(**{name: node[name] for name in allowed})


@pytest.mark.parametrize("group", [group for group, options in GROUPS.items() if "default" in options])
def test_the_defaults_of_a_group_are_those_of_its_class(composed, group):
    node = OmegaConf.to_container(composed()[group])
    defaults = parameters(pkgutil.resolve_name(node.pop("_target_")))
    assert node == {name: parameter.default for name, parameter in defaults.items()}


def test_every_specialisation_belongs_to_a_data_set_and_an_architecture(composed):
    pairs = {f"{one}_{other}": (one, other) for one in GROUPS["dataset"] for other in GROUPS["architecture"]}
    for stem in SPECIAL:
        dataset, architecture = pairs[stem]
        check(filled(composed(f"dataset={dataset}", f"architecture={architecture}")))


def leaves(node, key=""):
    """All values, by their place; the file's own defaults list is none."""
    for name, child in node.items():
        if isinstance(child, dict):
            yield from leaves(child, f"{key}{name}.")
        elif name != "defaults":
            yield f"{key}{name}", child


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_changes_the_method_and_nothing_in_vain(composed, name):
    changes = dict(leaves(yaml.safe_load((CONF / "ablation" / f"{name}.yaml").read_text())))
    assert changes
    with_it, without = composed(f"ablation={name}"), composed()
    for key, value in changes.items():
        assert OmegaConf.select(with_it, key) == value
        assert OmegaConf.select(without, key) != value, f"{key} is that already"
    assert identity_of(with_it) != identity_of(without)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_gets_what_it_asks_for(composed, name):
    content = yaml.safe_load((CONF / "experiment" / f"{name}.yaml").read_text())
    cfg = composed(f"experiment={name}", hydra=True)
    check(filled(composed(f"experiment={name}")))
    for key, value in leaves(content):
        asked = float(value) if str(value)[:1].isdigit() else value  # PyYAML takes 1e-3 for a text
        assert OmegaConf.select(cfg, key) == asked
    own = [entry for entry in content.get("defaults", []) if isinstance(entry, dict)]  # else another experiment's name
    for override in own:
        ((group, option),) = override.items()
        group = group.removeprefix("override /")
        chosen = option_names(cfg, cfg.hydra.runtime.choices)[group]
        if option == "${installed_patches:}":
            option = identity.installed_patches()
        assert chosen == ("+".join(option) if isinstance(option, list) else option)


@pytest.mark.parametrize("group", ["ablation", "experiment"])
@pytest.mark.parametrize("change", [{"boundary": {"muu": 1.0}}, {"bondary": {"mu": 1.0}}, {"boundary": {"mu": "x"}}])
def test_a_delta_with_a_key_that_does_not_exist_or_a_wrong_value_is_refused(composed, tmp_path, group, change):
    folder = shutil.copytree(CONF, tmp_path / "conf")
    (folder / group / "wrong.yaml").write_text(f"# @package _global_\n{yaml.safe_dump(change)}")
    with pytest.raises((UserError, HydraException)) as caught:
        check(composed(f"{group}=wrong", folder=folder))
    assert re.search(f"boundary.muu|{group}/wrong.yaml: .*'bondary'|boundary.mu is 'x'", explain(caught.value))


def test_a_delta_that_is_no_yaml_is_refused(composed, tmp_path):
    folder = shutil.copytree(CONF, tmp_path / "conf")
    (folder / "experiment" / "wrong.yaml").write_text("# @package _global_\nseed: 1\nboundary: mu: 3\n")
    with pytest.raises(Exception, match="mapping") as caught:
        composed("experiment=wrong", folder=folder)
    assert is_users(caught.value)
    assert re.search(r"experiment/wrong.yaml is not valid YAML: correct line 3", explain(caught.value))


@pytest.fixture
def layered(tmp_path):
    """The configuration folder with a specialisation of MNIST with DCGAN, and an experiment that sets one key more."""
    folder = shutil.copytree(CONF, tmp_path / "conf")
    (folder / "dataset_architecture").mkdir(exist_ok=True)
    special = {"boundary": {"mu": 11.0, "nu": 11.0, "Q": 11}, "retraining": {"trained": True}}
    (folder / "dataset_architecture" / "mnist_dcgan.yaml").write_text(f"# @package _global_\n{yaml.safe_dump(special)}")
    (folder / "experiment" / "layers.yaml").write_text(
        "# @package _global_\ndefaults:\n  - pixels\n  - override /dataset: mnist\nboundary:\n  Q: 22\n"
    )
    return folder


def test_a_specialisation_wins_over_the_groups(composed, layered):
    assert composed("dataset=mnist", "architecture=dcgan", folder=layered).boundary.mu == 11
    assert composed("dataset=mnist", folder=layered).boundary.mu != 11


@pytest.mark.parametrize(("ablation", "key"), [("no_distance", "mu"), ("no_dispersion", "nu")])
def test_an_ablation_wins_over_a_specialisation(composed, layered, ablation, key):
    boundary = composed("dataset=mnist", "architecture=dcgan", f"ablation={ablation}", folder=layered).boundary
    assert boundary[key] == 0
    assert boundary["nu" if key == "mu" else "mu"] == 11


def test_an_experiment_wins_over_all_but_the_command_line(composed, layered):
    boundary = composed("experiment=layers", "ablation=no_distance", folder=layered).boundary
    assert (boundary.mu, boundary.nu, boundary.Q) == (0, 11, 22), "its own data set chooses the specialisation, too"
    assert composed("experiment=layers", "boundary.Q=33", folder=layered).boundary.Q == 33
    assert composed("experiment=layers", "dataset=digits", folder=layered).boundary.mu != 11


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_another_representation_can_be_chosen_with_every_experiment(composed, name):
    """Nothing of the experiment's own representation is left, which the other would not know."""
    parts = ["contrastive", "autoencoder"] if "pca" in composed(f"experiment={name}").representation else ["pca"]
    config = check(filled(composed(f"experiment={name}", f"representation=[{','.join(parts)}]")))
    for node in (config, config["detector"]):
        assert list(node["representation"]) == parts


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_runs(composed, monkeypatch, tmp_path, name):
    def here_or_skip(title, root, files, fetches):
        if not all((Path(root) / file).is_file() for file in files):
            pytest.skip(f"{title} does not lie in {root}")

    monkeypatch.setattr(benchmarks, "_provide", here_or_skip)
    whole = build.dataset

    def few(config):
        dataset = whole(config)
        parts = {name: getattr(dataset, name) for name in ("train", "test")}
        steps = {name: 1 + len(part) // 400 for name, part in parts.items()}
        return replace(
            dataset, **{name: Samples(p.x[:: steps[name]], p.y[:: steps[name]]) for name, p in parts.items()}
        )

    monkeypatch.setattr(build, "dataset", few)
    cfg = composed(
        f"experiment={name}",
        f"runs={tmp_path}",
        "budget=smoke",
        "baselines=none",
        "logger=none",
        "device=cpu",
        hydra=True,
    )
    choices, folder = dict(cfg.hydra.runtime.choices), Path(cfg.hydra.run.dir)
    cfg = composed(*cfg.hydra.overrides.task)
    assert cfg.budget == composed("budget=smoke").budget, "it must choose a budget, or none can be chosen in its place"
    cfg.architecture.width, cfg.boundary.N, cfg.boundary.Q = 8, 32, 64
    if name in ("image_folder", "upright_objects"):
        cfg.dataset.root = str(photos(tmp_path / "photos"))
    if name == "upright_objects":
        cfg.representation.visual_words.words = 50
    if name == "rows":
        cfg.dataset.path = cfg.dataset.test_path = str(tmp_path / "rows.npy")
        np.save(cfg.dataset.path, np.random.default_rng(0).normal(size=(200, 5)))
    for key in {"abnormal_class", "normal_class"} & cfg.protocol.keys():
        cfg.protocol[key] = 0
    run(cfg, choices, folder)
    assert (folder / "metrics.json").is_file()


def test_cfg_job_shows_every_setting(command):
    shown = yaml.safe_load(command("--cfg", "job", "--resolve").output)
    assert {*identity.GROUPS, "baselines"} <= set(shown)
    for group in {*identity.GROUPS, "baselines"} - {"abnormal_dataset"}:
        for node in shown[group].values() if group in SEVERAL else [shown[group]]:
            allowed = parameters(pkgutil.resolve_name(node["_target_"]))
            assert node.keys() - {"_partial_"} == {"_target_", *allowed}, group


def test_version(command):
    outcome = command("--version")
    assert outcome.code == 0
    assert outcome.output.startswith("omasgan ")
