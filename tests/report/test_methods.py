import os
from dataclasses import replace
from statistics import fmean, stdev

import numpy as np
import pytest
import yaml

from omasgan.report.comparison import comparisons
from omasgan.report.statistics import Ranked
from omasgan.report.study import METRICS
from omasgan.runs import folder as folder_of_run


def named(study, label):
    (method,) = [method for method in study.methods if method.label == label]
    return method


def auroc(folder, term):
    return folder_of_run.result(folder).metrics[term]["auroc"]


def test_a_row_is_the_mean_over_classes_of_the_mean_over_seeds(tmp_path, fake, read):
    folders = {(c, s): fake.write(tmp_path, c, s) for c, seeds in ((0, (0, 1, 2)), (1, (0, 1))) for s in seeds}
    study = read(tmp_path).study
    method = named(study, "omasgan · full")
    first, second = ([auroc(folders[c, s], "full") for c2, s in folders if c2 == c] for c in (0, 1))
    cell = study.cell(method, "0", "auroc")
    assert (cell.mean, cell.deviation, cell.n) == (pytest.approx(fmean(first)), pytest.approx(stdev(first)), 3)
    mean = study.mean(method, "auroc")
    assert mean.mean == pytest.approx((fmean(first) + fmean(second)) / 2)
    both = [(first[seed] + second[seed]) / 2 for seed in (0, 1)]
    assert (mean.deviation, mean.n, mean.classes) == (pytest.approx(stdev(both)), 2, 2)
    assert not mean.complete, "a seed of the second class is missing"
    assert study.settings[0].averaged == ["0", "1"]
    assert "Means are over 0, 1 (2 of 10 classes)" in study.settings[0].note
    assert study.cell(method, "0", "auroc").complete
    assert not study.cell(method, "1", "auroc").complete


def test_one_seed_has_no_deviation(tmp_path, fake, read):
    fake.write(tmp_path)
    study = read(tmp_path).study
    for method in study.methods:
        for metric in METRICS:
            assert np.isnan(study.cell(method, "0", metric).deviation)


def test_every_cell_names_its_runs_and_its_state(small_sweep, read):
    study = read(small_sweep).study
    assert study.settings[0].classes == list("0123456789")
    method = named(study, "omasgan mu=0.2 nu=0.25 · full")
    states = [study.cell(method, cls, "auroc").state for cls in "0123"]
    assert states == ["done", "failed", "interrupted", "missing"]
    for cls in "012":
        runs = study.cell(method, cls, "auroc").runs
        assert {study.runs[run].folder.name for run in runs} == {f"abnormal_{cls}"}
        assert {study.runs[run].seed for run in runs} == {0, 1}
    partly = named(study, "omasgan mu=0.02 nu=0.1 · full")
    cell = study.cell(partly, "2", "auroc")
    assert (cell.state, cell.n, cell.complete, len(cell.runs)) == ("done", 1, False, 2)
    assert study.cell(partly, "3", "auroc").state == "damaged"


def test_a_baseline_that_many_runs_report_is_one_method_and_counts_once(small_sweep, read):
    study = read(small_sweep).study
    method = named(study, "1-NN")
    assert method.baseline
    cell = study.cell(method, "0", "auroc")
    assert cell.n == 2, "two seeds, however many runs"
    assert len(cell.runs) == 8
    assert [method.label for method in study.methods if method.baseline] == [
        "1-NN",
        "PCA",
        "mahalanobis",
        "isolation forest",
    ]


def test_a_detector_that_is_also_a_baseline_is_one_method_with_it(tmp_path, fake, read):
    fake.write(tmp_path)
    alone = fake.write(tmp_path / "alone", 1, choices={"detector": "pca"})
    config = (alone / "config.yaml").read_text()
    head, tail = config.split("detector:\n", 1)
    rest = tail[tail.index("baselines:") :]
    node = "detector:\n  _target_: omasgan.detectors.baselines.pca\n"
    (alone / "config.yaml").write_text(head + node + rest)
    study = read(tmp_path).study
    method = named(study, "PCA")
    assert set(method.done) == {"0", "1"}


