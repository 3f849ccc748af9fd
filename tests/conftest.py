import importlib.util
import logging
import os
import re
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hypothesis import settings
from PIL import Image

from omasgan import __main__ as program
from omasgan.configuration.composition import Composer, install
from omasgan.configuration.schema import FOLDER, SWEEPS, register
from omasgan.evaluation import plots
from omasgan.files import make_folder
from omasgan.pipeline import outputs

settings.register_profile("omasgan", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("omasgan")

torch.set_num_threads(1)

# A shell that starts the tests in the background has Ctrl-C ignored, and so would every process that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

NEW_COMPOSER = Composer.__init__
REMEMBERED = {}
"""What the configuration files of this repository, which stay as they are, were composed to in all tests so far."""


def composer_that_shares(self, config_search_path):
    NEW_COMPOSER(self, config_search_path)
    if {part.path for part in config_search_path.get_path()} == {
        "pkg://hydra.conf",
        str(FOLDER),
        f"file://{SWEEPS}",
        "structured://",
    }:
        self._remembered = REMEMBERED


Composer.__init__ = composer_that_shares
install()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if "browser" in item.fixturenames:
            item.add_marker(pytest.mark.heavy)


REAL_SAVE = plots.save
# Most of the time of a short run is that of its plots, so only tests with the fixture `pictures` draw them.
plots.save = lambda figure, path: Image.new("L", (2, 2)).save(path, "png")


@pytest.fixture
def pictures(monkeypatch):
    """Plots are drawn; in all other tests they are blank."""
    monkeypatch.setattr(plots, "save", REAL_SAVE)


EXPERIMENTS = Path(__file__).parents[1] / "experiments"


@pytest.fixture(scope="session")
def script():
    """A module of `experiments`, by its path there; as when it is run, it can import those beside it."""
    sys.path.append(str(EXPERIMENTS))

    def load(path):
        spec = importlib.util.spec_from_file_location(Path(path).stem, EXPERIMENTS / path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def fake(script):
    """The writer of run folders that the benchmark uses, too."""
    return script("speed/fake_runs.py")


@pytest.fixture(autouse=True, scope="session")
def wandb_elsewhere(tmp_path_factory):
    """No W&B setting of the caller reaches a test, and nothing is staged in the caller's home."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("WANDB_"):
                patch.delenv(name)
        for what in ("DATA", "CACHE", "CONFIG"):
            patch.setenv(f"WANDB_{what}_DIR", str(tmp_path_factory.mktemp(f"wandb_{what.lower()}")))
        yield


@pytest.fixture(autouse=True)
def without_wandbs_process():
    """W&B's process of one test is not that of the next, which has other settings."""
    yield
    if "wandb" in sys.modules:
        sys.modules["wandb"].teardown()


PROGRESS = re.compile(r"\w+ \d+/\d+, .* steps/s|\d+ of \d+: ")
"""Lines of a run that is under way."""


@dataclass
class Outcome:
    code: int
    errors: list[str]
    output: str


@pytest.fixture(scope="session")
def without_progress():
    """The lines of standard error but for the progress of stages."""
    return lambda text: [line for line in text.splitlines() if not PROGRESS.match(line)]


@pytest.fixture
def no_pictures(monkeypatch):
    """They take ten times as long as the run that they show."""
    monkeypatch.setattr(outputs, "draw", lambda job, *_: make_folder(job.folder / "plots"))


@pytest.fixture
def command(monkeypatch, capsys, without_progress, no_pictures):
    """Runs a command line in this process."""

    def run(*arguments, full_error="0"):
        # The program sets both for Hydra; a process of its own runs it once.
        monkeypatch.setenv("HYDRA_FULL_ERROR", full_error)
        monkeypatch.setenv("OMASGAN_TRACEBACK", "0")
        monkeypatch.setattr(logging, "raiseExceptions", logging.raiseExceptions)
        monkeypatch.setattr(sys, "argv", ["omasgan", *map(str, arguments)])
        capsys.readouterr()
        code, last_words = 0, ""
        try:
            program.main()
        except SystemExit as end:  # a text is what the interpreter prints before it exits with 1
            code, last_words = (1, f"{end.code}\n") if isinstance(end.code, str) else (end.code or 0, "")
        output, errors = capsys.readouterr()
        return Outcome(code, without_progress(errors + last_words), output)

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield run
    for handler in set(root.handlers) - set(handlers):
        handler.close()  # it writes to a run's folder, or to what this test captured
    root.handlers[:] = handlers
    root.setLevel(level)
    GlobalHydra.instance().clear()


@pytest.fixture(scope="session")
def composed():
    """Composes overrides to a configuration, with Hydra's own node where that is asked for."""
    register()

    def make(*overrides, folder=FOLDER, hydra=False):
        with initialize_config_dir(str(folder), version_base="1.3"):
            return compose("config", overrides=list(overrides), return_hydra_config=hydra)

    return make
