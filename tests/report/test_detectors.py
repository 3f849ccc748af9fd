"""All detectors beside OMASGAN: paired tests, costs and published figures, in the tables and in a browser."""

import csv
import json

import numpy as np
import pytest
from omegaconf import OmegaConf

from omasgan.commands import report
from omasgan.evaluation.scores import ScoreTable
from omasgan.report.detectors import MEAN, detector_rows, detectors
from omasgan.report.published import figure_of
from omasgan.report.significance import holm
from omasgan.report.statistics import Z95, two_sided

COST = {"training_seconds": 100.0, "scoring_seconds": 0.5, "parameters": 1000}


@pytest.fixture(scope="module")
def rivals(tmp_path_factory, fake):
    """OMASGAN with baselines, a worse detector with its cost on all of MNIST's classes, and one that lacks a class."""
    top = tmp_path_factory.mktemp("rivals") / "runs"
    for cls in range(10):
        table = fake.scores(cls, 600, 0, lift=0.8)
        fake.write(top, cls, 0, table=table)
        for detector, term, last in (("vae", "elbo", 9), ("geom", "dirichlet", 4)):
            if cls <= last:
                terms = {term: table.terms["task1"], "second": table.terms["task3"]}
                other = ScoreTable(table.index, table.class_index, table.label, terms, table.class_names)
                folder = fake.write(top, cls, 0, table=other, choices={"detector": detector})
                metrics = json.loads((folder / "metrics.json").read_text())
                metrics["cost"] = {**COST, "training_seconds": 100.0 + cls}
                (folder / "metrics.json").write_text(json.dumps(metrics))
    return top


@pytest.fixture(scope="module")
def found(rivals, read):
    known = read(rivals)
    return known, detectors(known.study, known.scores, 0)


def test_each_detector_is_compared_with_omasgan_class_by_class(found):
    known, result = found
    labels = {known.study.methods[row.method].label: row for row in result.rows}
    assert known.study.methods[result.reference].label == "omasgan · full"
    vae = labels["vae · elbo"]
    classes = [vae.differences[cls] for cls in known.study.settings[0].classes]
    assert len(classes) == 10
    assert [p for _, p in classes] == holm([one.p for one, _ in classes])
    for one, _ in classes:
        assert one.p == pytest.approx(two_sided(one.difference, (one.high - one.difference) / Z95))
    assert vae.worse == [one.cls for one, p in classes if p < 0.05]
    assert vae.worse
    assert vae.better == []
    assert not labels["omasgan · full"].differences


def test_the_means_are_corrected_for_all_rows(found):
    _, result = found
    means = [row.differences[MEAN] for row in result.rows if row.differences]
    assert len(means) > 3
    assert [p for _, p in means] == holm([one.p for one, _ in means])


def test_costs_are_means_over_the_classes_and_those_of_other_detectors_runs_do_not_count(found):
    known, result = found
    labels = {known.study.methods[row.method].label: row for row in result.rows}
    assert labels["vae · elbo"].cost.training_seconds == pytest.approx(104.5)
    assert labels["vae · elbo"].cost.parameters == 1000
    (nearest,) = [row for row in result.rows if row.detector == "nearest_neighbour"]
    assert nearest.cost.training_seconds is None, "omasgan's runs report it"


def test_a_published_figure_needs_all_ten_classes(found):
    known, result = found
    where = known.study.settings[0]
    (vae,) = [row for row in result.rows if row.detector == "vae"]
    assert (vae.published.value, vae.kind) == (0.864, "reproduction")
    where.averaged.remove("3")
    try:
        assert figure_of(where, "vae", "elbo") is None
    finally:
        where.averaged.insert(3, "3")


def test_a_detector_without_a_class_is_named_with_its_reason(rivals, settings, tmp_path):
    report.write(settings(str(rivals), tmp_path))
    text = (tmp_path / "tables.md").read_text()
    assert "Without a mean: geom · dirichlet: lacks 5, 6, 7 and 2 more." in text
    assert "| vae · elbo |" in text
    assert ".864 (Kim et al. 2020*)" in text
    latex = (tmp_path / "tables.tex").read_text()
    assert r"\label{tab:mnist-loo-detectors}" in latex
    with (tmp_path / "detectors.csv").open() as file:
        rows = list(csv.DictReader(file))
    means = {row["method"]: row for row in rows if row["class"] == MEAN}
    assert float(means["vae · elbo"]["training_seconds"]) == pytest.approx(104.5)
    assert means["omasgan · full"]["difference"] == ""


def test_rows_hold_every_class_and_the_mean(found):
    known, result = found
    rows = detector_rows(known.study, known.scores)
    assert len(rows) == len(result.rows) * 11


def test_the_page_shows_the_table_and_the_costs(rivals, settings, opened, tmp_path):
    report.write(settings(str(rivals), tmp_path))
    tab = opened(tmp_path)
    row = tab.locator("#detectors-table tbody tr", has_text="vae · elbo").inner_text()
    assert "105" in row.replace("104.5", "105")
    assert ".864 (Kim et al. 2020*)" in row
    assert tab.locator("#fig-cost .scatterlayer .point").count() == 1, "the others have no recorded cost"
    tab.select_option("#cost", "parameters")
    assert "parameters" in tab.locator("#fig-cost .xtitle").text_content()


def test_a_detector_on_a_part_of_the_samples_is_named_so_and_does_not_displace_the_others(read, fake, tmp_path):
    for cls in range(3):
        table = fake.scores(cls, 600, 0)
        fake.write(tmp_path, cls, 0, table=table)
        kept = np.arange(0, 600, 3)
        terms = {"search": table.terms["task1"][kept]}
        part = ScoreTable(kept, table.class_index[kept], table.label[kept], terms, table.class_names)
        folder = fake.write(tmp_path, cls, 0, table=part, choices={"detector": "anogan"})
        config = OmegaConf.load(folder / "config.yaml")
        config.test_samples = 200
        OmegaConf.save(config, folder / "config.yaml")
    known = read(tmp_path)
    assert known.problems == []
    rows = {known.study.methods[row.method].label: row for row in detectors(known.study, known.scores, 0).rows}
    assert rows["anogan on 200 test samples"].differences == {}
    (pca,) = [row for row in rows.values() if row.detector == "pca"]
    assert len(pca.differences) == 4, "the others are compared on all samples"
