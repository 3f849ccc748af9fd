"""The figures that a study shows follow from the scores in its folder."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from omasgan.evaluation.scores import ScoreTable

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
RECORDS = sorted(path.parent for path in EXPERIMENTS.rglob("scores.npz"))
RIVALS = [record for record in RECORDS if (record / "costs.csv").exists()]
"""Records of many detectors."""

OWN = [record for record in RECORDS if record not in RIVALS]
"""Records of OMASGAN."""

STUDIES = [record for record in OWN if record.parent == EXPERIMENTS]
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
        assert len(terms) >= (len(rows) if study in RIVALS else 5 * len({key[:2] for key in rows}))
        for key in terms:
            cls, seed, term = key.split("|")
            values = ranks[key]
            packed = ranks[f"{key}|label" if study in RIVALS else f"{cls}|{seed}|label"]
            label = np.unpackbits(packed)[: len(values)].astype(bool)
            row = rows[cls, seed, term]
            assert areas(label, values) == pytest.approx((float(row["auroc"]), float(row["auprc"])), abs=1e-6)


@pytest.mark.parametrize("record", OWN, ids=lambda record: record.relative_to(EXPERIMENTS).as_posix())
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


@pytest.mark.parametrize("study", RIVALS, ids=lambda study: study.name)
def test_the_tables_of_a_study_of_rivals_are_those_of_its_record(study, script):
    rivals = script("rivals.py")
    record = EXPERIMENTS / study.name.removeprefix("rivals_")
    every, ranks, costs = rivals.read(study, record)
    text = (study / "README.md").read_text()
    assert rivals.markdown(every, ranks, costs) in text
    assert rivals.by_class(every) in text


def test_detectors_can_be_added_to_a_record_one_by_one(tmp_path, fake, script):
    rivals, study = script("rivals.py"), script("study.py")
    own, record = tmp_path / "own", tmp_path / "record"
    own.mkdir()
    for cls in (0, 1):
        folder = fake.write(tmp_path / "omasgan", cls, 0).parents[1]
        for detector in ("vae", "geom"):
            table = fake.scores(cls, 400, 0)
            terms = {"own": table.terms["task1" if detector == "vae" else "j"]}
            table = ScoreTable(table.index, table.class_index, table.label, terms, table.class_names)
            fake.write(tmp_path / detector, cls, 0, table=table, choices={"detector": detector})
    study.main(folder, own, keep_baselines=False, keep_seeds=False)
    for detector in ("vae", "geom"):
        rivals.main(tmp_path / detector / "mnist_loo", record, own)
    results, ranks, costs = rivals.read(record, own)
    assert {term for _, _, term in results} == {"vae.own", "geom.own", *rivals.FROM_OMASGAN} & {t for *_, t in results}
    assert {name for name, _, _ in costs} == {"vae", "geom"}
    lines = rivals.markdown(results, ranks, costs).splitlines()
    (vae,) = [line for line in lines if line.startswith("| vae |")]
    area = np.mean([results[cls, 0, "vae.own"]["auroc"] for cls in ("0", "1")])
    full = np.mean([results[cls, 0, "full"]["auroc"] for cls in ("0", "1")])
    assert f"| {area:.3f} |" in vae
    assert f"| {area - full:+.3f} ± " in vae


def test_a_detector_with_two_configurations_is_refused(tmp_path, fake, script):
    for mu in (0.02, 0.2):
        fake.write(tmp_path, 0, 0, mu=mu)
    with pytest.raises(SystemExit, match="several configurations of omasgan"):
        script("rivals.py").collect(tmp_path / "mnist_loo")


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
