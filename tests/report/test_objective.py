"""Figures on different samples are kept apart: of the test split and of pseudo-anomalies, and means over classes."""

import csv
import json
from statistics import fmean

import numpy as np
import pytest
import yaml

from omasgan.commands import report
from omasgan.evaluation.objective import nested
from omasgan.report import folders, page
from omasgan.report.comparison import comparisons
from omasgan.report.page import content
from omasgan.report.page.embedded_pictures import Pictures
from omasgan.report.rows import paired_rows, ranked
from omasgan.report.study import METRICS
from omasgan.text import CHOSEN_ON_TEST


def named(study, label):
    (method,) = [method for method in study.methods if method.label == label]
    return method


def pair(reading, first, second):
    numbers = [reading.study.methods.index(named(reading.study, label)) for label in (first, second)]
    return list(comparisons(reading.study, reading.scores.pairs[0], *numbers))


def test_means_over_different_classes_are_not_compared(tmp_path, fake, read):
    for mu, classes in ((0.1, (0, 1, 2)), (0.2, (0, 1)), (0.3, (0, 1, 2, 3))):
        for cls in classes:
            fake.write(tmp_path, cls, table=fake.scores(cls, 400, 0, lift=mu), mu=mu)
    reading = read(tmp_path)
    study = reading.study
    assert study.settings[0].averaged == ["0", "1", "2"]
    for metric in METRICS:
        means = {mu: study.mean(named(study, f"omasgan mu={mu} · full"), metric) for mu in (0.1, 0.2, 0.3)}
        assert (means[0.2].state, means[0.2].n) == ("lacks 2", 0)
        assert np.isnan(means[0.2].mean)
        values = [study.cell(named(study, "omasgan mu=0.3 · full"), cls, metric).mean for cls in "012"]
        assert means[0.3].mean == pytest.approx(fmean(values)), "over the three classes, though it has a fourth"
    *classes, mean = pair(reading, "omasgan mu=0.3 · full", "omasgan mu=0.3 · Task 1")
    assert [one.cls for one in classes] == ["0", "1", "2", "3"]
    assert mean.difference == pytest.approx(fmean(one.difference for one in classes[:3]))
    *classes, mean = pair(reading, "omasgan mu=0.3 · full", "omasgan mu=0.2 · full")
    assert mean.difference == pytest.approx(fmean(one.difference for one in classes)), "on the classes that both have"
    lacking = study.methods.index(named(study, "omasgan mu=0.2 · full"))
    assert not [row for row in paired_rows(study, reading.scores) if study.methods[lacking].label in row]
    assert ranked(study, 0)[-1] != 0
    assert study.methods[ranked(study, 0)[-1]].name == "omasgan mu=0.2", "those without a mean come last"


def test_every_table_says_which_split_its_figures_are_on(tmp_path, fake, settings):
    fake.write(tmp_path / "runs", choices={"protocol": "pseudo_loo"})
    fake.write(tmp_path / "runs", cls=1)
    report.write(settings(str(tmp_path / "runs"), tmp_path / "out"))
    with (tmp_path / "out" / "tables.csv").open() as file:
        assert {(row["setting"], row["split"]) for row in csv.DictReader(file)} == {
            ("mnist loo", "test"),
            ("mnist pseudo_loo", "pseudo"),
        }
    for name in ("tables.md", "tables.tex"):
        text = (tmp_path / "out" / name).read_text().replace(r"\_", "_")
        assert "mnist loo, on the test split" in text, name
        assert "mnist pseudo_loo, on pseudo-anomalies, held out of the training split" in text, name
    content = page.content_of((tmp_path / "out" / "report.html").read_text())
    assert [where["split"] for where in content["settings"]] == ["test", "pseudo"]
    assert "on the test split" not in content["settings"][1]["label"] + content["settings"][1]["note"]
    assert {run["split"] for run in content["runs"]} == {"test", "pseudo"}


def test_a_sweep_on_the_test_split_is_marked(small_sweep, tmp_path, fake, read):
    fake.write(tmp_path)
    one, several = (content.data(r.study, r.scores, Pictures(), [], "") for r in map(read, (tmp_path, small_sweep)))
    assert [one["settings"][0]["warning"], several["settings"][0]["warning"]] == ["", CHOSEN_ON_TEST]


def test_runs_of_an_earlier_version_are_read_alike(tmp_path, fake, read):
    new = fake.write(tmp_path / "new")
    old = fake.write(tmp_path / "old")
    content = json.loads((old / "metrics.json").read_text())
    objective = content.pop("objective")
    counts = {name: objective[name] for name in ("n_normal", "n_abnormal")}
    content["metrics"] = {term: values | counts for term, values in nested(content["metrics"]).items()}
    (old / "metrics.json").write_text(json.dumps(content))
    one, other = (folders.read(folder)[0] for folder in (new, old))
    assert one.metrics == other.metrics
    assert one.objective == other.objective
    assert not read(tmp_path).problems


def test_classes_together_are_columns_of_a_setting_of_their_own(tmp_path, fake, read):
    for classes in ("0", "1", ["1", "4"], ["2", "3"]):
        table = fake.scores(int(classes[0]), 400, 0)
        run = fake.write(tmp_path / "".join(classes), int(classes[0]), table=table)
        config = yaml.safe_load((run / "config.yaml").read_text())
        config["protocol"]["abnormal_class"] = classes
        (run / "config.yaml").write_text(yaml.safe_dump(config))
    one, several = read(tmp_path).study.settings
    assert (one.label, several.label) == ("mnist loo (classes_together=1)", "mnist loo (classes_together=2)")
    assert one.classes == list("0123456789"), "those of the data set, though the first run told them"
    assert (one.averaged, several.classes, several.averaged) == (["0", "1"], ["1+4", "2+3"], ["1+4", "2+3"])
    assert "a set of classes that are left out of training and tested as anomalies" in several.note
    assert "Means are over all 2 sets of classes" in several.note
