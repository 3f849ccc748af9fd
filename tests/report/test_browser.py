"""The page in a real browser: Debian's Chromium, where it is installed."""

import numpy as np
import pytest

from omasgan.commands import report
from omasgan.report import learning_curves
from tests.report.common import PAUSE

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

FIGURES = {
    "fig-classes": ".scatterlayer .point",
    "fig-ablation": ".scatterlayer .js-line",
    "fig-pairs": ".scatterlayer .point",
    "fig-ranks": ".scatterlayer .point",
    "fig-matrix": ".heatmaplayer image",
    "fig-map": ".heatmaplayer image",
    "fig-hist-a": ".barlayer .point",
    "fig-hist-b": ".barlayer .point",
    "fig-learning": ".scatterlayer .js-line",
    "fig-curves": ".scatterlayer .js-line",
    "fig-roc": ".scatterlayer .js-line",
}
"""The id of each figure, and the marks that it is drawn with."""


def column(tab, table="#table", cell="td.mean"):
    texts = tab.locator(f"{table} tbody tr:not(.published) {cell}").all_inner_texts()
    return [float(text.split()[0].rstrip("†")) for text in texts if text[:1] in ".01"]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_every_figure_is_drawn_and_fits(written, opened, tab, scheme, width):
    tab = tab if width == 1280 else opened(written, width, scheme=scheme)
    for place, marks in FIGURES.items():
        assert tab.locator(f"#{place} {marks}").count() > 0, place
        box = tab.locator(f"#{place} svg.main-svg").first.bounding_box()
        assert box["width"] > 200, place
    assert tab.evaluate("document.documentElement.scrollWidth") == width, "the page is not wider than the window"
    assert tab.evaluate("document.documentElement.dataset.theme") == scheme
    assert tab.locator("#pictures-a img").count() == 2
    assert all(tab.evaluate("[...document.querySelectorAll('.pictures img')].map((image) => image.naturalWidth > 0)"))


def test_a_figure_saved_from_a_narrow_window_is_wide(tab):
    tab.set_viewport_size({"width": 390, "height": 900})
    tab.evaluate(PAUSE)
    height = tab.locator("#fig-ranks").bounding_box()["height"]
    with tab.expect_download() as download:
        tab.click("#fig-ranks + .save button >> nth=0")
    assert 'width="900"' in download.value.path().read_text()
    assert tab.locator("#fig-ranks").bounding_box()["height"] == height, "the figure in the page stays as it is"
    tab.set_viewport_size({"width": 1280, "height": 900})


OVERLAPPING = """() => {
  const labels = [...document.querySelectorAll("#fig-classes .xaxislayer-above .xtick text")];
  const boxes = labels.map((label) => label.getBoundingClientRect());
  return boxes.some((box, i) => i > 0 && box.left < boxes[i - 1].right + 2);
}"""


def test_the_mean_is_in_view_and_labels_are_apart_at_any_width(tab):
    for width in (390, 1280, 1400, 1920):
        tab.set_viewport_size({"width": width, "height": 900})
        tab.wait_for_function(f"document.documentElement.scrollWidth === {width}", timeout=10_000)
        region = tab.locator(".scroll:has(#table)").bounding_box()
        mean = tab.locator("#table tbody td.mean").first.bounding_box()
        assert region["x"] < mean["x"]
        assert mean["x"] + mean["width"] <= region["x"] + region["width"] + 1
        assert not tab.evaluate(OVERLAPPING), f"labels of classes overlap at {width}"
    tab.set_viewport_size({"width": 1280, "height": 900})


def test_a_long_name_of_a_setting_fits_a_narrow_window(tmp_path, fake, settings, opened):
    fake.write(tmp_path / "runs", choices={"protocol": "pseudo_loo"})
    report.write(settings(str(tmp_path / "runs"), tmp_path / "out"))
    tab = opened(tmp_path / "out", width=390)
    assert tab.evaluate("document.documentElement.scrollWidth") == 390


def test_a_heatmap_is_not_blank(tab):
    colours = tab.evaluate(
        """async () => {
          const image = new Image();
          image.src = document.querySelector("#fig-map .heatmaplayer image").getAttribute("href")
            || document.querySelector("#fig-map .heatmaplayer image").getAttribute("xlink:href");
          await image.decode();
          const canvas = document.createElement("canvas");
          canvas.width = image.width; canvas.height = image.height;
          const context = canvas.getContext("2d");
          context.drawImage(image, 0, 0);
          const found = new Set();
          const pixels = context.getImageData(0, 0, image.width, image.height).data;
          for (let i = 0; i < pixels.length; i += 4) if (pixels[i + 3]) found.add(pixels.slice(i, i + 3).join());
          return found.size;
        }"""
    )
    assert colours >= 3, "two by two settings, three of which have a mean, each one of its own"


