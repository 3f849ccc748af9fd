"""The pages on the API, one for each package, made from docstrings."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2] / "omasgan"


def pages() -> dict[str, str]:
    """The text of every page by its path: an index of the packages, and a page for each package."""
    packages = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))
    index = ["# API", "", "The docstring of a package says what is in it and which packages it may import.", ""]
    index += ["| package | content |", "|---|---|"]
    index += [f"| [`omasgan.{name}`]({name}.md) | {_first_line(ROOT / name / '__init__.py')} |" for name in packages]
    loose = sorted(path.stem for path in ROOT.glob("*.py") if not path.stem.startswith("__"))
    index += ["", "Modules outside of the packages:", "", *(f"::: omasgan.{name}\n" for name in loose)]
    made = {"api/index.md": "\n".join(index) + "\n"}
    for name in packages:
        made[f"api/{name}.md"] = (
            f"# omasgan.{name}\n\n::: omasgan.{name}\n    options:\n      show_root_heading: false\n"
        )
    return made


def _first_line(file: Path) -> str:
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.partition("\n\n")[0].split())
