import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
import yaml
from annotated_types import Ge, Gt, Interval
from omegaconf import OmegaConf

from omasgan.configuration.reference import Setting, describe, first_line, groups, meanings
from omasgan.configuration.schema import FOLDER, register
from omasgan.configuration.validation import INJECTED, parameters

register()  # or else the plugins are not on the path

GROUPS = {group.name: {option.name: option for option in group.options} for group in groups()}
TARGETS = sorted({option.target for options in GROUPS.values() for option in options.values() if option.target})


@dataclass
class Base:
    """Says what its parts are.

    Its second paragraph.

    Attributes
    ----------
    mu, nu : float, at least 0
        Weights of the distance
        and of the dispersion.
    unit : {'raw', 'spacing'}
        In base.
    """

    mu: Annotated[float, Ge(0)] = 0.02
    nu: Annotated[float, Ge(0)] | None = None
    unit: Literal["raw", "spacing"] = "raw"


class Derived(Base):
    """Changes one thing.

    Parameters
    ----------
    unit : str
        In derived.

    detector : callable
        Builds one.

        In a second paragraph.

    spec
        What the program supplies.

    Returns
    -------
    mu : float
        This is no setting.
    """

    def __init__(
        self,
        spec: object,
        detector: Callable[[int], Base],
        unit: Literal["raw", 3] = "raw",
        share: Annotated[float, Interval(gt=0, le=1)] = 1e-3,
        names: list[str] | None = None,
        mu: Annotated[float, Gt(0)] = 1.0,
        silent: bool = True,
    ) -> None: ...


def test_a_setting_is_described_from_signature_and_docstring():
    assert describe(Derived) == [
        Setting("detector", "Base", "", "", "Builds one.\n\nIn a second paragraph."),
        Setting("unit", "text or a whole number", "one of raw, 3", "raw", "In derived."),
        Setting("share", "a number", "above 0 and at most 1", "0.001", ""),
        Setting("names", "a list or null", "", "null", ""),
        Setting("mu", "a number", "above 0", "1.0", "Weights of the distance and of the dispersion."),
        Setting("silent", "true or false", "", "true", ""),
    ]


def test_a_dataclass_is_described_by_its_attributes():
    mu, nu, unit = describe(Base)
    assert mu == Setting("mu", "a number", "at least 0", "0.02", "Weights of the distance and of the dispersion.")
    assert (nu.type, nu.range, nu.default, nu.meaning) == ("a number or null", "at least 0", "null", mu.meaning)
    assert (unit.range, unit.meaning) == ("one of raw, spacing", "In base.")


def test_a_function_without_a_docstring_has_settings_without_meaning():
    def build(size: int, spec: object = None): ...

    assert describe(build) == [Setting("size", "a whole number", "", "", "")]


def test_no_other_section_holds_meanings():
    assert meanings("Do it.\n\nReturns\n-------\nx : int\n    No.\n") == {}
    assert meanings("") == {}
    assert meanings("    Parameters\n    ----------\n    *x : int\n        Yes.\n") == {"x": "Yes."}


def test_the_first_line_ends_at_the_first_empty_one():
    assert first_line(Base) == "Says what its parts are."
    assert first_line(Derived) == "Changes one thing."


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_is_described_in_words(name):
    target = pkgutil.resolve_name(name)
    described = describe(target)
    assert [setting.name for setting in described] == list(parameters(target))
    assert not INJECTED & {setting.name for setting in described}
    for setting in described:
        assert "[" not in setting.type, "a type's own notation"
        assert "omasgan." not in setting.type
        yaml.safe_load(setting.default)


def test_every_file_is_an_option():
    files = {path for path in FOLDER.glob("*/*.yaml") if path.parent.name != "hydra"}
    assert files <= {option.file for options in GROUPS.values() for option in options.values()}
    assert {"sweep", "hydra/launcher", "hydra/sweeper"} <= GROUPS.keys()
    assert "search" in GROUPS["hydra/sweeper"]


@pytest.mark.parametrize("group", ["boundary", "budget", "inference", "optimisation", "logger", "architecture"])
def test_an_options_settings_are_what_hydra_composes(composed, group):
    for name, option in GROUPS[group].items():
        # With a detector that trains nothing, as budget=equal sets the steps of one that does.
        made = OmegaConf.to_container(composed(f"{group}={name}", "detector=pca"), resolve=False)[group]
        if option.package.startswith(f"{group}."):
            made = made[option.package.removeprefix(f"{group}.")]
        # The option `default` of a group that experiments tune leaves the values to them and to config.yaml.
        tuned = name == "default" and option.settings.keys() == {"_target_"}
        assert option.settings == ({key: made[key] for key in option.settings} if tuned else made)


@pytest.mark.parametrize("group", ["budget", "inference", "optimisation"])
def test_the_values_in_config_yaml_are_the_defaults_of_the_signature(composed, group):
    node = OmegaConf.to_container(composed(), resolve=True)[group]
    for setting in describe(pkgutil.resolve_name(node["_target_"])):
        assert yaml.safe_load(setting.default) == node[setting.name], setting.name


def test_an_option_names_the_options_that_it_holds():
    assert GROUPS["representation"]["contrastive"].parts["views"] == "augmentation=affine"
    toy = GROUPS["experiment"]["toy"]
    assert toy.package == "_global_"
    assert toy.parts["dataset"] == "dataset=toy_blobs", "its own, not that of the experiment that it builds on"
    assert toy.parts["protocol"] == "protocol=novelty", "from the experiment that it builds on"


def test_the_comment_at_a_files_head_is_its_summary():
    assert GROUPS["ablation"]["no_distance"].summary == "Eq. (3) without the distance d: nothing keeps B near the data."
    assert GROUPS["ablation"]["no_distance"].package == "_global_"
    assert GROUPS["dataset"]["digits"].summary == ""
