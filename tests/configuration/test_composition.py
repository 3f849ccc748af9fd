"""A configuration that is composed from what is remembered is the one that Hydra composes anew."""

import pickle

import pytest
from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from omasgan.configuration.composition import Composer
from omasgan.configuration.schema import FOLDER, register

RIGHT = [
    "seed=1 boundary.mu=3 runs=a +baselines.more=1 ~boundary.nu hydra.run.dir=b score={run:c} ++score.input=d",
    "seed=2 hydra.job.env_copy=[HOME] hydra.job.config.override_dirname.exclude_keys=[seed] boundary.Q=5",
    "boundary.mu=5 dataset=toy_moons seed=3",
    "seed=2",
    "sweep=mu_nu_beta seed=2",  # a group and a setting of the same name
    "sweep.objective=pseudo/auroc/j seed=2",
]
WRONG = ["boundary.muu=1", "boundary.mu=1,2", "dataset={a:1}", "seed=0 dataset=foo", "seed@a=0", "=="]


@pytest.fixture
def loaders():
    """A loader that remembers nothing yet, and one of Hydra's own."""
    register()
    with initialize_config_dir(str(FOLDER), version_base="1.3"):
        path = GlobalHydra.instance().config_loader().get_search_path()
        composer = Composer(path)
        composer._remembered = {}
        yield composer, ConfigLoaderImpl(path)


def outcome(loader, overrides, mode=RunMode.RUN):
    """The whole configuration, or the error."""
    try:
        return OmegaConf.to_yaml(loader.load_configuration("config", overrides.split(), mode))
    except Exception as error:
        return f"{error!r} from {error.__cause__!r}"


@pytest.mark.heavy
def test_what_is_remembered_gives_what_hydra_composes(loaders):
    composer, plain = loaders
    for values in (*RIGHT, *WRONG):
        overrides = f"detector=fgan hydra/launcher=pool {values}"
        expected = outcome(plain, overrides)
        assert ("Exception" in expected) == (values in WRONG)
        for _ in range(2):
            assert outcome(composer, overrides) == expected


def test_a_group_is_found_where_the_search_path_says(loaders, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "small.yaml").write_text("# @package _global_\nboundary:\n  Q: 7\n")
    there = f"hydra.searchpath=[file://{tmp_path}] +own=small"
    composer, plain = loaders
    assert "Q: 7" in outcome(plain, there)
    for values in ("seed=1", "seed=2"):
        assert outcome(composer, f"{there} {values}") == outcome(plain, f"{there} {values}")


def test_other_values_are_composed_without_reading_a_file(loaders, monkeypatch):
    composer, _ = loaders
    first = composer.load_configuration("config", ["experiment=toy", "boundary.mu=3"], RunMode.MULTIRUN)
    monkeypatch.setattr(FileConfigSource, "load_config", lambda *_: pytest.fail("a file is read"))
    second = composer.load_configuration("config", ["experiment=toy", "seed=4"], RunMode.RUN)
    second.boundary.nu = 5
    third = composer.load_configuration("config", ["experiment=toy"], RunMode.RUN)
    assert (first.boundary.mu, second.seed, third.seed) == (3, 4, 0)
    assert second.boundary.mu == third.boundary.mu != 3
    assert third.boundary.nu != 5, "what is remembered does not change with what was made of it"


def test_an_option_that_is_left_open_is_refused_by_a_run_alone(loaders):
    composer, plain = loaders
    for mode in (RunMode.MULTIRUN, RunMode.RUN):
        assert outcome(composer, "dataset=???", mode) == outcome(plain, "dataset=???", mode)
    assert "Exception" in outcome(composer, "dataset=???", RunMode.RUN)


def test_a_job_is_not_sent_what_is_remembered(loaders):
    composer, _ = loaders
    composer.load_configuration("config", [], RunMode.RUN)
    sent = pickle.loads(pickle.dumps(composer))
    assert composer._remembered
    assert not sent._remembered
    assert not sent._folders
    assert outcome(sent, "seed=3") == outcome(composer, "seed=3")
