"""The nested choice of settings follows from the trials in the READMEs of the studies."""

from pathlib import Path

import numpy as np
import pytest

STUDY = Path(__file__).parents[2] / "experiments" / "nested_choice"


@pytest.fixture(scope="module")
def nested(script):
    return script("nested_choice/nested.py")


def test_the_tables_are_those_of_the_script(nested):
    text = (STUDY / "README.md").read_text()
    for name in nested.TABLES:
        assert nested.table(name) in text


def test_no_trial_of_a_choice_has_the_reported_class(nested):
    for name in nested.TABLES:
        classes, found, chosen = nested.trials(name)
        assert chosen in found
        for reported, (setting, left) in nested.nested(classes, found).items():
            assert not {reported, (reported + 5) % 10} & set(left)
            means = {
                s: np.mean([v for c, v in zip(classes, values, strict=True) if c in left])
                for s, values in found.items()
            }
            assert means[setting] == max(means.values())
