"""The API's pages: one a package, in the words of its docstrings."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2] / "omasgan"


def pages() -> dict[str, str]:
    """Every page by its place: an index with what each package holds, and a page a package."""
    packages = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))
    index = ["# API", "", "What a package holds, and what it may import, stands in its docstring; a test holds it.", ""]
    index += ["| package | what |", "|---|---|"]
    index += [f"| [`omasgan.{name}`]({name}.md) | {_first_line(ROOT / name / '__init__.py')} |" for name in packages]
    loose = sorted(path.stem for path in ROOT.glob("*.py") if not path.stem.startswith("__"))
    index += ["", "Beside the packages:", "", *(f"::: omasgan.{name}\n" for name in loose)]
    made = {"api/index.md": "\n".join(index) + "\n"}
    for name in packages:
        made[f"api/{name}.md"] = (
            f"# omasgan.{name}\n\n::: omasgan.{name}\n    options:\n      show_root_heading: false\n"
        )
    return made


def _first_line(file: Path) -> str:
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.partition("\n\n")[0].split())
