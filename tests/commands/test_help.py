"""What the command says of itself: what to type first, the groups with their options, and each setting."""

import pytest

from omasgan.configuration import reference
from omasgan.configuration.schema import FOLDER
from omasgan.method.settings import Boundary


@pytest.mark.parametrize("arguments", [(), ("-m",)])
def test_a_bare_command_trains_nothing_and_says_what_to_type_first(command, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = command(*arguments)
    assert (outcome.code, outcome.errors) == (0, [])
    assert "omasgan experiment=quickstart" in outcome.output
    assert list(tmp_path.iterdir()) == []


def test_help_names_every_group_with_its_options_and_every_setting_of_the_method(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "600")
    outcome = command("--help")
    assert (outcome.code, outcome.errors) == (0, [])
    for folder in FOLDER.iterdir():
        if folder.is_dir() and folder.name not in ("hydra", "detector_budget"):  # the last follows from two others
            options = ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))
            assert f"  {folder.name}: {options}" in outcome.output
    for setting in reference.describe(Boundary):
        assert setting.meaning, "every setting is explained"
        assert setting.meaning in outcome.output
    assert "at least 0 and at most 1" in outcome.output


def test_help_of_a_group_shows_options_ranges_defaults_and_meanings(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "600")
    lines = [line.split() for line in command("--help", "retraining", "detector=isolation_forest").output.splitlines()]
    assert ["alpha", "0.3", "at", "least", "0"] in lines
    assert ["trees", "200", "at", "least", "1"] in lines


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("detectr", ["there is no group 'detectr'", "did you mean 'detector'?"]),
        ("detector=omasgn", ["'omasgn'", "'omasgan'"]),
    ],
)
def test_help_of_what_is_not_there_is_one_line(command, word, parts):
    outcome = command("--help", word)
    assert outcome.code == 1
    assert len(outcome.errors) == 1
    assert all(part in outcome.errors[0] for part in parts)