def test_variants_are_named_by_the_settings_that_differ(small_sweep, read):
    names = {method.name for method in read(small_sweep).study.methods if not method.baseline}
    assert names == {f"omasgan mu={mu} nu={nu}" for mu in (0.02, 0.2) for nu in (0.1, 0.25)}


def test_another_data_folder_makes_no_other_method(tmp_path, fake, read):
    fake.write(tmp_path)
    copy = fake.write(tmp_path / "elsewhere", 1)
    (copy / "config.yaml").write_text((copy / "config.yaml").read_text().replace("somewhere", "elsewhere"))
    study = read(tmp_path).study
    assert len(study.settings) == 1
    assert set(named(study, "omasgan · full").done) == {"0", "1"}


def test_an_ablation_and_another_data_set_stand_apart(tmp_path, fake, read):
    fake.write(tmp_path)
    fake.write(tmp_path / "b", choices={"ablation": "no_boundary"})
    fake.write(tmp_path / "c", choices={"dataset": "cifar10"})
    study = read(tmp_path).study
    assert [setting.label for setting in study.settings] == ["cifar10 loo", "mnist loo"]
    assert {"omasgan · full", "omasgan no_boundary · full"} <= {method.label for method in study.methods}


def test_runs_that_disagree_are_reported_and_the_newest_counts(tmp_path, fake, read):
    old, new = fake.write(tmp_path / "a"), fake.write(tmp_path / "b", table=fake.scores(0, 400, 5))
    os.utime(old / "metrics.json", (1, 1))
    reading = read(tmp_path)
    (line,) = [problem for problem in reading.problems if "full" in problem]
    assert str(old) in line
    assert str(new) in line
    cell = reading.study.cell(named(reading.study, "omasgan · full"), "0", "auroc")
    assert (cell.mean, cell.n) == (auroc(new, "full"), 1)


def test_the_newest_counts_in_every_class_though_one_is_reported(tmp_path, fake, read):
    for cls in (0, 1):
        old, new = (
            fake.write(tmp_path / f"{name}{cls}", cls, table=fake.scores(cls, 400, seed))
            for name, seed in (("a", 0), ("b", 5))
        )
        os.utime(old / "metrics.json", (1, 1))
    reading = read(tmp_path)
    assert len([problem for problem in reading.problems if "full" in problem]) == 1
    assert reading.study.cell(named(reading.study, "omasgan · full"), "1", "auroc").mean == auroc(new, "full")


@pytest.mark.parametrize("protocol", ["loo", "pseudo_loo"])
def test_a_class_by_its_index_is_the_class_by_its_name(tmp_path, fake, read, protocol):
    names = ("airplane", "cat", "ship")
    tables = {seed: replace(fake.scores(1, 300, seed, classes=3), class_names=names) for seed in (0, 1)}
    for seed, cls, pseudo in ((0, 1, 2), (1, "cat", "ship")):
        run = fake.write(tmp_path, 1, seed, table=tables[seed], choices={"protocol": protocol})
        config = yaml.safe_load((run / "config.yaml").read_text())
        config["protocol"] |= {"abnormal_class": cls} | ({"pseudo_class": pseudo} if protocol != "loo" else {})
        (run / "config.yaml").write_text(yaml.safe_dump(config))
    study = read(tmp_path).study
    (cls,) = named(study, "omasgan · full").done
    assert cls == ("cat" if protocol == "loo" else "cat-pseudo-ship")
    assert study.cell(named(study, "omasgan · full"), cls, "auroc").n == 2


# Pairs


def pair(reading, first, second):
    study = reading.study
    numbers = [study.methods.index(named(study, label)) for label in (first, second)]
    return list(comparisons(study, reading.scores.pairs[0], *numbers))


