"""Draws the two pictures of docs/architecture.md: the packages and their imports, and the steps from a file to a score.

    python docs/scripts/architecture.py

The arrows of the first picture are the imports of the code; tests/docs/test_architecture.py compares the committed
picture with them.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

DOCS = Path(__file__).parents[1]
CODE = DOCS.parent / "omasgan"

WIDTH, HEIGHT, GAP = 160, 50, 40
"""Width and height of a package's box and the gap between two boxes, in pixels."""

STEP = 100
"""Distance from one row to the next, in pixels."""

STYLE = """
  text { font-family: system-ui, sans-serif; font-size: 15px; fill: #1d2433; text-anchor: middle; }
  .small { font-size: 13px; fill: #4a5468; }
  rect { fill: #eef1fb; stroke: #3f51b5; stroke-width: 1.2; }
  rect.torch { fill: #fdf1e3; stroke: #b8741a; }
  path { fill: none; stroke: #7a8399; stroke-width: 1.5; marker-end: url(#head); }
"""

COLUMNS = 4

SAMPLE = {
    "file": (0, 0, 4, "your file", "images, .npz, .csv, or a benchmark's own format"),
    "data": (1, 0, 4, "data: a Dataset", "uint8 (n, C, H, W) or float32 (n, k), and each sample's class"),
    "split": (
        2,
        0,
        4,
        "data: a protocol's split",
        "the training samples, the test samples, and which of these are anomalies",
    ),
    "encode": (
        3,
        0,
        4,
        "representations: encode",
        "embeddings (n, k); with representation=pixels, the samples themselves",
    ),
    "task1": (4, 0, 1, "task1", "-T of D"),
    "task3": (4, 1, 1, "task3", "-T of C"),
    "j": (4, 2, 1, "j", "J: boundary or normal"),
    "divergence": (4, 3, 1, "divergence", "distance to the memory bank"),
    "full": (5, 2, 2, "full: equation (8)", "sum of both parts, standardised"),
    "files": (6, 0, 4, "evaluation and runs", "scores.npz and metrics.json, with all five terms"),
    "report": (7, 0, 4, "report", "tables and a page with the results of many runs"),
}
"""The steps from a file to a score: row, first column, number of columns, heading and text of each box."""

SAMPLE_ARROWS = [
    ("file", "data"),
    ("data", "split"),
    ("split", "encode"),
    *(("encode", term) for term in ("task1", "task3", "j", "divergence")),
    ("task1", "files"),
    ("task3", "files"),
    ("j", "full"),
    ("divergence", "full"),
    ("full", "files"),
    ("files", "report"),
]


def imports() -> dict[str, set[str]]:
    """The packages that each package imports, at the top of a module or inside a function."""
    packages = {path.parent.name for path in CODE.glob("*/__init__.py")}
    found: dict[str, set[str]] = {package: set() for package in packages}
    for package in packages:
        for path in (CODE / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom):
                    names = [f"{node.module}.{alias.name}" for alias in node.names]
                found[package] |= {name.split(".")[1] for name in names if name.startswith("omasgan.")}
        found[package] = found[package] & packages - {package}
    return found


def arrows(edges: Mapping[str, set[str]]) -> set[tuple[str, str]]:
    """The imports that are drawn: not those that follow from others, as commands to runs does because of report."""
    reached = {package: _below(package, edges) for package in edges}
    return {
        (upper, lower)
        for upper, lowers in edges.items()
        for lower in lowers
        if not any(lower in reached[other] for other in lowers - {lower})
    }


def _below(package: str, edges: Mapping[str, set[str]]) -> set[str]:
    return edges[package].union(*(_below(lower, edges) for lower in edges[package]))


def packages_picture() -> str:
    """The picture of the packages, in which each package is above all packages that it imports."""
    edges = imports()
    drawn = arrows(edges)
    chains = _chains(drawn, _rows(edges, drawn))
    centres = _centres(chains, _rows(edges, drawn))
    lines = []
    for (upper, lower), chain in sorted(chains.items()):
        curve = "M"
        for one, other in itertools.pairwise(chain):
            x1, y1 = centres[one][0], centres[one][1] + HEIGHT / 2
            x2, y2 = centres[other][0], centres[other][1] - HEIGHT / 2 - 7 * (other == lower)
            middle = (y1 + y2) / 2
            curve += f" {x1:g} {y1:g} C {x1:g} {middle:g} {x2:g} {middle:g} {x2:g} {y2:g} L"  # straight through a gap
        lines.append(f'<path id="{upper}-{lower}" d="{curve.removesuffix(" L")}"/>')
    for package in sorted(edges):
        x, y = centres[package]
        kind = ' class="torch"' if _imports_torch(package) else ""
        lines += _box(x, y, WIDTH, HEIGHT, package, kind=kind)
    right = max(x for x, _ in centres.values()) + WIDTH / 2 + 16
    bottom = max(y for _, y in centres.values()) + HEIGHT / 2 + 16
    return _svg(right, bottom, "The packages of omasgan and what each imports", lines)