def test_the_table_sorts_both_ways_by_any_column(tab):
    falling = column(tab)
    assert falling == sorted(falling, reverse=True)
    assert len(falling) > 15
    tab.click("#table button[data-column='-1']")
    assert column(tab) == falling[::-1]
    assert tab.locator("#table th[aria-sort=ascending]").inner_text().startswith("mean")
    tab.click("#table button[data-column='0']")
    by_class = column(tab, cell="td:nth-child(2)")
    assert by_class == sorted(by_class, reverse=True)
    assert by_class != falling
    tab.click("#table button[data-column='-2']")
    names = tab.locator("#table tbody tr:not(.published) th").all_inner_texts()
    assert names[0].strip().startswith("1-NN")


def test_cells_without_a_value_come_last_in_both_directions(tab):
    for _ in range(2):
        tab.click("#table button[data-column='1']")
        texts = tab.locator("#table tbody tr:not(.published) td:nth-child(3)").all_inner_texts()
        has_value = [text[0] in ".01" for text in texts]
        assert has_value == sorted(has_value, reverse=True)
        assert len(set(has_value)) == 2


def test_the_filter_keeps_methods_that_have_all_its_words(tab):
    tab.fill("#filter", "FULL mu=0.2")
    playwright.expect(tab.locator("#table tbody tr:not(.published)")).to_have_count(2)
    for name in tab.locator("#table tbody tr:not(.published) th").all_inner_texts():
        assert "full" in name
        assert "mu=0.2" in name
    tab.fill("#filter", "")
    tab.check("#only")
    playwright.expect(tab.locator("#table tbody tr:not(.published)")).to_have_count(4 + 4)


def test_what_is_chosen_is_what_is_drawn(tab):
    before = tab.locator("#fig-classes .scatterlayer .trace").count()
    tab.locator("#table tbody tr.on input").first.click()
    assert tab.locator("#fig-classes .scatterlayer .trace").count() == before - 1
    tab.click("#none")
    assert tab.locator("#fig-classes .scatterlayer .trace").count() == 0
    assert "nothing to show" in tab.locator("#fig-classes").inner_text()


def test_the_metric_changes_table_and_figures(tab):
    before = column(tab)
    tab.select_option("#metric", "fpr95")
    after = column(tab)
    assert after == sorted(after), "the lowest is the best"
    assert after != before
    assert "FPR95" in tab.locator("#fig-classes").inner_text()


def test_a_cell_names_its_runs(tab, small_sweep):
    row = tab.locator("#table tbody tr", has_text="mu=0.2 nu=0.25 · full")
    cell = row.locator("td").nth(1)
    assert "failed" in cell.inner_text()
    assert str(small_sweep) in cell.get_attribute("title")
    cell.locator("button").click()
    details = tab.locator("#details")
    assert "the loss is not finite" in details.inner_text()
    assert details.inner_text().count("abnormal_1") == 2
    tab.keyboard.press("Escape")
    playwright.expect(details).to_be_hidden()
    assert row.locator("td").nth(3).inner_text() == "missing"


def test_the_comparison_changes_what_is_shown(tab):
    first = tab.locator("#verdict").inner_text()
    rows = tab.locator("#pairs").inner_text()
    tab.select_option("#first", label="PCA")
    assert tab.locator("#verdict").inner_text().startswith("PCA minus")
    assert tab.locator("#verdict").inner_text() != first
    assert tab.locator("#pairs").inner_text() != rows


