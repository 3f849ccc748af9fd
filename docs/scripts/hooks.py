"""Hooks of mkdocs: pages from outside of `docs`, links between pages, and equations.

The pages on the configuration and the API are generated from the code. The studies and a few other files of the
repository are pages, too. mkdocs calls the functions named `on_...`.
"""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path
from typing import Any

import api
import configuration
import equations
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]

SHOWN = ("CONTRIBUTING.md", "CHANGELOG.md", "multirun_sweeps/README.md")
"""Files outside of `docs` that are pages, in addition to the studies."""

PICTURES_AND_TABLES = (".png", ".csv")
"""The files that the page of a study may show or link to; its scores are only in the repository."""

LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are generated or outside of `docs`, and list them in their section of the navigation."""
    studies = sorted(path.parent for path in ROOT.glob("experiments/*/README.md"))
    made = {**configuration.pages(), **api.pages(), "experiments/index.md": studies_index(studies)}
    for path in [*(ROOT / name for name in SHOWN), *(study / "README.md" for study in studies)]:
        made[path.relative_to(ROOT).as_posix()] = path.read_text(encoding="utf-8")
    for uri, content in made.items():
        files.append(File.generated(config, uri, content=content))
    for path in sorted(path for study in studies for path in study.rglob("*")):
        if path.suffix in PICTURES_AND_TABLES:
            files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    for section in (next(iter(entry.values())) for entry in config.nav if isinstance(entry, dict)):
        if isinstance(section, list) and section[0].endswith("/index.md"):
            folder = posixpath.dirname(section[0])
            section.extend(uri for uri in made if uri.startswith(f"{folder}/") and uri != section[0])
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Change links that work in the repository into links that work in the site."""
    uri = page.file.src_uri
    source = uri if page.file.generated_by else f"docs/{uri}"
    fenced = re.compile(r"(^```.*?^```|^    [^\n]*$)", re.MULTILINE | re.DOTALL)
    parts = fenced.split(markdown)
    parts[::2] = [LINK.sub(lambda link: relinked(link, source, uri), part) for part in parts[::2]]
    return "".join(parts)


def relinked(link: re.Match[str], source: str, uri: str) -> str:
    """A Markdown link of the file `source` for the page `uri`; only its text where the target is not in the site."""
    mark, text, target = link.groups()
    path, _, anchor = target.partition("#")
    if not path or ":" in path:
        return link[0]
    place = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    here = place.removeprefix("docs/")
    if place == here and not (ROOT / place).exists() and not here.startswith(("configuration/", "api/")):
        raise PluginError(f"{source} links to {target}, and there is no {place}")
    if place == here and not is_shown(place):
        return text
    shown = posixpath.relpath(here, posixpath.dirname(uri) or ".")
    return f"{mark}[{text}]({shown}{'#' * bool(anchor)}{anchor})"


def is_shown(place: str) -> bool:
    """Whether a generated file, or a file outside of `docs`, is part of the site."""
    in_study = place.startswith("experiments/") and place.endswith((*PICTURES_AND_TABLES, "README.md"))
    return in_study or place in SHOWN or place.startswith(("configuration/", "api/"))


def studies_index(studies: list[Path]) -> str:
    """The list of the studies with their first paragraphs, which state the questions."""
    lines = [
        "# Studies",
        "",
        "Each study is a folder of `experiments` with a question, the command that answers it, and the results.",
        "Unless a page says otherwise, settings were chosen on pseudo-anomalies (`protocol=pseudo_loo`) and never on",
        "the test split for which results are reported.",
        "",
    ]
    for study in studies:
        title, paragraph = (study / "README.md").read_text(encoding="utf-8").split("\n\n")[:2]
        question = "" if paragraph.startswith("    ") else f": {' '.join(paragraph.split())}"
        lines.append(f"- [{title.lstrip('# ')}]({study.name}/README.md){question}")
    return "\n".join(lines) + "\n"


def on_page_content(html: str, **_: Any) -> str:
    """Convert TeX to MathML."""
    return equations.rendered(html)


sys.path.insert(0, str(ROOT))  # so that the code of this checkout is described, not an installed version
