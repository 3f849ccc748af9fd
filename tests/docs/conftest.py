import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def docs_script():
    """A module of docs/scripts, by its name."""
    pytest.importorskip("mkdocs", reason="the extra 'docs' is not installed")
    path = str(ROOT / "docs" / "scripts")

    def load(name):
        sys.path.insert(0, path)
        try:
            return importlib.import_module(name)
        finally:
            sys.path.remove(path)

    return load


@pytest.fixture(scope="session")
def site():
    """The folder of the built site."""
    if not (ROOT / "site" / "index.html").is_file():
        pytest.skip("the site is not built: make docs")
    return ROOT / "site"
