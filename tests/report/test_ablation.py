"""The ablation's table: which methods it compares, its numbers, and that no cell is empty without a reason."""

import csv

import numpy as np
import pytest

from omasgan.commands import report
from omasgan.report.ablation import ablations
from omasgan.report.ablation_table import table
from omasgan.report.comparison import comparisons
from omasgan.report.significance import holm
from omasgan.report.statistics import Ranked


@pytest.fixture(scope="module")
def ablated(tmp_path_factory, fake):
    """Two values of mu, each as a whole and without the boundary, and both without the distance."""
    top = tmp_path_factory.mktemp("ablated") / "runs"
    for cls in (0, 1):
        for seed in (0, 1):
            for mu in (0.02, 0.2):
                fake.write(top, cls, seed, table=fake.scores(cls, 200, seed, lift=mu), mu=mu)
                boundary = fake.scores(cls, 200, seed, lift=mu - 0.4)
                fake.write(top, cls, seed, table=boundary, choices={"ablation": "no_boundary"}, mu=mu)
            distance = fake.scores(cls, 200, seed, lift=-0.1)
            state = "failed" if cls == 1 else "done"
            fake.write(top, cls, seed, state, distance, choices={"ablation": "no_distance"}, mu=0.0)
            smoke = {"ablation": "no_retraining", "budget": "smoke"}
            fake.write(top, cls, seed, choices=smoke, nu=0.7)
    return top


def row(study, ablation, title):
    (found,) = [row for row in ablation.rows if row.title == title]
    return None if found.method is None else study.methods[found.method].name


def test_an_option_is_compared_with_the_detector_of_its_other_settings(ablated, read):
    study = read(ablated).study
    found = {study.methods[one.full].name: one for one in ablations(study, 0)}
    assert set(found) == {"omasgan mu=0.02", "omasgan mu=0.2"}
    for mu in ("0.02", "0.2"):
        one = found[f"omasgan mu={mu}"]
        assert [row.title for row in one.rows][:3] == ["Task 1", "Task 3", "J"]
        assert row(study, one, "no_boundary") == f"omasgan no_boundary mu={mu}"
        assert row(study, one, "no_distance") == "omasgan no_distance", "it sets mu itself, so it is one of both"
        assert row(study, one, "no_retraining") is None, "it was run with another nu"
        assert {row.title for row in one.rows} >= {"no_dispersion", "no_divergence_term", "no_negative_retraining"}


def test_differences_are_those_of_the_paired_comparison(ablated, read):
    found = read(ablated)
    ablation = ablations(found.study, 0)[0]
    for row_of, cells in zip(ablation.rows, table(found.study, found.scores, ablation), strict=True):
        if row_of.method is None:
            continue
        pairs = {one.cls: one for one in comparisons(found.study, found.scores.pairs[0], row_of.method, ablation.full)}
        for cell in cells:
            if not np.isnan(cell.p) and cell.cls != "mean":
                expected = pairs[cell.cls]
                same = (expected.difference, expected.low, expected.high)
                assert (cell.difference, cell.low, cell.high) == pytest.approx(same, abs=1e-6)
                assert cell.p == pytest.approx(expected.p, abs=1e-5)
        tested = [cell for cell in cells[:-1] if not np.isnan(cell.p)]
        assert [cell.p_holm for cell in tested] == pytest.approx(holm([cell.p for cell in tested]))


def test_the_interval_of_a_mean_is_that_of_the_samples_of_all_classes(ablated, read, fake):
    found = read(ablated)
    ablation = ablations(found.study, 0)[0]
    number = next(row.method for row in ablation.rows if row.title == "Task 1")
    cell = table(found.study, found.scores, ablation)[[row.title for row in ablation.rows].index("Task 1")][-1]
    lift = 0.2 if "mu=0.2" in found.study.methods[ablation.full].name else 0.02
    total = np.zeros(200)
    for cls in (0, 1):
        for seed in (0, 1):
            scores = fake.scores(cls, 200, seed, lift=lift)
            one, other = (Ranked.of(scores.label, scores.terms[name]).contributions()[1] for name in ("task1", "full"))
            total += (one - other) / 4
    assert found.scores.ablated[number, ablation.full, ""] == pytest.approx(np.linalg.norm(total), rel=1e-4)
    assert cell.high - cell.low == pytest.approx(2 * 1.96 * np.linalg.norm(total), rel=1e-3)
    assert cell.deviation >= 0


def test_a_cell_without_a_number_has_a_reason(ablated, read):
    found = read(ablated)
    for ablation in ablations(found.study, 0):
        rows = dict(zip([row.title for row in ablation.rows], table(found.study, found.scores, ablation), strict=True))
        for cells in rows.values():
            for cell in cells:
                assert (
                    cell.reason or not np.isnan([cell.value, cell.difference, cell.low, cell.high, cell.p_holm]).any()
                )
        assert {cell.reason for cell in rows["no_retraining"]} == {"not run"}
        by_class = {cell.cls: cell.reason for cell in rows["no_distance"]}
        assert (by_class["0"], by_class["1"], by_class["mean"]) == ("", "failed", "lacks 1")


def test_the_page_shows_the_table_of_the_csv(ablated, settings, opened):
    report.write(settings(str(ablated), ablated.parent / "out"))
    tab = opened(ablated.parent / "out")
    with (ablated.parent / "out" / "ablation.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert all(row["reason"] or row["p_holm"] for row in rows)
    tab.select_option("#ablation-of", label="omasgan mu=0.02")
    shown = {cells[0].split("\n")[0]: cells[1:] for cells in tab.evaluate(TEXTS)}
    for row_of in (row for row in rows if row["detector"] == "omasgan mu=0.02" and row["class"] == "mean"):
        mean, difference, bounds, p = shown[row_of["row"]][:4]
        if not row_of["auroc"]:
            assert {mean, difference, bounds, p} == {row_of["reason"]}
            continue
        assert float(mean) == pytest.approx(float(row_of["auroc"]), abs=6e-4)
        signed = difference.split(" ± ")[0].replace("−", "-")
        assert float(signed) == pytest.approx(float(row_of["difference"]), abs=6e-4)
        assert (
            p == "< .001"
            if float(row_of["p_holm"]) < 0.001
            else float(p) == pytest.approx(float(row_of["p_holm"]), abs=6e-4)
        )
    assert "ablation=no_dispersion,no_divergence_term,no_negative_retraining" in tab.inner_text("#ablation-note")
    assert not [text for cells in shown.values() for text in cells if not text.strip()], "no cell is empty"


TEXTS = """[...document.querySelectorAll("#ablation-table tbody tr")].map((row) =>
  [...row.cells].map((cell) => cell.innerText))"""
