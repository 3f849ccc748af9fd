"""The examples in the docstrings give what they say."""

import doctest
import importlib
import io
import pkgutil

import pytest

import omasgan

# Without the folder `plugins`, which is no package: Hydra imports its modules by other names.
MODULES = [module.name for module in pkgutil.walk_packages(omasgan.__path__, "omasgan.")]


@pytest.mark.parametrize("name", MODULES)
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
    assert "omasgan.method.losses" in MODULES
