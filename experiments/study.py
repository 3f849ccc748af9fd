"""Write a study's record from its run folders: results.csv, scores.npz, auroc.png and the table of its README.

    # a study whose run folders all have the same configuration
    python experiments/study.py runs/mnist_loo experiments/mnist_loo
    # several configurations lie in runs/mnist_loo: name the folder of one of them
    python experiments/study.py runs/mnist_loo/omasgan-1a2b3c4d experiments/ablation
    # the runs left out the slow baselines: keep those of the existing record
    python experiments/study.py runs/mnist_loo experiments/mnist_loo --keep-baselines
    # the runs are of one more seed: keep the other seeds of the existing record
    python experiments/study.py runs/mnist_loo experiments/mnist_loo --keep-seeds

scores.npz holds the rank of every test sample's score under the key `class|seed|term`, and which test samples are
anomalies under `class|seed|label`. An AUROC depends on nothing else, so every figure of results.csv can be computed
from scores.npz again.
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

from omasgan.configuration import old_names
from omasgan.evaluation.scores import ScoreTable
from omasgan.report import folders

TERMS = {
    "task1": "Task 1",
    "task3": "Task 3",
    "j": "J",
    "divergence": "distance",
    "auxiliary": "auxiliary",
    "full": "full",
    "nearest_embedding": "1-NN embedding",
    "nearest_autoencoder": "1-NN autoencoder",
    "nearest_neighbour": "1-NN pixels",
    "pca": "PCA",
    "mahalanobis": "Mahalanobis",
    "isolation_forest": "isolation forest",
}
"""The terms of a score by the heading of their column, in the order of the columns."""

STORED = list(TERMS)[:9]
"""Terms whose ranks are stored: those of the method, and the baselines that come near them."""

INDEPENDENT = ("nearest_autoencoder", "nearest_neighbour", "pca", "mahalanobis", "isolation_forest")
"""Baselines that depend only on the split and the seed, not on the settings of the method."""

COLUMNS = ["class", "seed", "term", "auroc", "auroc_low", "auroc_high", "auprc", "auprc_balanced", "fpr95"]
"""Columns of results.csv; auroc_low and auroc_high are the ends of the bootstrap interval."""

Results = dict[tuple[str, int, str], Mapping[str, float]]
"""The metrics by class, seed and term."""


def collect(study: Path) -> tuple[Results, dict[str, NDArray[np.generic]]]:
    """Read the metrics and the ranks of all finished runs of a study.

    Parameters
    ----------
    study
        The folder of the protocol, such as runs/mnist_loo, or of one configuration in it.

    Returns
    -------
    tuple
        The metrics by class, seed and term, and the arrays of scores.npz by key.

    Raises
    ------
    SystemExit
        Where the folder holds runs of several configurations, or none.
    """
    results: Results = {}
    ranks: dict[str, NDArray[np.generic]] = {}
    identities = set()
    for path in sorted([*study.glob("omasgan-*/seed_*/*/metrics.json"), *study.glob("seed_*/*/metrics.json")]):
        folder = path.parent
        run, _ = folders.read(folder)
        identities.add(run.identity)
        cls, seed = run.cls, run.seed
        table = ScoreTable.load(folder / "scores.npz", only=STORED, renamed=old_names.TERMS)
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
    """Add results from the existing record that the runs do not have.

    Parameters
    ----------
    results, ranks
        What `collect` returned; changed in place.
    target
        The folder of the existing record.
    baselines
        Add the baselines that do not depend on the method's settings, for the seeds of the runs.
    seeds
        Add every term of the seeds that the runs do not have.

    Raises
    ------
    SystemExit
        Where the existing record has other test samples, so that it is of another split.
    """
    made = {seed for _, seed, _ in results}
    labels = {name.split("|")[0]: value for name, value in ranks.items() if name.endswith("|label")}

    def wanted(seed: int, term: str) -> bool:
        return seeds if seed not in made else baselines and term in INDEPENDENT

    for (cls, seed, term), metrics in read_results(target / "results.csv").items():
        if cls in labels and wanted(seed, term):
            results.setdefault((cls, seed, term), metrics)
    with np.load(target / "scores.npz") as record:
        for name in record.files:
            cls, seed, term = name.split("|")
            if cls in labels and wanted(int(seed), term):
                if not np.array_equal(record[f"{cls}|{seed}|label"], labels[cls]):
                    sys.exit(f"{target} has other test samples for class {cls}: it is of another split")
                ranks.setdefault(name, record[name])


def read_results(path: Path) -> Results:
    """Read a results.csv."""
    with path.open() as file:
        return {
            (row["class"], int(row["seed"]), row["term"]): {name: float(row[name]) for name in COLUMNS[3:]}
            for row in csv.DictReader(file)
        }


def write_results(results: Results, path: Path) -> None:
    """Write results.csv, with one row for each class, seed and term."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for (cls, seed, term), metrics in sorted(results.items()):
            writer.writerow([cls, seed, term, *(f"{metrics[name]:.6f}" for name in COLUMNS[3:])])


def markdown(results: Results) -> str:
    """Return the table of AUROCs in Markdown: one row for each class, and a last row for the mean over the classes.

    A cell is the mean over the seeds; where there are several, it also has their standard deviation. The deviation in
    the last row is the mean of the deviations of the classes.
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
    """Draw the AUROC by class of the score, its parts and the baselines, with one marker for each seed."""
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
    """Write the files that the module's docstring names, and print the table."""
    results, ranks = collect(study)
    if keep_baselines or keep_seeds:
        keep(results, ranks, target, keep_baselines, keep_seeds)
    target.mkdir(parents=True, exist_ok=True)
    write_results(results, target / "results.csv")
    np.savez_compressed(target / "scores.npz", **ranks)
    draw(results, target / "auroc.png")
    print(markdown(results))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("study", type=Path, help="the folder of the runs")
    parser.add_argument("target", type=Path, help="the folder of the study's record")
    parser.add_argument("--keep-baselines", action="store_true", help="keep the baselines of the existing record")
    parser.add_argument("--keep-seeds", action="store_true", help="keep the existing record's other seeds")
    arguments = parser.parse_args()
    main(arguments.study, arguments.target, arguments.keep_baselines, arguments.keep_seeds)
