"""The packages import what their docstrings say that they may, and nothing else."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import omasgan

ROOT = Path(omasgan.__file__).parent
PACKAGES = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))
LOOSE = {path.stem for path in ROOT.glob("*.py")} - {"__init__", "__main__"}

FOREIGN = {
    "method": {"hydra", "omegaconf", "wandb", "torchvision", "sklearn"},
    "networks": {"hydra", "omegaconf", "wandb", "sklearn"},
    "training": {"hydra", "omegaconf", "wandb", "sklearn"},
    "representations": {"hydra", "omegaconf", "wandb"},
    "detectors": {"hydra", "omegaconf", "wandb"},
    "data": {"hydra", "omegaconf", "wandb"},
    "evaluation": {"hydra", "omegaconf", "wandb"},
}
"""Libraries that a package knows nothing of."""

WITHOUT_TORCH = ["omasgan.__main__", "omasgan.commands.list_and_clean", "omasgan.commands.report"]


def imported(package):
    """The full names of all that a package's modules import, wherever in the module."""
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def allowed(package):
    """What the package's docstring says that it may import."""
    text = ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8")))
    words = re.search(r"May import: ([^.]*)\.", text)[1]
    return set() if words == "no other package" else set(words.split(", "))


def test_at_most_three_modules_lie_beside_the_packages():
    assert {"errors", "files", "text"} == LOOSE


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_exactly_what_it_says(package):
    names = {name.split(".")[1] for name in imported(package) if name.startswith("omasgan.")}
    assert names - LOOSE - {package, "__version__"} == allowed(package)


def test_no_two_packages_import_each_other_in_a_circle():
    left = {package: allowed(package) for package in PACKAGES}
    while left:
        lowest = {package for package, needs in left.items() if not needs & left.keys()}
        assert lowest, f"a circle among {sorted(left)}"
        left = {package: needs for package, needs in left.items() if package not in lowest}


@pytest.mark.parametrize("package", FOREIGN)
def test_a_package_knows_nothing_of_these_libraries(package):
    assert not {name.split(".")[0] for name in imported(package)} & FOREIGN[package]


@pytest.mark.parametrize("package", ["report", "runs"])
def test_reading_runs_and_reports_loads_no_torch(package):
    modules = [f"omasgan.{package}.{path.stem}" for path in (ROOT / package).glob("*.py") if path.stem != "__init__"]
    code = f"import sys, {', '.join([*modules, *WITHOUT_TORCH])}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("suffix", ["py", "js"])
def test_no_module_is_longer_than_300_lines_and_no_test_file_than_400(suffix):
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in ROOT.rglob(f"*.{suffix}")}
    assert {path.name: size for path, size in sizes.items() if size > 300} == {}
    tests = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in Path(__file__).parent.rglob("*.py")}
    assert {path.name: size for path, size in tests.items() if size > 400} == {}


def test_no_function_is_longer_than_60_lines():
    long = {}
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno + 1 > 60:
                long[f"{path.relative_to(ROOT)}:{node.name}"] = node.end_lineno - node.lineno + 1
    assert long == {}
