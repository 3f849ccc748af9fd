"""The figures that a study shows follow from the scores in its folder."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
RECORDS = sorted(path.parent for path in EXPERIMENTS.rglob("scores.npz"))
STUDIES = [record for record in RECORDS if record.parent == EXPERIMENTS]
"""Records with a README of their own; a record in a folder below is described in the README above it."""


def areas(label, ranks):
    """AUROC and average precision by definition, from how many normal samples and anomalies there are of each rank."""
    counts = [np.bincount(ranks[label == kind], minlength=int(ranks.max()) + 1)[::-1] for kind in (False, True)]
    normal, abnormal = counts
    false, found = (each.cumsum() for each in counts)
    precision = found / np.maximum(found + false, 1)
    auroc = abnormal @ (false[-1] - false + normal / 2) / (found[-1] * false[-1])
    return auroc, abnormal @ precision / found[-1]


@pytest.mark.parametrize("study", RECORDS, ids=lambda study: study.relative_to(EXPERIMENTS).as_posix())
def test_every_figure_of_a_study_can_be_recomputed(study):
    with (study / "results.csv").open() as file:
        rows = {(row["class"], row["seed"], row["term"]): row for row in csv.DictReader(file)}
    with np.load(study / "scores.npz") as ranks:
        terms = [key for key in ranks.files if not key.endswith("|label")]
        assert len(terms) >= 5 * len({key[:2] for key in rows})
        for key in terms:
            cls, seed, term = key.split("|")
            values = ranks[key]
            label = np.unpackbits(ranks[f"{cls}|{seed}|label"])[: len(values)].astype(bool)
            row = rows[cls, seed, term]
            assert areas(label, values) == pytest.approx((float(row["auroc"]), float(row["auprc"])), abs=1e-6)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.relative_to(EXPERIMENTS).as_posix())
def test_every_term_of_a_record_has_a_heading(record, script):
    study = script("study.py")
    with (record / "results.csv").open() as file:
        assert {row["term"] for row in csv.DictReader(file)} <= study.TERMS.keys()
    with np.load(record / "scores.npz") as ranks:
        assert {key.split("|")[2] for key in ranks.files} <= {*study.STORED, "label"}


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_the_table_of_a_study_shows_its_results(study):
    with (study / "results.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["term"] == "full"]
    classes = sorted({row["class"] for row in rows})
    means = {cls: np.mean([float(row["auroc"]) for row in rows if row["class"] == cls]) for cls in classes}
    lines = (study / "README.md").read_text().splitlines()
    for name, value in {**means, "mean": np.mean(list(means.values()))}.items():
        assert any(line.startswith(f"| {name} |") and f" {value:.3f} " in line for line in lines), (name, value)


def test_a_record_is_the_same_whether_its_seeds_came_at_once_or_one_by_one(tmp_path, fake, script):
    study = script("study.py")
    for cls in (0, 1):
        for seed in (0, 1):
            folder = fake.write(tmp_path / "runs", cls, seed).parents[1]
    records = [tmp_path / name for name in ("at_once", "one_by_one")]
    for record in records:
        record.mkdir()
    study.main(folder, records[0], keep_baselines=False, keep_seeds=False)
    for seed in (0, 1):
        alone = tmp_path / f"only_{seed}"
        shutil.copytree(folder / f"seed_{seed}", alone / f"seed_{seed}")
        study.main(alone, records[1], keep_baselines=False, keep_seeds=seed > 0)
    tables = [(record / "results.csv").read_text() for record in records]
    assert tables[0] == tables[1]
    ranks = [dict(np.load(record / "scores.npz")) for record in records]
    assert ranks[0].keys() == ranks[1].keys()
    assert all(np.array_equal(value, ranks[1][name]) for name, value in ranks[0].items())


def test_a_record_of_another_split_is_not_kept(tmp_path, fake, script):
    study = script("study.py")
    record = tmp_path / "record"
    record.mkdir()
    study.main(fake.write(tmp_path / "a", 0, 0).parents[1], record, keep_baselines=False, keep_seeds=False)
    other = fake.write(tmp_path / "b", 0, 1, table=fake.scores(0, 300, 1)).parents[1]
    with pytest.raises(SystemExit, match="other test samples for class 0"):
        study.main(other, record, keep_baselines=False, keep_seeds=True)


def test_the_table_of_the_sweep_follows_from_its_runs():
    study = EXPERIMENTS / "sweep_mu_nu_beta"
    lines = (study / "README.md").read_text().splitlines()
    for name, columns in {"mnist": (3, 4), "digits": (5, 6)}.items():
        with (study / f"{name}.csv").open() as file:
            runs = list(csv.DictReader(file))
        assert len(runs) == 81
        settings = {tuple(run[key] for key in ("boundary.mu", "boundary.nu", "retraining.beta")) for run in runs}
        assert len(settings) == 27
        for setting in settings:
            start = "| " + " | ".join(f"{float(value):g}" for value in setting) + " | "
            (line,) = [line for line in lines if line.startswith(start)]
            shown = line.strip("| ").split(" | ")
            own = [r for r in runs if (r["boundary.mu"], r["boundary.nu"], r["retraining.beta"]) == setting]
            for term, column in zip(("full", "j"), columns, strict=True):
                values = [float(run[f"pseudo/auroc/{term}"]) for run in own]
                assert len(values) == 3
                assert shown[column].split(" ± ")[0] == f"{np.mean(values):.3f}"[1:]
