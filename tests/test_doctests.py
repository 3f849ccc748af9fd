"""The examples in the docstrings give what they say."""

import doctest
import importlib
import io
import pkgutil
from pathlib import Path

import pytest

import omasgan

# Without the folder `plugins`, which is no package: Hydra imports its modules by other names.
MODULES = [module.name for module in pkgutil.walk_packages(omasgan.__path__, "omasgan.")]
TOP = Path(omasgan.__file__).parents[1]


def source(name):
    path = TOP.joinpath(*name.split("."))
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")


SHOWING = [name for name in MODULES if ">>> " in source(name)]


def test_every_module_can_be_imported():
    for name in MODULES:
        importlib.import_module(name)


@pytest.mark.parametrize("name", SHOWING)
def test_the_examples_of_a_module_give_what_they_say(name):
    module = importlib.import_module(name)
    runner, report = doctest.DocTestRunner(verbose=False), io.StringIO()
    for example in doctest.DocTestFinder().find(module, name):
        runner.run(example, out=report.write)
    assert runner.failures == 0, report.getvalue()


def test_the_examples_are_found():
    found = doctest.DocTestFinder().find(importlib.import_module("omasgan.method.losses"))
    assert {"omasgan.method.losses.distance", "omasgan.method.losses.Pairwise"} <= {
        example.name for example in found if example.examples
    }
    assert "omasgan.method.losses" in SHOWING
