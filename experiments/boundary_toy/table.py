"""The table of this study from its run folders: where B's, G's and G''s samples lie round a support known exactly.

python experiments/boundary_toy/table.py runs experiments/boundary_toy/table.csv
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

COLUMNS = ["data", "seed", "B outside", "B near", "B covers", "G outside", "G' outside", "G' : G"]
COLUMNS += ["Task 1", "J", "full", "1-NN"]


def row(path: Path) -> list[object]:
    """One run's figures, from its metrics.json."""
    found = json.loads(path.read_text())
    support, metrics = found["support"], found["metrics"]
    G, B, G_new = support["G"], support["B"], support["G'"]
    figures = [B["outside"], B["near"], B["coverage"], G["outside"], G_new["outside"], G_new["outside"] / G["outside"]]
    aurocs = [metrics[term]["auroc"] for term in ("task1", "j", "full", "nearest_neighbour")]
    data = path.parents[2].name.removeprefix("toy_").removesuffix("_novelty")
    return [data, path.parent.name.removeprefix("seed_"), *(f"{value:.4f}" for value in figures + aurocs)]


def main(runs: Path, target: Path) -> None:
    """Write the CSV and print it as a Markdown table."""
    rows = [row(path) for path in sorted(runs.glob("toy_*_novelty/omasgan-*/seed_*/metrics.json"))]
    with target.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    for cells in (COLUMNS, ["---"] * len(COLUMNS), *rows):
        print(f"| {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
