import re
import string
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from omasgan.configuration.classes import NAME_LENGTH, by_name, class_folder
from omasgan.configuration.identity import NOT_SCIENCE, SHOWN_APART, identity_of
from omasgan.configuration.schema import FOLDER

pytestmark = pytest.mark.usefixtures("no_pictures")

PLAIN = re.compile(r"[A-Za-z0-9_.-]+")


@pytest.fixture(scope="module")
def folder(composed):
    """The folder of a run, below the one that holds all runs."""

    @cache
    def of(*overrides):
        cfg = composed(*overrides, hydra=True)
        return Path(cfg.hydra.run.dir).relative_to(cfg.runs)

    return of


@pytest.fixture(scope="module")
def cfg(composed):
    return composed("dataset=mnist", "divergence=alpha")


@pytest.mark.parametrize(
    "overrides",
    [
        ("device=cuda:3", "logger=none", "baselines=none", "debug.profile=true"),
        ("threads=1", "data=elsewhere", "logger=[csv,tensorboard]", "baselines.pca.variance=0.5", "debug.anomaly=true"),
        (
            "runs=elsewhere",
            "logger.wandb.project=another",
            "log_every=1",
            "score.run=elsewhere",
            "feature_cache=features",
        ),
    ],
)
def test_what_is_no_science_does_not_move_a_run(folder, overrides):
    assert folder("dataset=mnist", *overrides) == folder("dataset=mnist")


def test_what_is_science_gives_every_run_a_folder_of_its_own(folder):
    """The name of every kind of choice; of every single value, the identity below."""
    one_each = [
        (),
        ("boundary.mu=0.123",),
        ("seed=1",),
        ("protocol.abnormal_class=1",),
        ("protocol=occ",),
        ("protocol=novelty",),
        ("divergence=kl",),
        ("budget=smoke",),
        ("architecture=dcgan",),
        ("detector=fgan",),
        ("debug.overfit=true",),
        ("test_samples=100",),
        *[(f"debug={path.stem}",) for path in (FOLDER / "debug").glob("*.yaml")],
        ("dataset=mnist",),
        ("protocol=cross_dataset", "dataset=mnist"),
        ("protocol=cross_dataset", "dataset=mnist", "dataset@abnormal_dataset=svhn"),
        *[(f"ablation={path.stem}",) for path in (FOLDER / "ablation").glob("no_*.yaml")],
    ]
    folders = [folder(*overrides) for overrides in one_each]
    assert len(set(folders)) == len(folders)


def test_a_folder_reads_as_data_protocol_detector_ablation_seed_and_class(folder):
    place = folder("dataset=mnist", "ablation=no_distance", "seed=4", "protocol.abnormal_class=7")
    assert re.fullmatch(r"mnist_loo/omasgan_no_distance-[0-9a-f]{8}/seed_4/abnormal_7", place.as_posix())
    assert folder("dataset=cifar10", "protocol=occ", "protocol.normal_class=cat").name == "normal_cat"
    assert folder("protocol=novelty").name == "seed_0"


def test_a_run_that_is_debugged_lies_apart(folder):
    place = folder("debug=anomaly", "dataset=mnist")
    assert place == Path("debug", "anomaly") / folder("dataset=mnist")


def test_all_classes_share_the_folder_in_which_each_of_them_would_run_alone(folder):
    whole = folder("dataset=fashion_mnist", "seed=2", "protocol.abnormal_class=all")
    for name in ("Bag", "'Ankle boot'"):
        alone = folder("dataset=fashion_mnist", "seed=2", f"protocol.abnormal_class={name}")
        assert alone == whole / class_folder({"abnormal_class": name.strip("'")})


@pytest.mark.parametrize("runs", ["a/b", "/a/b", "~/a"])
def test_a_sweep_puts_a_run_where_a_single_command_would(composed, runs):
    hydra = composed(f"runs='{runs}'", "protocol.abnormal_class=3", hydra=True).hydra
    assert Path(hydra.sweep.dir, hydra.sweep.subdir) == Path(hydra.run.dir)
    assert Path(hydra.run.dir).is_relative_to(Path(runs).expanduser())


def leaves(cfg, key=""):
    """The place of every value that is written out; what is taken from elsewhere is changed there."""
    for name in cfg:
        if OmegaConf.is_interpolation(cfg, name) or OmegaConf.is_missing(cfg, name):
            continue
        if OmegaConf.is_dict(cfg[name]):
            yield from leaves(cfg[name], f"{key}{name}.")
        else:
            yield f"{key}{name}"


def test_the_identity_is_that_of_all_science_and_of_nothing_else(cfg):
    original = identity_of(cfg)
    seen = {original}
    for key in leaves(cfg):
        changed = cfg.copy()
        OmegaConf.set_struct(changed, False)
        value = OmegaConf.select(cfg, key)
        OmegaConf.update(changed, key, not value if isinstance(value, bool) else 123 if value != 123 else 124)
        apart = key in SHOWN_APART or key == "protocol.abnormal_class"
        if key.partition(".")[0] in NOT_SCIENCE - {"debug"} or key in ("debug.profile", "debug.anomaly") or apart:
            assert identity_of(changed) == original, key
        else:
            assert identity_of(changed) not in seen, key
            seen.add(identity_of(changed))


