"""The page's address, which holds what the reader has chosen, and the files that the page saves."""

import csv
import io
from urllib.parse import parse_qs

import pytest
from PIL import Image

from tests.report.common import PAUSE

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

METHODS = "#table tbody tr:not(.published)"


def what_is_shown(tab):
    """What a reader sees of the choices, in the tables and in the figures."""
    return {
        "rows": tab.locator(f"{METHODS} th").all_inner_texts(),
        "order": tab.locator("#table th[aria-sort]:not([aria-sort=none])").all_inner_texts(),
        "ticked": tab.locator("#table tr.on th").all_inner_texts(),
        "traces": tab.locator("#fig-classes .legendtext").all_text_contents(),
        "axis": tab.locator("#fig-classes .ytitle").text_content(),
        "verdict": tab.locator("#verdict").inner_text(),
        "left": tab.locator("#meta-a").inner_text(),
        "score": tab.locator("#fig-hist-a .xtitle").text_content(),
        "runs": tab.locator("#runs-table tbody tr td.path").all_inner_texts(),
    }


def choose_something(tab):
    """Filter, sort, tick and choose, by mouse and keyboard."""
    tab.select_option("#metric", "auprc")
    tab.fill("#filter", "mu=0.2")
    tab.click("#table button[data-column='0']")
    tab.click("#none")
    tab.evaluate(PAUSE)  # the filter waits for a pause of the typing
    tab.locator(f"{METHODS} input").nth(3).check()
    tab.select_option("#first", label="PCA")
    tab.select_option("#run-a", label="omasgan mu=0.2 nu=0.1 · abnormal 1 · seed 1")
    tab.select_option("#side-term", "task3")
    tab.fill("#runs-filter", "seed_1")
    tab.click("#runs-table button[data-column=auroc]")
    tab.evaluate(PAUSE)


def test_a_link_shows_what_its_sender_saw(tab):
    new = what_is_shown(tab)
    assert tab.evaluate("location.hash") in ("", "#")
    choose_something(tab)
    seen = what_is_shown(tab)
    assert all(seen[key] != new[key] for key in seen), "each choice changed something"
    link = tab.evaluate("location.hash")
    tab.evaluate("() => { location.hash = ''; }")
    tab.evaluate(PAUSE)
    assert what_is_shown(tab) == new, "an address without choices is that of a new page"
    tab.evaluate("(link) => { location.hash = link; }", link)
    tab.evaluate(PAUSE)
    assert what_is_shown(tab) == seen
    assert tab.evaluate("location.hash") == link
    told = parse_qs(link.partition("?")[2])
    assert told["run-a"][0].endswith("seed_1/abnormal_1"), "by name: numbers change when the report is written again"
    assert told["sort"] == ["-0"]


def test_a_section_s_link_keeps_the_choices(tab):
    tab.select_option("#metric", "auprc")
    tab.click(".links a[href='#runs']")
    tab.evaluate(PAUSE)
    assert tab.evaluate("location.hash") == "#runs?metric=auprc"
    assert tab.evaluate("document.activeElement.id") == "runs"


def test_what_a_link_names_and_the_page_lacks_is_said(tab):
    tab.evaluate("() => { location.hash = '#results?first=PCA&show=no+such+method&metric=accuracy&sort=-eleven'; }")
    playwright.expect(tab.locator("#lost")).to_be_visible()
    lost = tab.locator("#lost").inner_text()
    assert all(name in lost for name in ("no such method", "accuracy", "eleven"))
    assert tab.locator("#verdict").inner_text().startswith("PCA minus"), "the rest of the link is followed"


def saved(tab, selector):
    with tab.expect_download() as download:
        tab.click(selector)
    return download.value.suggested_filename, download.value.path().read_bytes()


def test_every_figure_can_be_saved_in_the_colours_of_paper(tab):
    tab.click("#theme")
    for plot in tab.locator(".plot").all():
        where = f"#{plot.get_attribute('id')} + .save"
        assert tab.locator(f"{where} button").all_inner_texts() == ["SVG", "PNG"]
    tab.locator("#fig-ablation .legendtoggle").first.click()
    tab.wait_for_timeout(500)  # Plotly waits for a second click
    shown = tab.locator("#fig-ablation .js-line").count()
    name, svg = saved(tab, "#fig-ablation + .save button >> nth=0")
    assert name == "ablation-mnist-loo-on-the-test-split.svg"
    assert svg.count(b"js-line") == shown, "a line that the reader has hidden stays hidden"
    assert b"rgb(28, 28, 26)" in svg, "the ink of the light theme"
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    name, png = saved(tab, "#fig-ablation + .save button >> nth=1")
    image = Image.open(io.BytesIO(png))
    assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert image.width >= 2000
    assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    tab.click("#theme")


def test_every_table_can_be_saved_as_csv_and_latex(tab):
    tab.fill("#filter", "full")
    tab.evaluate(PAUSE)
    shown = [text.strip() for text in tab.locator(f"{METHODS} th").all_inner_texts()]
    name, text = saved(tab, ".scroll:has(#table) + .save button >> nth=0")
    assert name == "results-mnist-loo-on-the-test-split.csv"
    rows = list(csv.DictReader(io.StringIO(text.decode())))
    assert [row["Method"] for row in rows][: len(shown)] == shown, "what passes the filter, in the table's order"
    assert len(rows[0]["mean"]) >= 6, "more digits than are shown"
    name, text = saved(tab, ".scroll:has(#table) + .save button >> nth=1")
    latex = text.decode()
    assert latex.count(r" \\") == len(rows) + 1
    assert latex.count(r"\textbf{") >= 4, "the best of every column"
    assert all(
        word in latex
        for word in (
            r"\toprule",
            r"\caption{Results: mnist loo, on the test split, AUROC.}",
            r"\label{tab:results-mnist-loo-on-the-test-split}",
        )
    )
    assert tab.locator("main table").count() == tab.locator(".scroll + .save button", has_text="LaTeX").count()
