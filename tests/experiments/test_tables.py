"""The table of the study on small tables follows from its record."""

from pathlib import Path

import numpy as np


def test_the_readme_has_the_table_of_the_record(script):
    compare = script("tables/compare.py")
    study = Path(compare.__file__).parent
    assert compare.markdown(study / "results.csv") in (study / "README.md").read_text(encoding="utf-8")


def test_no_anomaly_is_in_the_training_rows(script):
    compare = script("tables/compare.py")
    titles = []
    for title, x, abnormal in compare.tables():
        train, test, label = compare.split(x, abnormal, seed=0)
        titles.append(title)
        assert len(train) + len(test) == len(x)
        assert label.sum() == abnormal.sum()
        assert len(train) == round(0.7 * (~abnormal).sum())
        np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-8)
    assert len(titles) == len(set(titles)) == 18
