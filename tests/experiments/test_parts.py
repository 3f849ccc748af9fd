"""The study of the parts of the score: its tables follow from the other records, and its gains from their AUROCs."""

from pathlib import Path

import numpy as np
import pytest

STUDY = Path(__file__).parents[2] / "experiments" / "parts"


@pytest.fixture(scope="module")
def parts(script):
    return script("parts/parts.py")


def test_the_tables_are_those_of_the_records(parts):
    records = parts.read()
    text = (STUDY / "README.md").read_text()
    assert parts.by_part(records) in text
    for term in ("divergence", "nearest_embedding"):
        assert parts.by_class(records, term) in text


def test_a_gain_is_the_difference_of_two_aurocs_and_none_against_itself(parts):
    record = parts.Record(STUDY.parent / "mnist_occ")
    gain, _, half = record.gains("j")
    np.testing.assert_allclose(gain, record.values["full"] - record.values["j"])
    assert half > 0
    gain, clear, half = record.gains("full")
    assert not gain.any()
    assert not clear.any()
    assert half == 0
