"""Ranks of methods over classes, their tests, and their diagram in a browser."""

import csv
import itertools

import numpy as np
import pytest
from scipy import stats

from omasgan.commands import report
from omasgan.report.ranking import critical_difference, indistinguishable, range_quantile, rank
from omasgan.report.rows import headline

DEMSAR = [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]
"""Table 5 of Demšar (2006): q at 5 % for two to ten methods."""


def test_nemenyis_critical_difference_is_that_of_demsar():
    assert [range_quantile(k) for k in range(2, 11)] == pytest.approx(DEMSAR, abs=0.0015)
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.01), "his example"


def test_ranks_and_tests_are_those_of_the_means_over_seeds(small_sweep, read):
    study = read(small_sweep).study
    found = rank(study, headline(study, 0, 12), "auroc")
    means = [[study.cell(study.methods[n], cls, "auroc").mean for cls in found.classes] for n in found.methods]
    assert found.classes == ["0", "1", "2"]
    assert found.mean_ranks == pytest.approx(stats.rankdata(-np.array(means), axis=0).mean(axis=1))
    assert list(found.mean_ranks) == sorted(found.mean_ranks)
    assert found.friedman == pytest.approx(stats.friedmanchisquare(*means).pvalue, rel=1e-3)
    reverse = rank(study, headline(study, 0, 12), "fpr95")
    lowest = np.argmin(reverse.values[:, 0])
    assert reverse.ranks[lowest, 0] == reverse.ranks[:, 0].min(), "the lowest FPR95 is the best"


def test_a_method_without_one_of_the_classes_is_named_and_not_ranked(small_sweep, read):
    study = read(small_sweep).study
    found = rank(study, headline(study, 0, 12), "auroc")
    left_out = {study.methods[number].label: classes for number, classes in found.lacking.items()}
    assert left_out == {"omasgan mu=0.2 nu=0.25 · full": ["1", "2"]}
    assert not set(found.methods) & set(found.lacking)
    assert rank(study, found.methods[:1], "auroc") is None


@pytest.mark.parametrize("seed", range(8))
def test_a_line_joins_all_neighbours_of_which_no_two_differ(seed):
    rng = np.random.default_rng(seed)
    half = np.triu(rng.random((6, 6)) < 0.3, 1)
    different = half | half.T
    every = [(i, j) for i, j in itertools.combinations(range(6), 2) if not different[i : j + 1, i : j + 1].any()]
    largest = [(i, j) for i, j in every if not any(a <= i and j <= b and (a, b) != (i, j) for a, b in every)]
    assert indistinguishable(different) == largest


@pytest.fixture(scope="module")
def six(tmp_path_factory, fake, settings):
    """A detector and four baselines on six classes, on which no two of them have equal ranks everywhere."""
    top = tmp_path_factory.mktemp("six")
    for cls in range(6):
        fake.write(top / "runs", cls, 0, table=fake.scores(cls, 300, 0, lift=cls / 20))
    report.write(settings(str(top / "runs"), top / "out"))
    return top / "out"


@pytest.fixture(scope="module")
def ticked(six, opener):
    """Its page, with the detector's own score and the baselines ticked."""
    tab = opener(six)
    for part in ("Task 1", "Task 3", "J"):
        tab.get_by_label(f"Show omasgan · {part} in").uncheck()
    yield tab
    opener.check()


def test_the_page_ranks_what_is_ticked_as_the_csv_does(six, ticked):
    with (six / "ranks.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "auroc"]
    found = ticked.evaluate(
        """() => {
          const { ranked, p, critical, pairs } = ranking();
          return { ranks: Object.fromEntries(ranked.map((one) => [one.method.label, one.mean])), p, critical,
                   wilcoxon: pairs.map((pair) => pair.p) };
        }"""
    )
    assert len(found["ranks"]) == 5
    assert found["ranks"] == pytest.approx({row["method"]: float(row["mean_rank"]) for row in rows})
    assert found["p"] == pytest.approx(float(rows[0]["friedman_p"]))
    assert found["critical"] == pytest.approx(float(rows[0]["critical_difference"]))
    assert min(found["wilcoxon"]) >= 10 / 32, "ten pairs on six classes"
    ticked.select_option("#rank-test", "wilcoxon")
    assert "no pair of so many methods can be told apart" in ticked.locator("#cap-ranks").inner_text()
    assert ticked.locator("#fig-ranks .annotation").count() == 5 + 5, "a number a rank, and a label a method"


@pytest.mark.parametrize("ties", [False, True])
def test_the_pages_signed_rank_test_is_that_of_scipy(ticked, ties):
    rng = np.random.default_rng(3)
    for n in (1, 4, 9, 12):
        differences = rng.normal(0.3, size=n).round(1 if ties else 4)
        expected = stats.wilcoxon(differences).pvalue if differences.any() else 1
        assert ticked.evaluate("signedRank", differences.tolist()) == pytest.approx(expected)


@pytest.mark.parametrize("df", [1, 2, 5, 8])
def test_the_pages_chi_square_is_that_of_scipy(ticked, df):
    for x in (0.1, 3.0, 25.0):
        assert ticked.evaluate(f"chiSquareTail({x}, {df})") == pytest.approx(stats.chi2.sf(x, df), rel=1e-5)
