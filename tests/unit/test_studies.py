"""The figures that the studies show follow from the scores beside them."""

import csv
from pathlib import Path

import numpy as np
import pytest

from omasgan.evaluation.metrics import auprc, auroc

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
RECORDS = sorted(path.parent for path in EXPERIMENTS.rglob("scores.npz"))
STUDIES = [record for record in RECORDS if record.parent == EXPERIMENTS]
"""Records with a README of their own; what lies below one is told in its."""


@pytest.mark.parametrize("study", RECORDS, ids=lambda study: study.relative_to(EXPERIMENTS).as_posix())
def test_every_figure_of_a_study_can_be_computed_anew(study):
    with (study / "results.csv").open() as file:
        rows = {(row["class"], row["seed"], row["term"]): row for row in csv.DictReader(file)}
    with np.load(study / "scores.npz") as ranks:
        terms = [key for key in ranks.files if not key.endswith("|label")]
        assert len(terms) >= 5 * len({key[:2] for key in rows})
        for key in terms:
            cls, seed, term = key.split("|")
            values = ranks[key].astype(float)
            label = np.unpackbits(ranks[f"{cls}|{seed}|label"])[: len(values)].astype(bool)
            row = rows[cls, seed, term]
            assert auroc(label, values) == pytest.approx(float(row["auroc"]), abs=1e-6)
            assert auprc(label, values) == pytest.approx(float(row["auprc"]), abs=1e-6)


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_the_table_of_a_study_shows_its_results(study):
    with (study / "results.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["term"] == "full"]
    classes = sorted({row["class"] for row in rows})
    means = {cls: np.mean([float(row["auroc"]) for row in rows if row["class"] == cls]) for cls in classes}
    lines = (study / "README.md").read_text().splitlines()
    for name, value in {**means, "mean": np.mean(list(means.values()))}.items():
        assert any(line.startswith(f"| {name} |") and f" {value:.3f} " in line for line in lines), (name, value)
