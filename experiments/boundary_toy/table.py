"""Write this study's table from its run folders: where the samples of B, G and G' lie relative to the known support.

python experiments/boundary_toy/table.py runs experiments/boundary_toy/table.csv
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

from omasgan.runs import results

COLUMNS = ["data", "seed", "B outside", "B near", "B covers", "G outside", "G' outside", "G' : G"]
COLUMNS += ["Task 1", "J", "full", "1-NN"]
"""Shares of samples, the ratio of two of them, and AUROCs; README.md beside this file explains each."""


def row(path: Path) -> list[object]:
    """Return one row of the table, in the order of `COLUMNS`, from the metrics.json of a run."""
    found = json.loads(path.read_text())
    support, metrics = found["support"], results.figures(found)
    G, B, G_new = support["G"], support["B"], support["G'"]
    figures = [B["outside"], B["near"], B["coverage"], G["outside"], G_new["outside"], G_new["outside"] / G["outside"]]
    aurocs = [metrics[term]["auroc"] for term in ("task1", "j", "full", "nearest_neighbour")]
    data = path.parents[2].name.removeprefix("toy_").removesuffix("_novelty")
    return [data, path.parent.name.removeprefix("seed_"), *(f"{value:.4f}" for value in figures + aurocs)]


def main() -> None:
    """Write the table as CSV, and print it as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, help="the folder of the runs")
    parser.add_argument("table", type=Path, help="the CSV that is written")
    given = parser.parse_args()
    rows = [row(path) for path in sorted(given.runs.glob("toy_*_novelty/omasgan-*/seed_*/metrics.json"))]
    with given.table.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    for cells in (COLUMNS, ["---"] * len(COLUMNS), *rows):
        print(f"| {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    main()