def test_the_page_and_the_csv_have_the_same_comparisons(tab, written):
    import csv

    with (written / "comparison.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["class"] == "mean"][:6]
    for row in rows:
        tab.select_option("#first", label=row["first"])
        tab.select_option("#second", label=row["second"])
        *_, difference, bounds, p = tab.locator("#pairs tbody tr").last.locator("th, td").all_inner_texts()
        plain = [text.replace("−", "-").replace("+", "") for text in (difference, *bounds.split(" to "))]
        expected = [float(row[key]) for key in ("difference", "low", "high")]
        assert [float(text) for text in plain] == pytest.approx(expected, abs=0.0011)
        assert p == "< .001" if float(row["p"]) < 0.001 else float(p) == pytest.approx(float(row["p"]), abs=0.01)


def test_two_runs_stand_side_by_side(tab):
    before = tab.locator("#meta-b").inner_text()
    curves = tab.locator("#fig-curves .js-line").nth(1).get_attribute("d")
    options = tab.locator("#run-b option").all_inner_texts()
    tab.select_option("#run-b", label="omasgan mu=0.2 nu=0.1 · abnormal 0 · seed 1")
    assert tab.locator("#meta-b").inner_text() != before
    assert "mu=0.2 nu=0.1 · abnormal 0" in tab.locator("#meta-b").inner_text()
    assert tab.locator("#fig-curves .js-line").nth(1).get_attribute("d") != curves
    failed = next(option for option in options if "failed" in option)
    tab.select_option("#run-b", label=failed)
    assert "the loss is not finite" in tab.locator("#meta-b").inner_text()


def test_learning_curves_are_medians_with_a_band(tab, small_sweep):
    def shown():
        traces = tab.evaluate("document.getElementById('fig-learning').data")
        return [trace for trace in traces if trace["legendgroup"] == "omasgan mu=0.2 nu=0.1"]

    runs = sorted(small_sweep.glob("*/omasgan-*/seed_*/abnormal_0"))[:2]  # a seed has the same curves in any setting
    recorded = [learning_curves.read(run)["task1"]["loss/D"] for run in runs]
    tab.select_option("#curve", "task1: loss/D")
    tab.select_option("#curve-class", "0")
    low, high, median = shown()
    pairs = list(zip(*(curve.values for curve in recorded), strict=True))
    assert median["x"] == recorded[0].steps
    assert median["y"] == pytest.approx([sum(pair) / 2 for pair in pairs], rel=0.01)
    assert low["y"] == pytest.approx([min(pair) for pair in pairs], rel=0.01)
    assert high["y"] == pytest.approx([max(pair) for pair in pairs], rel=0.01)
    tab.select_option("#curve-x", "seconds")
    assert shown()[2]["x"] == recorded[0].times, "the first record is at time 0"
    tab.locator("#smoothing").fill("0.9")
    tab.evaluate(PAUSE)
    rough, smooth = (np.abs(np.diff(one["y"])).sum() for one in (median, shown()[2]))
    assert smooth < rough / 2
    tab.check("#each-run")
    assert len(shown()) == 2, "a line for each seed"


def test_it_works_by_keyboard(tab):
    tab.evaluate("document.querySelector('a, button, input, select').focus()")
    assert tab.evaluate("document.activeElement.className") == "skip", "the first that the keyboard reaches"
    seen = []
    for _ in range(16):
        tab.keyboard.press("Tab")
        seen.append(tab.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"theme", "setting", "metric", "filter", "only"} <= set(seen)
    tab.focus("#table button[data-column='0']")
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.dataset.column") == "0", "the focus stays on the header"
    assert tab.locator("#table th[aria-sort=descending]").inner_text().startswith("0")
    box = tab.locator("#table tbody input").first
    was = box.is_checked()
    box.focus()
    tab.keyboard.press("Space")
    assert tab.evaluate("document.activeElement.type") == "checkbox"
    assert tab.locator("#table tbody input").first.is_checked() != was
    tab.locator("#table tbody td button").first.focus()
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "close"
    tab.keyboard.press("Escape")
    assert tab.evaluate("document.activeElement.closest('td') !== null"), "the focus goes back to the cell"
    outline = tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_the_theme_changes_and_print_is_light(tab):
    light = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    tab.click("#theme")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") != light
    tab.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == light
    tab.emulate_media(media="print")
    assert not tab.locator("#theme").is_visible()
    widths = tab.evaluate("[...document.querySelectorAll('.plot svg.main-svg')].map((figure) => figure.clientWidth)")
    assert max(widths) <= 690, "the width of A4 without its margins"
    tab.emulate_media(media="screen")
    tab.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    tab.click("#theme")


def test_the_list_of_runs_filters_and_sorts(tab):
    states = tab.locator("#runs-table tbody tr td:first-child").all_inner_texts()
    assert [s.split()[-1] for s in states][:3] == ["failed"] * 3
    tab.fill("#runs-filter", "interrupted")
    playwright.expect(tab.locator("#runs-table tbody tr")).to_have_count(2)
    assert "metrics.json is damaged" in tab.locator("#problems").inner_text()


def test_runs_without_a_comparison_still_make_a_page(tmp_path, fake, settings, opened):
    fake.write(tmp_path / "runs", state="failed")
    report.write(settings(str(tmp_path / "runs"), tmp_path / "out"))
    tab = opened(tmp_path / "out")
    assert "1 run: 1 failed" in tab.locator("#subtitle").inner_text()
    assert "failed" in tab.locator("#table").inner_text()
    assert "nothing to show" in tab.locator("#fig-classes").inner_text()


def test_runs_whose_records_are_all_damaged_are_still_listed(tmp_path, fake, settings, opened):
    run = fake.write(tmp_path / "runs")
    (run / "run.json").write_text("{")
    report.write(settings(str(tmp_path / "runs"), tmp_path / "out"))
    tab = opened(tmp_path / "out")
    assert "damaged" in tab.locator("#runs-table").inner_text()