def test_runs_from_before_test_samples_keep_their_identity(cfg):
    before = cfg.copy()
    OmegaConf.set_struct(before, False)
    del before["test_samples"]
    assert identity_of(before) == identity_of(cfg)


@given(st.permutations(["a", "b", "c"]), st.floats(0, 9), st.integers(-9, 9))
def test_the_identity_knows_values_alone(order, real, whole):
    values = {"a": real, "b": whole, "c": "text"}
    one = identity_of({"protocol": {}, "boundary": values})
    assert one == identity_of({"boundary": {key: values[key] for key in order}, "protocol": {}})
    assert one == identity_of({"protocol": {}, "boundary": {**values, "b": float(whole)}})
    assert one != identity_of({"protocol": {}, "boundary": {**values, "b": whole + 1}})
    assert one != identity_of({"protocol": {}, "boundary": {**values, "c": 0}})


def test_true_is_not_one():
    assert identity_of({"protocol": {}, "x": True}) != identity_of({"protocol": {}, "x": 1})


names = st.one_of(
    st.text(min_size=1, max_size=80),
    st.text(string.ascii_letters + " _/.-", min_size=1, max_size=4),
    st.sampled_from(
        ["a b", "a_b", "a  b", "a/b", "..", ".", "../../etc", "猫", "犬", "", "\n", "ä", "cat dog", "C:\\x"]
    ),
)


@given(names, names)
@example("a b", "a_b")
@example("猫", "犬")
@example("a/b", "a b")
@example("x" * 61, "x" * 62)
def test_every_class_has_a_plain_folder_of_its_own(one, other):
    folders = {name: class_folder({"abnormal_class": name}) for name in (one, other)}
    for name in folders.values():
        assert PLAIN.fullmatch(name) or name == ""
        assert len(name) < 100
    if "all" not in folders:
        assert len(set(folders.values())) == len(folders)


@given(st.text(string.ascii_letters + string.digits + "_.-", min_size=1, max_size=NAME_LENGTH))
def test_a_plain_name_is_kept(name):
    if name != "all" and "__" not in name:
        assert class_folder({"normal_class": name}) == f"normal_{name}"


@pytest.mark.parametrize(
    ("dataset", "forms", "name"),
    [
        ("digits", ["3", "'3'", "[3]", "['3',3]"], "abnormal_3"),
        ("cifar10", ["3", "cat", "[cat]", "[3,cat]"], "abnormal_cat"),
        ("fashion_mnist", ["0", "T-shirt/top"], "abnormal_T-shirt_top-9cc7a4"),
        ("digits", ["[1,4]", "[4,1]", "['4',1,4]"], "abnormal_1+4"),
        ("cifar10", ["[3,0]", "[cat,airplane]", "[0,cat]"], "abnormal_airplane+cat"),
    ],
)
def test_a_class_has_one_folder_however_it_is_given(folder, dataset, forms, name):
    places = {folder(f"dataset={dataset}", f"protocol.abnormal_class={form}") for form in forms}
    assert [place.name for place in places] == [name]
    pseudo = {
        folder(
            f"dataset={dataset}", "protocol=pseudo_loo", "protocol.abnormal_class=9", f"protocol.pseudo_class={form}"
        )
        for form in forms
    }
    assert len(pseudo) == 1


@given(st.lists(names, min_size=2, max_size=4, unique=True), names)
def test_classes_together_have_a_folder_of_their_own(several, other):
    several = [name for name in several if name != "all"]
    one, back = (class_folder(by_name({"abnormal_class": order}, ())) for order in (several, several[::-1]))
    assert one == back
    assert len(several) < 2 or re.fullmatch(r"[A-Za-z0-9_.+-]+", one)
    assert len(several) < 2 or one != class_folder({"abnormal_class": other})


def test_a_folder_that_was_named_by_index_is_found(composed, tmp_path):
    def place(*overrides):
        cfg = composed(f"runs={tmp_path}", "dataset=cifar10", *overrides, hydra=True)
        return Path(cfg.hydra.run.dir)

    old = place("protocol.abnormal_class=cat").with_name("abnormal_3")
    old.mkdir(parents=True)
    assert place("protocol.abnormal_class=cat") == place("protocol.abnormal_class=3") == old
    assert place("protocol.abnormal_class=dog").name == "abnormal_dog"
    (old.parent / "abnormal_cat").mkdir()
    assert place("protocol.abnormal_class=3").name == "abnormal_cat"
    pseudo = ("protocol=pseudo_loo", "protocol.abnormal_class=cat", "protocol.pseudo_class=dog")
    old = place(*pseudo).with_name("abnormal_3-pseudo-dog")  # as by protocol.abnormal_class=3 protocol.pseudo_class=all
    old.mkdir(parents=True)
    assert place(*pseudo) == old
