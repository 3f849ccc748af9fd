import shutil
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from omasgan.commands import report
from omasgan.report import reading


@pytest.fixture(scope="session")
def settings(tmp_path_factory):
    """The part of the configuration that task=report reads."""

    def make(folders, output=None, mode=None, pictures=40):
        node = {"folders": folders, "output": str(output), "title": "Test <report>", "pictures": pictures}
        wandb = {"_target_": "omasgan.runs.wandb.WandbLogger", "mode": mode}
        return {"report": node, "runs": "runs", "logger": {"wandb": wandb} if mode else {}}

    return make


def write_idx(folder, classes):
    """MNIST's four files, in which every pixel of image i is i modulo 256."""
    for name in ("train", "t10k"):
        images = np.repeat(np.arange(len(classes)) % 256, 64).astype(np.uint8)
        header = struct.pack(">4BIII", 0, 0, 8, 3, len(classes), 8, 8)
        (folder / f"{name}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        header = struct.pack(">4BI", 0, 0, 8, 1, len(classes))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(header + classes.astype(np.uint8).tobytes())


@pytest.fixture(scope="session")
def small_sweep(tmp_path_factory, fake):
    """Two by two settings, three classes of ten, two seeds; a failed run, an interrupted one, a damaged one."""
    top = tmp_path_factory.mktemp("sweep") / "runs"
    data = tmp_path_factory.mktemp("data")
    write_idx(data, fake.scores(0, 400, 0).class_index)
    for mu in (0.02, 0.2):
        for nu in (0.1, 0.25):
            for cls in (0, 1, 2):
                for seed in (0, 1):
                    state = {(0.2, 0.25, 1): "failed", (0.2, 0.25, 2): "interrupted"}.get((mu, nu, cls), "done")
                    state = "failed" if (mu, nu, cls, seed) == (0.02, 0.1, 2, 1) else state
                    table = fake.scores(cls, 400, seed, lift=mu + nu)
                    shown = {"pictures": ("samples", "plane"), "root": str(data)}
                    fake.write(top, cls, seed, state, table, **shown, mu=mu, nu=nu)
    damaged = fake.write(top, 3, 0, mu=0.02, nu=0.1)
    (damaged / "metrics.json").write_text('{"metrics": {"full": {')
    return top


@pytest.fixture(scope="session")
def read():
    return lambda *places: reading.read(list(places))


@pytest.fixture(scope="session")
def written(small_sweep, settings, tmp_path_factory):
    """The folder of the small sweep's report."""
    output = tmp_path_factory.mktemp("report")
    report.write(settings(str(small_sweep), output))
    return output


@pytest.fixture(scope="package")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no chromium is installed: apt-get install chromium")
    with playwright.sync_playwright() as machine:
        browser = machine.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Opener:
    """Opens pages from disk, and notes what their consoles say and what they ask for."""

    browser: Any
    contexts: list[Any] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __call__(self, folder, width=1280, height=900, scheme="light", address=""):
        self.contexts.append(self.browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme))
        tab = self.contexts[-1].new_page()
        tab.on("console", lambda message: self.said.append(message.text) if message.type != "log" else None)
        tab.on("pageerror", lambda error: self.said.append(str(error)))
        tab.on("request", lambda request: self.asked.append(request.url))
        tab.goto(f"file://{folder}/report.html{address}")
        tab.wait_for_selector("html[data-complete=yes]", state="attached", timeout=60_000)
        return tab

    def check(self):
        """There was no console message, and no request but for the pages themselves."""
        assert self.said == []
        assert [url for url in self.asked if not url.startswith(("data:", "blob:", "file:///"))] == []
        assert len([url for url in self.asked if url.startswith("file:")]) == len(self.contexts)


@pytest.fixture(scope="package")
def opener(browser):
    opener = Opener(browser)
    yield opener
    for context in opener.contexts:
        context.close()


@pytest.fixture
def opened(opener):
    """Opens a page of its own, which takes seconds: where the test leaves the window as it is, `tab` will do."""
    yield opener
    opener.check()


@pytest.fixture(scope="package")
def shared_tab(opener, written):
    return opener(written)


@pytest.fixture
def tab(opener, shared_tab):
    """The small sweep's page in a window of 1280 pixels, as it is when newly opened."""
    shared_tab.evaluate("() => { closeDetails(); history.replaceState(null, '', '#'); readAddress(); }")
    yield shared_tab
    opener.check()
