"""A study's record from its run folders: results.csv, scores.npz, auroc.png, and the table of its README.

python experiments/study.py runs/mnist_loo experiments/mnist_loo
python experiments/study.py runs/mnist_loo/omasgan-1a2b3c4d experiments/ablation    # where there are runs of several
python experiments/study.py runs/mnist_loo experiments/mnist_loo --keep-baselines   # of runs without the slow ones
python experiments/study.py runs/mnist_loo experiments/mnist_loo --keep-seeds       # of one more seed

scores.npz holds, as `class|seed|term`, the rank of every test sample's score, and as `class|seed|label` which samples
are anomalies: an AUROC depends on nothing else, so anyone can compute each figure of results.csv anew.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from omasgan.evaluation.scores import ScoreTable
from omasgan.report import folders

TERMS = {
    "task1": "Task 1",
    "task3": "Task 3",
    "j": "J",
    "divergence": "distance",
    "auxiliary": "auxiliary",
    "full": "full",
    "nearest_embedding": "1-NN embeddings",
    "nearest_autoencoder": "1-NN autoencoder",
    "nearest_neighbour": "1-NN pixels",
    "pca": "PCA",
    "mahalanobis": "Mahalanobis",
    "isolation_forest": "isolation forest",
}
STORED = list(TERMS)[:9]
"""Whose ranks are stored: the method's terms, and the baselines that come near them."""

INDEPENDENT = ("nearest_autoencoder", "nearest_neighbour", "pca", "mahalanobis", "isolation_forest")
"""Baselines that depend on the split and the seed alone, whatever the method's settings are."""

COLUMNS = ["class", "seed", "term", "auroc", "auroc_low", "auroc_high", "auprc", "auprc_balanced", "fpr95"]

Results = dict[tuple[str, int, str], Mapping[str, float]]


def collect(study: Path) -> tuple[Results, dict[str, NDArray[np.generic]]]:
    """The metrics by class, seed and term, and the stored ranks; SystemExit where runs of two configurations lie."""
    results: Results = {}
    ranks: dict[str, NDArray[np.generic]] = {}
    identities = set()
    for path in sorted([*study.glob("omasgan-*/seed_*/*/metrics.json"), *study.glob("seed_*/*/metrics.json")]):
        folder = path.parent
        run, _ = folders.read(folder)
        identities.add(run.identity)
        cls, seed = run.cls, run.seed
        table = ScoreTable.load(folder / "scores.npz", only=STORED)
        ranks[f"{cls}|{seed}|label"] = np.packbits(table.label)
        for term, values in table.terms.items():
            ranks[f"{cls}|{seed}|{term}"] = np.unique(values, return_inverse=True)[1].astype(np.uint16)
        for term, metrics in run.metrics.items():
            results[cls, seed, term] = metrics
    if len(identities) != 1:
        sys.exit(
            f"{study} holds runs of {len(identities)} configurations, and a study is of one: {sorted(identities)}; "
            "name the folder of one"
        )
    return results, ranks


def keep(results: Results, ranks: dict[str, NDArray[np.generic]], target: Path, baselines: bool, seeds: bool) -> None:
    """Add what the runs lack from the record in `target`: baselines that depend on no setting, whole seeds."""
    made = {seed for _, seed, _ in results}
    labels = {name.split("|")[0]: value for name, value in ranks.items() if name.endswith("|label")}

    def wanted(seed: int, term: str) -> bool:
        return seeds if seed not in made else baselines and term in INDEPENDENT

    with (target / "results.csv").open() as file:
        for row in csv.DictReader(file):
            cls, seed, term = row["class"], int(row["seed"]), row["term"]
            if cls in labels and wanted(seed, term):
                results.setdefault((cls, seed, term), {name: float(row[name]) for name in COLUMNS[3:]})
    with np.load(target / "scores.npz") as record:
        for name in record.files:
            cls, seed, term = name.split("|")
            if cls in labels and wanted(int(seed), term):
                if not np.array_equal(record[f"{cls}|{seed}|label"], labels[cls]):
                    sys.exit(f"{target} has other test samples for class {cls}: it is of another split")
                ranks.setdefault(name, record[name])


def write_results(results: Results, path: Path) -> None:
    """A row a class, seed and term."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for (cls, seed, term), metrics in sorted(results.items()):
            writer.writerow([cls, seed, term, *(f"{metrics[name]:.6f}" for name in COLUMNS[3:])])


def markdown(results: Results) -> str:
    """A row a class and the mean: the mean over seeds, and where there are several their deviation.

    The deviation in the last row is the classes' mean of it.
    """
    classes, seeds = sorted({key[0] for key in results}), sorted({key[1] for key in results})
    terms = [term for term in TERMS if any(key[2] == term for key in results)]
    lines = [f"| class | {' | '.join(TERMS[term] for term in terms)} |", "|---" * (len(terms) + 1) + "|"]
    values = np.array(
        [[[results.get((c, s, t), {}).get("auroc", np.nan) for s in seeds] for t in terms] for c in classes]
    )
    means = np.nanmean(values, axis=2)
    deviations = np.nanstd(values, axis=2, ddof=1) if len(seeds) > 1 else np.full_like(means, np.nan)
    for name, row, spread in zip(
        [*classes, "mean"], [*means, means.mean(axis=0)], [*deviations, deviations.mean(axis=0)], strict=True
    ):
        cells = [f"{m:.3f}" + (f" ± {d:.3f}" if np.isfinite(d) else "") for m, d in zip(row, spread, strict=True)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(results: Results, path: Path) -> None:
    """The AUROC a class of the score, of its parts, and of the baselines; a dot is a seed."""
    classes = sorted({key[0] for key in results})
    figure, axes = plt.subplots(figsize=(9, 3.6), layout="constrained")
    shown = {
        "task1": ("tab:gray", "v"),
        "j": ("tab:orange", "s"),
        "auxiliary": ("tab:brown", "d"),
        "nearest_neighbour": ("tab:green", "x"),
        "nearest_autoencoder": ("tab:purple", "+"),
        "nearest_embedding": ("tab:red", "1"),
        "full": ("tab:blue", "o"),
    }
    shown = {term: style for term, style in shown.items() if any(t == term for _, _, t in results)}
    for offset, (term, (colour, marker)) in enumerate(shown.items()):
        points = [(classes.index(c), m["auroc"]) for (c, _, t), m in sorted(results.items()) if t == term]
        x, y = np.array(points).T
        x = x + 0.12 * (offset - (len(shown) - 1) / 2)
        axes.scatter(x, y, c=colour, marker=marker, s=30, label=TERMS[term])
    axes.axhline(0.5, color="0.8", linewidth=0.8, zorder=0)
    axes.set_xticks(range(len(classes)), classes, rotation=30 if max(map(len, classes)) > 3 else 0)
    axes.set(ylabel="AUROC", xlabel="class")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(study: Path, target: Path, keep_baselines: bool, keep_seeds: bool) -> None:
    """Write all of the module's docstring; the table is printed."""
    results, ranks = collect(study)
    if keep_baselines or keep_seeds:
        keep(results, ranks, target, keep_baselines, keep_seeds)
    write_results(results, target / "results.csv")
    np.savez_compressed(target / "scores.npz", **ranks)
    draw(results, target / "auroc.png")
    print(markdown(results))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--keep-baselines", action="store_true", help="keep those of the present record")
    parser.add_argument("--keep-seeds", action="store_true", help="keep those of the present record that the runs lack")
    arguments = parser.parse_args()
    main(arguments.study, arguments.target, arguments.keep_baselines, arguments.keep_seeds)
