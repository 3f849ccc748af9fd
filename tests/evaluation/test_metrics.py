from math import erf

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from omasgan.errors import UserError
from omasgan.evaluation import metrics
from omasgan.evaluation.metrics import (
    auprc,
    auprc_balanced,
    auroc,
    auroc_of_counts,
    bootstrap_interval,
    evaluate,
    fpr_at_tpr,
)

untimed = settings(deadline=None, max_examples=50)
few_scores = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=25)  # few values, so many ties


def test_set(normal, abnormal):
    labels = np.repeat([False, True], [len(normal), len(abnormal)])
    return labels, np.array([*normal, *abnormal], dtype=float)


test_set.__test__ = False


@pytest.fixture
def gaussians():
    rng = np.random.default_rng(0)
    return test_set(rng.normal(size=300), rng.normal(1, size=60))


@untimed
@given(few_scores, few_scores)
def test_auroc_is_the_share_of_ordered_pairs(normal, abnormal):
    pairs = [(a > n) + (a == n) / 2 for a in abnormal for n in normal]
    assert auroc(*test_set(normal, abnormal)) == pytest.approx(np.mean(pairs), abs=1e-12)


@untimed
@given(few_scores, few_scores)
def test_higher_is_more_anomalous_so_turned_scores_turn_the_auroc(normal, abnormal):
    labels, scores = test_set(normal, abnormal)
    assert auroc(labels, -scores) == pytest.approx(1 - auroc(labels, scores), abs=1e-12)


@untimed
@given(few_scores, few_scores)
def test_all_metrics_depend_on_the_order_of_scores_alone(normal, abnormal):
    labels, scores = test_set(normal, abnormal)
    assert evaluate(labels, scores, seed=0) == evaluate(labels, np.exp(scores / 7), seed=0)


@untimed
@given(few_scores, few_scores)
def test_balanced_precision_is_that_of_a_test_set_with_both_classes_copied_to_one_size(normal, abnormal):
    copied = test_set(normal * len(abnormal), abnormal * len(normal))
    assert auprc_balanced(*test_set(normal, abnormal)) == pytest.approx(average_precision_score(*copied), abs=1e-12)


def test_constant_scores_get_the_prevalence_and_at_one_to_one_a_half():
    labels, scores = test_set([2.0] * 90, [2.0] * 10)
    assert auprc(labels, scores) == pytest.approx(0.1)
    assert auprc_balanced(labels, scores) == pytest.approx(0.5)


@untimed
@given(few_scores, few_scores, st.sampled_from([0.5, 0.8, 0.95, 1.0]))
@example([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 0.5)  # between the ends of a straight piece of the ROC curve
def test_fpr_is_the_smallest_of_all_thresholds_that_find_enough_anomalies(normal, abnormal, tpr):
    found = [
        np.mean(np.array(normal) >= threshold)
        for threshold in [*normal, *abnormal]
        if np.mean(np.array(abnormal) >= threshold) >= tpr
    ]
    assert fpr_at_tpr(*test_set(normal, abnormal), tpr) == pytest.approx(min(found), abs=1e-12)


def test_exactly_95_percent_of_the_anomalies_is_enough():
    labels, scores = test_set([0.0] * 4, [1.0] * 19 + [-1.0])
    assert fpr_at_tpr(labels, scores) == 0.0


@untimed
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12), st.integers(1, 4))
def test_auroc_of_counts_is_the_auroc_of_the_counted_samples(counts, extra):
    normal, abnormal = np.array(counts).T.copy()
    normal[0] += extra
    abnormal[-1] += extra
    ranks = np.arange(len(counts))
    expected = roc_auc_score(*test_set(np.repeat(ranks, normal), np.repeat(ranks, abnormal)))
    assert auroc_of_counts(np.stack([normal] * 2), np.stack([abnormal] * 2)) == pytest.approx([expected] * 2)


def test_the_interval_is_that_of_a_naive_stratified_bootstrap(gaussians):
    labels, scores = gaussians
    scores = np.round(scores, 1)  # ties
    rng = np.random.default_rng(1)
    naive = []
    for _ in range(1000):
        normal, abnormal = (rng.choice(scores[labels == kind], np.sum(labels == kind)) for kind in (0, 1))
        naive.append(roc_auc_score(*test_set(normal, abnormal)))
    expected = np.quantile(naive, [0.025, 0.975])
    assert bootstrap_interval(labels, scores, seed=2) == pytest.approx(expected, abs=0.01)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    truth = (1 + erf(1 / 2)) / 2  # of two unit normals one apart
    covered = 0
    for seed in range(300):
        labels, scores = test_set(rng.normal(size=80), rng.normal(1, size=50))
        low, high = bootstrap_interval(labels, scores, seed, resamples=300, level=0.9)
        covered += low <= truth <= high
    assert 0.85 <= covered / 300 <= 0.95


def test_the_interval_follows_its_seed_and_narrows_with_its_level(gaussians):
    wide = bootstrap_interval(*gaussians, seed=0)
    narrow = bootstrap_interval(*gaussians, seed=0, level=0.5)
    assert wide == bootstrap_interval(*gaussians, seed=0)
    assert wide != bootstrap_interval(*gaussians, seed=1)
    assert wide[0] < narrow[0] < auroc(*gaussians) < narrow[1] < wide[1]


@pytest.mark.parametrize("cells", [1, 1000, 2**20])
def test_the_bootstrap_draws_as_many_as_asked_in_chunks_of_any_size(gaussians, monkeypatch, cells):
    monkeypatch.setattr(metrics, "_CELLS", cells)
    drawn = np.concatenate(list(metrics._resampled_aurocs(*gaussians, seed=0, resamples=101)))
    assert drawn.shape == (101,)
    assert len(np.unique(drawn)) > 90
    assert drawn.mean() == pytest.approx(auroc(*gaussians), abs=0.02)


def test_perfect_scores():
    result = evaluate(*test_set([0, 1, 2], [3, 4]), seed=0)
    assert (result.auroc, result.auroc_low, result.auroc_high) == (1, 1, 1)
    assert (result.auprc, result.auprc_balanced, result.fpr95) == (1, 1, 0)
    assert result.prevalence == 0.4


def test_evaluate_gathers_the_single_metrics_as_plain_numbers(gaussians):
    result = evaluate(*gaussians, seed=3).as_dict()
    low, high = bootstrap_interval(*gaussians, seed=3)
    assert result == {
        "auroc": auroc(*gaussians),
        "auroc_low": low,
        "auroc_high": high,
        "auprc": auprc(*gaussians),
        "auprc_balanced": auprc_balanced(*gaussians),
        "prevalence": 60 / 360,
        "fpr95": fpr_at_tpr(*gaussians),
    }
    assert {type(value) for value in result.values()} == {float}


def test_labels_may_be_numbers(gaussians):
    labels, scores = gaussians
    assert evaluate(labels.astype(np.int8), scores, seed=0) == evaluate(labels, scores, seed=0)


@untimed
@given(st.integers(1, 9), st.booleans())
def test_a_test_set_of_one_class_is_refused_by_its_counts(size, abnormal):
    counts = f"0 normal and {size} abnormal" if abnormal else f"{size} normal and 0 abnormal"
    with pytest.raises(UserError, match=counts):
        evaluate(np.full(size, abnormal), np.arange(size, dtype=float), seed=0)


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_is_refused_by_its_place(gaussians, broken):
    labels, scores = gaussians
    scores[[7, 11]] = broken
    with pytest.raises(UserError, match=f"2 of 360 scores.*sample 7 has {broken}"):
        evaluate(labels, scores, seed=0)
