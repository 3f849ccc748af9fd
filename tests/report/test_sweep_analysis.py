"""The ranking of a sweep's settings, what noise cannot tell apart, and what each parameter does."""

import itertools
import math
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from omasgan.report.folders import Run
from omasgan.report.parameter_effects import importances, is_grid, main_effects
from omasgan.report.significance import LEVEL, fewest_pairs, holm, signed_rank
from omasgan.report.sweep_analysis import Variant, best_baseline, p_against, rank, varied

CELLS = list(itertools.product(["cat", "dog", "owl", "rat"], range(3)))


def run(full, **terms):
    """A finished run with these AUROCs, and with PCA and 1-NN as baselines where it has figures of them."""
    metrics = {name: {"auroc": value, "fpr95": 1 - value} for name, value in {"full": full, **terms}.items()}
    baselines = {name: {"_target_": name} for name in terms if name in ("pca", "nearest_neighbour")}
    return Run(Path("a"), "done", config={"baselines": baselines}, metrics=metrics)


def variant(lift, cells=CELLS, noise=0.0, seed=0, **values):
    rng = np.random.default_rng(seed)
    hard = {"cat": 0.5, "dog": 0.6, "owl": 0.7, "rat": 0.8}
    return Variant(values, {c: run(hard[c[0]] + lift + noise * rng.normal()) for c in cells})


def test_the_best_comes_first_whatever_the_metric_means():
    variants = [variant(lift, mu=lift) for lift in (0.05, 0.15, 0.1)]
    assert [row.variant.values["mu"] for row in rank(variants).rows] == [0.15, 0.1, 0.05]
    assert [row.variant.values["mu"] for row in rank(variants, "fpr95").rows] == [0.15, 0.1, 0.05]
    assert rank(variants).rows[0].mean == pytest.approx(0.65 + 0.15)


def test_the_deviation_is_over_seeds_and_not_over_classes():
    one = Variant({}, {(cls, seed): run(0.5 + seed / 10 + (cls == "cat") / 5) for cls, seed in CELLS})
    assert rank([one]).rows[0].deviation == pytest.approx(0.1)
    assert math.isnan(rank([variant(0.1, cells=[("cat", 0), ("dog", 0)])]).rows[0].deviation)


def test_settings_are_never_ranked_on_different_classes():
    easy = [cell for cell in CELLS if cell[0] == "rat"]
    ranking = rank([variant(0.1, mu=1), variant(0.05, mu=2), variant(0.0, cells=easy, mu=3)])
    assert [row.variant.values["mu"] for row in ranking.rows] == [1, 2]
    ((left_out, lacking),) = ranking.left_out
    assert left_out.values == {"mu": 3}
    assert set(lacking) == set(CELLS) - set(easy)


def test_where_each_setting_lacks_another_run_those_that_all_have_are_compared():
    variants = [variant(lift, cells=[c for c in CELLS if c != CELLS[k]], mu=lift) for k, lift in enumerate((0, 0.1))]
    ranking = rank(variants)
    assert set(ranking.cells) == set(CELLS[2:])
    assert len(ranking.rows) == 2


def test_nothing_to_rank():
    assert rank([]).rows == []
    ranking = rank([variant(0.1, mu=1)], term="distance")
    assert ranking.rows == []
    assert len(ranking.left_out) == 1


def test_a_term_of_ones_own_choice_is_ranked():
    cells = [("cat", 0), ("dog", 0)]
    variants = [Variant({"mu": mu}, {c: run(0.9 - mu, distance=0.5 + mu) for c in cells}) for mu in (0.1, 0.2)]
    assert [row.variant.values["mu"] for row in rank(variants).rows] == [0.1, 0.2]
    assert [row.variant.values["mu"] for row in rank(variants, term="distance").rows] == [0.2, 0.1]
    assert rank(variants, term="distance").rows[0].parts == pytest.approx({"full": 0.7, "distance": 0.7})


def test_the_best_baseline_is_that_of_the_mean_over_all_rows():
    variants = [Variant({"mu": mu}, {("cat", 0): run(0.9, pca=0.8, nearest_neighbour=0.7 + mu)}) for mu in (0.0, 0.3)]
    assert best_baseline(rank(variants)) == "nearest_neighbour"
    assert best_baseline(rank([variant(0.0)])) is None


