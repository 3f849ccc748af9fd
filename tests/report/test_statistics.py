import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from omasgan.evaluation.metrics import bootstrap_interval
from omasgan.report import reading, scores
from omasgan.report.statistics import Ranked, interval, two_sided


def samples(seed, n=60, levels=None):
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 4 == 0
    scores = rng.normal(size=n) + label
    return label, scores if levels is None else np.round(scores * levels) / levels


def slow_variance(label, scores):
    """DeLong's variance from all pairs."""
    x, y = scores[label], scores[~label]
    pairs = (x[:, None] > y) + 0.5 * (x[:, None] == y)
    return pairs.mean(axis=1).var(ddof=1) / len(x) + pairs.mean(axis=0).var(ddof=1) / len(y)


@given(st.integers(0, 500), st.sampled_from([None, 1, 3]))
def test_the_contributions_give_delongs_variance(seed, levels):
    label, scores = samples(seed, levels=levels)
    area, contributions = Ranked.of(label, scores).contributions()
    assert area == pytest.approx(roc_auc_score(label, scores))
    assert (contributions.astype(float) ** 2).sum() == pytest.approx(slow_variance(label, scores), rel=1e-5)


def test_a_constant_score_has_an_auroc_of_one_half_without_deviation():
    label, _ = samples(0)
    area, contributions = Ranked.of(label, np.ones(len(label))).contributions()
    assert area == 0.5
    assert not contributions.any()


def test_the_interval_agrees_with_the_bootstrap():
    label, scores = samples(1, 4000)
    area, contributions = Ranked.of(label, scores).contributions()
    assert interval(area, float(np.linalg.norm(contributions))) == pytest.approx(
        bootstrap_interval(label, scores, 0), abs=0.003
    )


@pytest.mark.parametrize("levels", [None, 2])
def test_the_roc_curve_goes_through_the_points_of_sklearn(levels):
    label, scores = samples(2, 400, levels)
    fpr, tpr, _ = roc_curve(label, scores, drop_intermediate=False)
    own = Ranked.of(label, scores).roc(
        np.linspace(0, 1, 301)
    )  # every one of the 300 normal samples is a point of the grid
    for x, y in zip(fpr, tpr, strict=True):
        if (fpr == x).sum() == 1:
            assert own[round(x * 300)] == pytest.approx(y, abs=0.001)
    assert (own[0], own[-1]) == (pytest.approx(tpr[fpr == 0].max(), abs=0.001), 1)


def test_the_histogram_counts_every_sample_once_in_its_half():
    label = np.arange(1000) % 2 == 0
    shown = Ranked.of(label, label * 10.0 + np.linspace(0, 1, 1000)).histogram(20)
    assert sum(shown["normal"]) == pytest.approx(1000, abs=10)
    assert sum(shown["abnormal"]) == pytest.approx(1000, abs=10)
    assert sum(shown["normal"][10:]) == sum(shown["abnormal"][:10]) == 0
    constant = Ranked.of(label, np.zeros(1000)).histogram(20)
    assert max(constant["normal"]) == 1000


def test_p_values():
    assert two_sided(1.959964, 1.0) == pytest.approx(0.05, abs=1e-6)
    assert two_sided(-2.0, 1.0) == two_sided(2.0, 1.0)
    assert (two_sided(0.0, 0.0), two_sided(0.1, 0.0)) == (1.0, 0.0)


def test_the_paired_test_rejects_at_its_level():
    rejected = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        label = np.arange(200) % 4 == 0
        common = rng.normal(size=200) + label
        one, other = (Ranked.of(label, common + rng.normal(size=200)).contributions() for _ in range(2))
        rejected += two_sided(one[0] - other[0], float(np.linalg.norm(one[1] - other[1]))) < 0.05
    assert 5 <= rejected <= 28, "5 % of 300 are 15"


@pytest.mark.heavy
def test_many_files_are_read_by_processes_with_the_same_result(monkeypatch, small_sweep):
    study = reading.read([small_sweep]).study
    by_threads = scores.read_scores(study, workers=2)
    monkeypatch.setattr(scores, "MANY", 1)
    by_processes = scores.read_scores(study, workers=2)
    assert by_processes.shown == by_threads.shown
    assert by_processes.deviation == by_threads.deviation
    assert len(by_threads.shown) > 1