def test_a_pair_is_delong_on_the_same_samples(tmp_path, fake, read):
    table = fake.scores(0, 400, 0)
    fake.write(tmp_path, table=table)
    one, other = (Ranked.of(table.label, table.terms[term]).contributions() for term in ("full", "pca"))
    by_class, mean = pair(read(tmp_path), "omasgan · full", "PCA")
    deviation = float(np.linalg.norm(one[1] - other[1]))
    assert by_class.difference == pytest.approx(one[0] - other[0])
    assert by_class.high - by_class.low == pytest.approx(2 * 1.96 * deviation, rel=1e-3)
    assert (mean.difference, mean.p) == (by_class.difference, pytest.approx(by_class.p, rel=1e-3))


def test_a_mean_over_classes_counts_a_shared_sample_once(tmp_path, fake, read):
    tables = [fake.scores(cls, 400, 0) for cls in (0, 1)]
    for cls, table in enumerate(tables):
        fake.write(tmp_path, cls, table=table)
    parts = [
        Ranked.of(t.label, t.terms["full"]).contributions()[1] - Ranked.of(t.label, t.terms["pca"]).contributions()[1]
        for t in tables
    ]
    *_, mean = pair(read(tmp_path), "omasgan · full", "PCA")
    expected = np.linalg.norm((parts[0] + parts[1]) / 2)
    assert (mean.high - mean.low) / 2 / 1.96 == pytest.approx(float(expected), rel=1e-3)


def test_a_pair_is_compared_on_the_classes_that_both_have(small_sweep, read):
    found = pair(read(small_sweep), "omasgan mu=0.2 nu=0.25 · full", "omasgan mu=0.02 nu=0.1 · full")
    assert [one.cls for one in found] == ["0", ""]
    assert found[0].difference == pytest.approx(found[1].difference)
    whole = pair(read(small_sweep), "omasgan mu=0.2 nu=0.1 · full", "1-NN")
    assert [one.cls for one in whole] == ["0", "1", "2", ""]
    assert whole[-1].difference == pytest.approx(fmean(one.difference for one in whole[:-1]))


def test_a_method_equals_itself(small_sweep, read):
    for one in pair(read(small_sweep), "PCA", "PCA"):
        assert (one.difference, one.low, one.high, one.p) == (0, 0, 0, 1)


def test_scores_of_other_samples_are_not_compared(tmp_path, fake, read):
    one, other = sorted(fake.write(tmp_path, mu=mu) for mu in (0.1, 0.2))  # the first sets the samples
    table = fake.scores(0, 400, 0)
    shifted = fake.ScoreTable(table.index + 1, table.class_index, table.label, table.terms, table.class_names)
    shifted.save(other / "scores.npz")
    reading = read(tmp_path)
    (line,) = reading.problems
    assert str(other / "scores.npz") in line
    assert str(one) in line
    assert pair(reading, "omasgan mu=0.1 · full", "omasgan mu=0.2 · full") == []


def test_without_its_scores_a_run_lacks_the_interval_only(tmp_path, fake, read):
    fake.write(tmp_path, 0)
    lost = fake.write(tmp_path, 1)
    (lost / "scores.npz").unlink()
    reading = read(tmp_path)
    assert str(lost / "scores.npz") in reading.problems[0]
    method = reading.study.methods.index(named(reading.study, "omasgan · full"))
    assert (method, "0") in reading.scores.deviation
    assert (method, "1") not in reading.scores.deviation
    assert (method, "") not in reading.scores.deviation


def test_what_uses_a_pretrained_network_is_marked_in_every_table(tmp_path, fake, read):
    """Its settings have lists, such as the names of layers, by which variants are told apart, too."""
    for mu, layers in ((0.1, ["a", "b"]), (0.2, ["a"])):
        path = fake.write(tmp_path, mu=mu) / "config.yaml"
        config = yaml.safe_load(path.read_text())
        config["representation"] = {"pretrained": {"layers": layers}}
        path.write_text(yaml.safe_dump(config))
    study = read(tmp_path).study
    labels = {method.label for method in study.methods if method.main and not method.baseline}
    assert labels == {
        "omasgan (pretrained) mu=0.1 layers=[a, b] · full",
        "omasgan (pretrained) mu=0.2 layers=[a] · full",
    }
