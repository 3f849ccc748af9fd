"""Two runs against each other: the settings that differ, the scores, and the samples on which they disagree."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from omasgan.commands.report import images
from omasgan.errors import UserError
from omasgan.evaluation.scores import ScoreTable
from omasgan.report import folders, page, samples
from omasgan.report.page.sample_sheets import LARGEST

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

LEFT, RIGHT = "omasgan mu=0.02 nu=0.1 · abnormal 0 · seed 0", "omasgan mu=0.2 nu=0.1 · abnormal 0 · seed 1"


def scores_of(small_sweep, mu, seed):
    """The scores of a run of class 0, by the mu of its configuration."""
    for folder in sorted(small_sweep.glob(f"*/omasgan-*/seed_{seed}/abnormal_0")):
        run, _ = folders.read(folder)
        if run.config["boundary"]["mu"] == mu and run.config["boundary"]["nu"] == 0.1:
            return ScoreTable.load(folder / "scores.npz")
    raise AssertionError


def shares(values):
    """The share of lower scores, where no two scores are equal."""
    return (values.argsort().argsort() + 0.5) / len(values)


@pytest.fixture
def two(tab):
    tab.select_option("#run-a", label=LEFT)
    tab.select_option("#run-b", label=RIGHT)
    return tab


def test_only_settings_that_differ_are_listed(two):
    rows = two.locator("#side-settings tbody tr").all_inner_texts()
    assert [row.split("\t") for row in rows] == [["boundary.mu", "0.02", "0.2"], ["seed", "0", "1"]]
    two.select_option("#run-b", label=LEFT)
    assert two.locator("#side-settings tbody").inner_text() == "The two runs have the same settings."


def test_scores_stand_against_each_other(two, small_sweep):
    two.select_option("#metric", "auprc")
    assert two.locator("#side-scores th").first.inner_text().strip() == "AUPRC"
    rows = [row.split("\t") for row in two.locator("#side-scores tbody tr").all_inner_texts()]
    by_name = {name: [float(cell.replace("−", "-")) for cell in cells] for name, *cells in rows}
    assert {"Task 1", "full", "PCA"} <= by_name.keys()
    for left, right, difference in by_name.values():
        assert right - left == pytest.approx(difference, abs=0.0015)


def test_the_most_disputed_samples_are_shown_as_pictures(two, small_sweep, written):
    first, second = (scores_of(small_sweep, mu, seed).terms["full"] for mu, seed in ((0.02, 0), (0.2, 1)))
    gap = np.abs(shares(first) - shares(second))
    shown = two.locator("#disputed figure").evaluate_all("all => all.map((one) => one.title)")
    assert len(shown) == 12
    found = [gap[int(title.removeprefix("sample "))] for title in shown]
    assert found == sorted(found, reverse=True)
    assert found[0] == gap.max(), "every sample on which four settings disagree most is in the page"
    assert two.locator("#disputed .tile").first.bounding_box()["width"] > 60
    assert two.locator("#disputed figcaption", has_text="normal").count() == 12
    points = two.evaluate("document.getElementById('fig-samples').data.slice(1).map((kind) => kind.x.length)")
    content = page.content_of((written / "report.html").read_text())
    compared = next(one for one in content["samples"] if one["class"] == "0")
    assert sum(points) == len(compared["index"])
    assert points[1] == sum(compared["abnormal"])


def test_each_picture_is_that_of_its_sample(written):
    content = page.content_of((written / "report.html").read_text())
    for compared in content["samples"]:
        sheet = compared["sheet"]
        whole = Image.open(io.BytesIO(base64.b64decode(sheet["url"].partition(",")[2]))).convert("L")
        for place, index in enumerate(compared["index"][: compared["disputed"]]):
            x, y = (8 * at + 4 for at in (place % sheet["columns"], place // sheet["columns"]))
            assert whole.getpixel((x, y)) == index % 256


def test_samples_of_different_classes_are_not_compared(two):
    two.select_option("#run-b", label="omasgan mu=0.2 nu=0.1 · abnormal 1 · seed 1")
    assert "different classes" in two.locator("#cap-samples").inner_text()
    assert two.locator("#disputed figure").count() == 0


def test_histograms_of_one_class_share_their_axes(two):
    def ranges():
        axes = "['a', 'b'].map((id) => document.getElementById(`fig-hist-${id}`).layout)"
        return [[layout["xaxis"]["range"], layout["yaxis"]["range"]] for layout in two.evaluate(axes)]

    left, right = ranges()
    assert left == right
    two.select_option("#run-b", label="omasgan mu=0.2 nu=0.1 · abnormal 1 · seed 1")
    left, right = ranges()
    assert left != right


def test_the_roc_curve_has_a_logarithmic_axis(two):
    axis = "document.getElementById('fig-roc').layout.xaxis"
    assert two.evaluate(axis)["range"] == [0, 1]
    two.select_option("#roc-x", "log")
    assert two.evaluate(axis)["type"] == "log"
    assert 10 ** two.evaluate(axis)["range"][0] == pytest.approx(1 / 360), "one of the 360 normal samples"
    rates = two.evaluate("document.getElementById('fig-roc').data[0].x")
    assert sum(rate < 0.02 for rate in rates) >= 6, "more points where the axis is stretched"


def test_samples_of_other_test_data_are_not_compared(tmp_path, fake, read):
    tables = [fake.scores(0, 60, seed) for seed in range(3)]
    other = tables[2]
    tables[2] = ScoreTable(other.index + 1, other.class_index, other.label, other.terms, other.class_names)
    for seed, table in enumerate(tables):
        fake.write(tmp_path, 0, seed, table=table)
    reading = read(tmp_path)
    ((_, compared),) = reading.scores.compared.items()
    assert compared.fingerprint == samples.fingerprint_of(tables[0])
    assert [bool(shown.shares) for _, shown in sorted(reading.scores.shown.items())] == [True, True, False]


def test_why_there_are_no_pictures_is_said(small_sweep):
    run, _ = folders.read(sorted(small_sweep.glob("*/*/seed_0/abnormal_0"))[0])
    x, y = images(run)
    assert x.shape == (400, 1, 8, 8)
    assert len(y) == 400
    run.config["dataset"]["_target_"] = "os.getcwd"
    with pytest.raises(UserError, match=r"code from outside the package: os\.getcwd"):
        images(run)
    run.config["dataset"].update(_target_="omasgan.data.benchmarks.mnist", root=str(small_sweep))
    with pytest.raises(UserError, match=f"MNIST .* is not in {small_sweep}"):
        images(run)
    run.config["dataset"] = {"_target_": "omasgan.data.toy.moons"}
    with pytest.raises(UserError, match="no images"):
        images(run)


def test_a_large_picture_is_scaled_down():
    assert page.sample_sheets._tile(np.zeros((3, 100, 200), np.uint8)).size == (LARGEST, LARGEST // 2)
