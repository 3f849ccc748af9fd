import logging
import re
import sys
from dataclasses import dataclass

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from omasgan import __main__ as program
from omasgan import config as configuration
from omasgan import pipeline
from omasgan.files import make_folder

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


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """They take ten times as long as the run that they show."""
    monkeypatch.setattr(pipeline, "_draw", lambda job, *_: make_folder(job.folder / "plots"))


@pytest.fixture
def command(monkeypatch, capsys, without_progress):
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
    configuration.register()

    def make(*overrides, folder=configuration.FOLDER, hydra=False):
        with initialize_config_dir(str(folder), version_base="1.3"):
            return compose("config", overrides=list(overrides), return_hydra_config=hydra)

    return make