def test_noise_and_a_true_difference_are_told_apart():
    variants = [variant(0.1, mu=1, noise=0.02), variant(0.1, mu=2, noise=0.02, seed=1), variant(0.0, mu=3, noise=0.02)]
    ranking = rank(variants)
    best, same, worse = p_against(ranking)
    assert best == 1
    assert same > LEVEL > worse
    assert p_against(ranking, reference=2)[2] == 1, "any row can be the reference"
    assert p_against(ranking, reference=2)[0] < LEVEL


def test_what_is_hard_for_all_settings_does_not_count_as_noise():
    """A class that is easier for all, or a seed that is worse for all, changes no p-value."""
    variants = [variant(lift, mu=lift, noise=0.02, seed=k) for k, lift in enumerate((0.1, 0.08, 0.0))]
    shift = {cell: 0.01 * k for k, cell in enumerate(CELLS)}
    moved = [
        Variant(v.values, {c: run(r.metrics["full"]["auroc"] + shift[c]) for c, r in v.runs.items()}) for v in variants
    ]
    assert p_against(rank(moved)) == pytest.approx(p_against(rank(variants)))


@settings(max_examples=20)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_never_lowers_a_p_value_or_changes_the_order(p):
    corrected = holm(p)
    assert all(after >= before or after == 1 for before, after in zip(p, corrected, strict=True))
    assert all(corrected[a] <= corrected[b] for a in range(len(p)) for b in range(len(p)) if p[a] < p[b])
    assert min(corrected) == pytest.approx(min(1, len(p) * min(p)))


@pytest.mark.parametrize("comparisons", [1, 2, 5, 26])
def test_fewer_pairs_could_not_show_any_difference(comparisons):
    n = fewest_pairs(comparisons)
    clearest = [signed_rank(range(1, pairs + 1)) * comparisons for pairs in (n - 1, n)]
    assert clearest[1] <= LEVEL < clearest[0]


def test_equal_scores_do_not_differ():
    assert signed_rank([0.0] * 12) == 1


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_the_signed_rank_test_counts_all_choices_of_signs(differences):
    ranks = rankdata([abs(d) for d in differences if d])
    sums = [
        sum(r for r, up in zip(ranks, chosen, strict=True) if up)
        for chosen in itertools.product((0, 1), repeat=len(ranks))
    ]
    positive = sum(r for r, d in zip(ranks, [d for d in differences if d], strict=True) if d > 0)
    tail = min(fmean(s <= positive for s in sums), fmean(s >= positive for s in sums))
    assert signed_rank([d / 10 for d in differences]) == pytest.approx(min(2 * tail, 1))
    assert signed_rank([d / 10 for d in differences]) == signed_rank([-d / 10 for d in differences])


def grid(mean):
    values = itertools.product((0.1, 1, 10), ("kl", "gan"))
    return [Variant({"mu": mu, "divergence": d}, {("cat", 0): run(mean(mu, d))}) for mu, d in values]


def test_the_effects_of_a_sum_account_for_all_of_the_variance():
    rows = rank(grid(lambda mu, d: 0.5 + 0.1 * math.log10(mu) + 0.03 * (d == "kl"))).rows
    mu, divergence = main_effects(rows)
    assert (mu.parameter, list(mu.means)) == ("mu", [0.1, 1, 10])
    assert (mu.span, divergence.span) == (pytest.approx(0.2), pytest.approx(0.03))
    assert mu.share + divergence.share == pytest.approx(1)
    assert fmean(mu.means.values()) == pytest.approx(fmean(row.mean for row in rows))
    assert is_grid(rows)
    assert not is_grid(rows[1:])


def test_an_interaction_is_no_main_effect():
    effects = main_effects(rank(grid(lambda mu, d: 0.5 + 0.1 * math.log10(mu) * (1 if d == "kl" else -1))).rows)
    assert [effect.share for effect in effects] == pytest.approx([0, 0])
    assert varied(grid(lambda mu, d: 0.5)) == ["mu", "divergence"]


def test_the_parameter_that_a_search_depends_on_is_the_important_one():
    optuna = pytest.importorskip("optuna")
    space = {name: optuna.distributions.FloatDistribution(0, 1) for name in ("mu", "nu")}
    study = optuna.create_study()
    assert importances(study) == {}
    rng = np.random.default_rng(0)
    for _ in range(20):
        params = {name: float(rng.random()) for name in space}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=params["mu"]))
    found = importances(study)
    assert list(found) == ["mu", "nu"]
    assert found["mu"] > 0.9
