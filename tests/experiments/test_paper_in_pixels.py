"""The study of the paper's claim in pixels: its tables follow from its records."""

import csv

import numpy as np
import pytest

from tests.experiments.test_studies import EXPERIMENTS

STUDY = EXPERIMENTS / "paper_in_pixels"


@pytest.fixture(scope="module")
def trials(script):
    return script("paper_in_pixels/trials.py")


def test_the_table_of_the_trials_is_that_of_the_record(trials):
    assert trials.table(trials.recorded()) in (STUDY / "README.md").read_text()


def test_the_table_of_the_ten_classes_is_that_of_the_records():
    found = {}
    for name in ("boundary", "pasted"):
        with (STUDY / name / "results.csv").open() as file:
            for row in csv.DictReader(file):
                found.setdefault((name, row["term"]), {})[row["class"]] = float(row["auroc"])
    columns = [found["boundary", term] for term in ("task1", "task3", "j", "full")]
    columns += [found["pasted", term] for term in ("j", "full")]
    for column in columns:
        column["mean"] = float(np.mean(list(column.values())))
    text = (STUDY / "README.md").read_text()
    for cls in columns[0]:
        assert f"| {cls} | {' | '.join(f'{column[cls]:.3f}' for column in columns)} |" in text


def test_a_trial_that_is_missing_is_named_and_other_runs_are_left_out(trials, tmp_path, fake):
    fake.write(tmp_path, 7, 0)
    with pytest.raises(ValueError, match=r"has no finished run of all weights of B are trained, no blur, 2;"):
        trials.finished(tmp_path)
