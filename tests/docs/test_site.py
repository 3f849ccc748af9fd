"""The built site: no broken link, nothing from the network, and readable on a phone and on a desk."""

import re
import shutil
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed: apt-get install chromium")

PAGES = [
    "index.html",
    "quickstart.html",
    "method.html",
    "architecture.html",
    "configuration/index.html",
    "configuration/boundary.html",
    "experiments/mnist_loo/index.html",
    "api/method.html",
    "CONTRIBUTING.html",
]
"""One of each kind."""


class Links(HTMLParser):
    """What a page links to, what it loads, and the places in it that others may link to."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loaded, self.anchors = set(), set(), {""}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors |= {given[key] for key in ("id", "name") if given.get(key)}
        if tag == "a" and given.get("href"):
            self.links.add(given["href"])
        elif tag in ("img", "script", "iframe", "source", "link", "image", "use"):
            self.loaded |= {given[key] for key in ("src", "href", "xlink:href") if given.get(key)}


@pytest.fixture(scope="module")
def pages(site):
    found = {path: Links(path.read_text(encoding="utf-8")) for path in site.rglob("*.html") if path.name != "404.html"}
    assert len(found) > 40
    return found


def elsewhere(link):
    return re.match(r"[a-z]+:|//", link) is not None


def test_no_internal_link_is_broken(pages):
    broken = []
    for path, page in pages.items():
        for link in page.links | page.loaded:
            if elsewhere(link):
                continue
            target, anchor = urldefrag(unquote(link))
            file = (path.parent / target).resolve() if target else path
            if not file.is_file() or (file in pages and anchor not in pages[file].anchors):
                broken.append((path.name, link))
    assert broken == []


def test_nothing_is_loaded_from_elsewhere(site, pages):
    assert {link for page in pages.values() for link in page.loaded if elsewhere(link)} == set()
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", text), style.name


def test_no_tex_and_no_unresolved_reference_is_left(site):
    for path in site.rglob("*.html"):
        text = re.sub(
            r"<(code|pre|script|title)\b.*?</\1>| title=\"[^\"]*\"", "", path.read_text(encoding="utf-8"), flags=re.S
        )
        assert "arithmatex" not in text, path.name
        assert not re.search(r"\\(frac|mathbb|left|log)\b|\]\[omasgan", text), path.name


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as machine:
        browser = machine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, site):
    """Opens a page from the disk; at the end, the network may not have been asked, and nothing may be complained of."""
    said, asked, contexts = [], [], []

    def open_page(name, width):
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}))
        tab = contexts[-1].new_page()
        tab.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(f"file://{site / name}")
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("data:", "file:///", "about:"))] == []


@in_browser
@pytest.mark.parametrize(("name", "width"), [*[(name, 390) for name in PAGES], *[(name, 1280) for name in PAGES[::4]]])
def test_nothing_sticks_out_and_every_picture_is_there(opened, name, width):
    tab = opened(name, width)
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    assert tab.evaluate("[...document.querySelectorAll('article img')].every((image) => image.naturalWidth > 0)")
    size = tab.evaluate("parseFloat(getComputedStyle(document.querySelector('article p')).fontSize)")
    assert size >= 15


@in_browser
@pytest.mark.parametrize("width", [390, 1280])
def test_the_eight_equations_are_drawn(opened, width):
    tab = opened("method.html", width)
    numbers = tab.locator("div.equation .number").all_inner_texts()
    assert numbers == [f"({number})" for number in range(1, 9)]
    assert tab.locator("merror").count() == 0
    boxes = tab.evaluate(
        "[...document.querySelectorAll('div.equation math')].map((math) => math.getBoundingClientRect().toJSON())"
    )
    assert len(boxes) == 8
    for box in boxes:
        assert box["height"] > 15
        assert box["width"] > 200
    # A numerator stands above its denominator only where the browser knows MathML.
    above, below = (tab.locator("div.equation mfrac > *").nth(place).bounding_box()["y"] for place in (0, 1))
    assert above + 10 < below


@in_browser
def test_a_functions_source_opens(opened):
    tab = opened("method.html", 1280)
    assert tab.locator("details.mkdocstrings-source").count() >= 8
    code = tab.locator("details.mkdocstrings-source", has_text="def distance").first
    assert not code.locator("code").last.is_visible()
    code.locator("summary").click()
    assert code.locator("code").last.is_visible()
    assert code.locator("code").last.bounding_box()["height"] > 100, "its lines are one below the other"


@in_browser
def test_the_search_works_from_disk(opened):
    tab = opened("index.html", 1280)
    tab.click("input.md-search__input")
    tab.keyboard.type("boundary.epsilon")
    first = tab.locator(".md-search-result__item a").first
    playwright.expect(first).to_contain_text("boundary", timeout=20_000)
    assert "configuration/boundary.html" in first.get_attribute("href")
