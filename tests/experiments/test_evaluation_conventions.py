"""The study of conventions: its tables follow from its record, and watching a model does not change it."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from omasgan.pipeline import build
from tests.experiments.test_studies import EXPERIMENTS, areas

STUDY = EXPERIMENTS / "evaluation_conventions"


@pytest.fixture(scope="module")
def table(script):
    return script("evaluation_conventions/table.py")


@pytest.fixture(scope="module")
def train(script):
    return script("evaluation_conventions/train.py")


def test_the_tables_are_those_of_the_record(table):
    text, rows = (STUDY / "README.md").read_text(), table.read()
    for dataset in table.DATASETS:
        assert table.table(rows, dataset) in text


def test_the_figures_of_a_sample_at_a_time_and_of_separate_batches_can_be_recomputed(table):
    conventions = list(table.CONVENTIONS)
    rows = {
        (row["dataset"], row["class"], row["term"], kind): (float(row["auroc"]), float(row["auprc"]))
        for row in table.read()
        for kind, convention in (("sample", conventions[0]), ("separate", conventions[2]))
        if row["convention"] == convention
    }
    with np.load(STUDY / "ranks.npz") as record:
        keys = [key for key in record.files if not key.endswith("|label")]
        assert len(keys) == len(rows) == 2 * 10 * 4 * 2
        for key in keys:
            dataset, cls, term, kind = key.split("|")
            ranks = record[key]
            label = np.unpackbits(record[f"{dataset}|{cls}|label"])[: len(ranks)].astype(bool)
            assert areas(label, ranks) == pytest.approx(rows[dataset, cls, term, kind], abs=1e-4)


@pytest.fixture
def models(table, tmp_path):
    """Models of one class, whose scores are noise with some signal."""
    rng = np.random.default_rng(0)
    label = rng.random(300) < 0.2
    made = {}
    for name in table.NAMES:
        scores = {
            f"{term}|{statistics}|{step}": (rng.normal(size=300) + 0.4 * label).astype(np.float32)
            for term in ("task1", "task3", "j")
            for statistics in ("sample", "mixed", "separate")
            for step in ("1", "last")
        }
        scales = np.array([[0.1, 2.0], [-0.3, 0.5]])
        np.savez(tmp_path / "model.npz", label=label, scales=scales, **scores)
        made[name] = table.Model(tmp_path / "model.npz")
    return made


def test_a_choice_on_the_test_split_never_loses_and_a_smaller_choice_gains_less(table, models):
    for term in table.TERMS:
        plain, everything = table.plain(models, term)[0], table.selected(models, term)[0]
        for choice in (table.best_checkpoint, table.best_lambda, table.best_settings, table.best_seed):
            assert plain <= choice(models, term)[0] <= everything
        assert table.worst_seed(models, term)[0] <= plain
    assert table.best_lambda(models, "j")[0] == table.plain(models, "j")[0]


def test_balanced_samples_and_the_units_of_the_sum(table, models):
    model = models["seed 0"]
    assert table.balanced(models, "j")[1] > model.figure("j")[1]  # average precision grows with the share of anomalies
    parts = [model.score("j"), model.score("task3")]
    full = (parts[0] - 0.1) / 2 + (parts[1] + 0.3) / 0.5
    assert table.plain(models, "full")[0] == pytest.approx(roc_auc_score(model.abnormal, full), abs=1e-6)
    assert table.raw_sum(models, "full")[0] == pytest.approx(roc_auc_score(model.abnormal, sum(parts)), abs=1e-6)
    scaled = sum((part - part.min()) / (part.max() - part.min()) for part in parts)
    assert table.min_max(models, "full")[0] == pytest.approx(roc_auc_score(model.abnormal, scaled), abs=1e-6)


def test_watching_a_model_does_not_change_it(train):
    words = [word for word in train.METHOD if not word.startswith("budget")]
    words += ["dataset=digits", "budget=smoke", "architecture.width=4", "boundary.N=8", "boundary.Q=16"]
    dataset = build.dataset(train.composed(words, {}))
    often, once = (train.train(dataset, [*words, f"log_every={steps}"]) for steps in (1, 4))
    assert {key for key in often if key.startswith("j|sample")} == {f"j|sample|{step}" for step in (1, 2, 3, 4, "last")}
    for key in once:
        np.testing.assert_array_equal(often[key], once[key])
    for term in train.NETWORKS:
        np.testing.assert_array_equal(often[f"{term}|sample|4"], often[f"{term}|sample|last"])
        assert np.abs(often[f"{term}|sample|last"] - often[f"{term}|separate|last"]).max() > 1e-4