def _rows(edges: Mapping[str, set[str]], drawn: set[tuple[str, str]]) -> dict[str, int]:
    """The row of each package: the first one below all packages that import it."""
    above = {package: {upper for upper, lower in drawn if lower == package} for package in edges}
    row: dict[str, int] = {}
    while len(row) < len(edges):
        for package in sorted(edges.keys() - row.keys()):
            if above[package] <= row.keys():
                row[package] = 1 + max((row[upper] for upper in above[package]), default=-1)
    return row


def _chains(drawn: set[tuple[str, str]], row: dict[str, int]) -> dict[tuple[str, str], list[str]]:
    """The points that each arrow passes: its two packages, and a gap between packages in each row between them."""
    chains = {}
    for upper, lower in drawn:
        gaps = {f"{upper}-{lower} {number}": number for number in range(row[upper] + 1, row[lower])}
        row |= gaps
        chains[upper, lower] = [upper, *gaps, lower]
    return chains


def _centres(chains: Mapping[tuple[str, str], list[str]], row: dict[str, int]) -> dict[str, tuple[float, float]]:
    """The centres of packages and gaps, ordered in each row by the mean position of those above that they belong to."""
    row = dict(row)
    pairs = [pair for chain in chains.values() for pair in itertools.pairwise(chain)]
    for chain in chains.values():
        row |= {stop: row[chain[0]] + i for i, stop in enumerate(chain[:-1])}
    centres: dict[str, tuple[float, float]] = {}
    for number in range(max(row.values()) + 1):
        stops = [stop for stop in row if row[stop] == number]
        above = {stop: [centres[upper][0] for upper, lower in pairs if lower == stop] for stop in stops}
        stops.sort(key=lambda stop: (sum(above[stop]) / max(1, len(above[stop])), " " in stop, stop))
        widths = [GAP if " " in stop else WIDTH for stop in stops]
        x = -(sum(widths) + GAP * (len(stops) - 1)) / 2
        for stop, width in zip(stops, widths, strict=True):
            centres[stop] = (x + width / 2, 16 + HEIGHT / 2 + number * STEP)
            x += width + GAP
    left = min(x for x, _ in centres.values()) - WIDTH / 2 - 16
    return {stop: (x - left, y) for stop, (x, y) in centres.items()}


def _imports_torch(package: str) -> bool:
    """Whether a module of the package imports torch at its top, and not only inside a function."""
    modules = [ast.parse(path.read_text(encoding="utf-8")) for path in (CODE / package).rglob("*.py")]
    nodes = [node for module in modules for node in module.body]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    return any(name.split(".")[0] == "torch" for name in names)


def sample_picture() -> str:
    """The picture of the steps from a file to a score, from top to bottom."""
    column, step = 220, HEIGHT + 46
    boxes = {}
    for name, (row, first, columns, _, _) in SAMPLE.items():
        boxes[name] = ((first + columns / 2) * column + 8, 16 + HEIGHT / 2 + row * step, columns * column - 16, columns)
    lines = []
    for upper, lower in SAMPLE_ARROWS:
        (x1, y1, _, columns1), (x2, y2, _, columns2) = boxes[upper], boxes[lower]
        x = x1 if columns1 < columns2 else x2  # the centre of the narrower box
        lines.append(f'<path id="{upper}-{lower}" d="M {x:g} {y1 + HEIGHT / 2:g} V {y2 - HEIGHT / 2 - 7:g}"/>')
    for name, (_, _, _, heading, text) in SAMPLE.items():
        x, y, width, _ = boxes[name]
        lines += _box(x, y, width, HEIGHT, heading, text)
    bottom = max(y for _, y, _, _ in boxes.values()) + HEIGHT / 2 + 16
    return _svg(COLUMNS * column + 16, bottom, "The steps from a file to a score", lines)


def _box(x: float, y: float, width: float, height: float, heading: str, text: str = "", kind: str = "") -> list[str]:
    corner = f'x="{x - width / 2:g}" y="{y - height / 2:g}"'
    lines = [f'<rect{kind} {corner} width="{width:g}" height="{height:g}" rx="6"/>']
    lines.append(f'<text x="{x:g}" y="{y - 5 if text else y + 5:g}">{escape(heading)}</text>')
    if text:
        lines.append(f'<text class="small" x="{x:g}" y="{y + 15:g}">{escape(text)}</text>')
    return lines


def _svg(width: float, height: float, title: str, lines: Iterable[str]) -> str:
    head = '<marker id="head" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            f'<defs>{head}<path d="M 0 0 L 8 4 L 0 8 z" style="fill: #7a8399; stroke: none; marker-end: none"/>',
            "</marker></defs>",
            '<rect width="100%" height="100%" style="fill: #ffffff; stroke: none"/>',
            *lines,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    (DOCS / "pictures" / "packages.svg").write_text(packages_picture(), encoding="utf-8")
    (DOCS / "pictures" / "sample.svg").write_text(sample_picture(), encoding="utf-8")
