"""Write the tables and the figure of the study: does each part of the score earn its place?

    python experiments/parts/parts.py    # prints the tables of the README, and draws parts.png

Nothing is trained. All figures come from the records of the other studies, which hold the rank of every test sample's
score: the difference between a part and the whole score is tested on the same test samples (DeLong), corrected for the
number of classes (Holm).
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

EXPERIMENTS = Path(__file__).parents[1]
sys.path.insert(0, str(EXPERIMENTS))

from rivals import Ranks, contributions, means, significance  # noqa: E402
from study import TERMS, Results, read_results  # noqa: E402

RECORDS = {
    "mnist_loo": "MNIST, leave-one-out",
    "mnist_occ": "MNIST, one class normal",
    "fashion_mnist_loo": "Fashion-MNIST, leave-one-out",
    "fashion_mnist_occ": "Fashion-MNIST, one class normal",
    "cifar10_loo": "CIFAR-10, leave-one-out",
    "cifar10_occ": "CIFAR-10, one class normal",
    "ablation": "MNIST, leave-one-out, on pixels",
}
"""The records by folder, with their names in tables."""

PARTS = ("task1", "task3", "j", "divergence", "auxiliary", "nearest_embedding")
"""What the whole score is compared with: its parts, and a nearest neighbour in the same embeddings."""

MARKERS = {
    "task1": ("tab:gray", "v"),
    "task3": ("0.3", "^"),
    "j": ("tab:orange", "s"),
    "divergence": ("tab:green", "x"),
    "auxiliary": ("tab:brown", "d"),
    "nearest_embedding": ("tab:red", "1"),
    "full": ("tab:blue", "o"),
}


class Record:
    """The AUROCs of a record's terms, and how each differs from the whole score.

    Parameters
    ----------
    folder
        The folder of the record.

    Attributes
    ----------
    classes, seeds
        Those of the record.
    values
        By term, the AUROC of each class (C,), the mean over seeds.
    """

    def __init__(self, folder: Path) -> None:
        results: Results = read_results(folder / "results.csv")
        self.classes = sorted({cls for cls, _, _ in results})
        self.seeds = sorted({seed for _, seed, _ in results})
        self.values = means(results, self.classes)
        self._ranks: Ranks = {}
        with np.load(folder / "scores.npz") as file:
            for key in file.files:
                cls, seed, term = key.split("|")
                if term in (*PARTS, "full"):
                    self._ranks[key], self._ranks[f"{key}|label"] = file[key], file[f"{cls}|{seed}|label"]

    def gains(self, term: str) -> tuple[NDArray[np.float64], NDArray[np.bool_], float]:
        """The AUROC of the whole score minus that of a term.

        Returns
        -------
        tuple
            The difference in each class (C,), in which classes it is clear (DeLong's test, Holm's correction), and half
            the 95 % interval of the mean over the classes.
        """
        differences = self.values["full"] - self.values[term]
        deviations = []
        for cls in self.classes:
            whole, part = contributions(self._ranks, cls, "full"), contributions(self._ranks, cls, term)
            assert whole is not None
            assert part is not None
            deviations.append(whole - part)
        return differences, *significance(differences, deviations)


def read() -> dict[str, Record]:
    """The records by the names in tables."""
    return {name: Record(EXPERIMENTS / folder) for folder, name in RECORDS.items()}


def by_part(records: dict[str, Record]) -> str:
    """A row for each record: the whole score, and what it has more than each part."""
    lines = [f"| | full | {' | '.join(TERMS[term] for term in PARTS)} |", "|---" * (len(PARTS) + 2) + "|"]
    for name, record in records.items():
        cells = []
        for term in PARTS:
            if term not in record.values:
                cells.append("")
                continue
            differences, clear, half = record.gains(term)
            counts = f"{(clear & (differences > 0)).sum()}, {(clear & (differences < 0)).sum()}"
            cells.append(f"{record.values[term].mean():.3f}: {differences.mean():+.3f} ± {half:.3f} ({counts})")
        title = f"{name} (n = {len(record.seeds)})"
        lines.append(f"| {title} | {record.values['full'].mean():.3f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def by_class(records: dict[str, Record], term: str) -> str:
    """A row for each record: what the whole score has more than a term in each class, in bold where it is clear."""
    lines = [f"| full minus {TERMS[term]} | {' | '.join(map(str, range(10)))} |", "|---" * 11 + "|"]
    for name, record in records.items():
        if term in record.values:
            differences, clear, _ = record.gains(term)
            cells = [f"**{d:+.3f}**" if c else f"{d:+.3f}" for d, c in zip(differences, clear, strict=True)]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(records: dict[str, Record], path: Path) -> None:
    """Draw the mean AUROC of every part, of the whole score and of the nearest neighbour, a row for each record."""
    figure, axes = plt.subplots(figsize=(8.5, 3.6), layout="constrained")
    for term, (colour, marker) in MARKERS.items():
        points = [
            (record.values[term].mean(), -row) for row, record in enumerate(records.values()) if term in record.values
        ]
        x, y = np.array(points).T
        if term == "full":  # a ring, so that a part with the same figure is seen inside it
            axes.scatter(x, y, facecolors="none", edgecolors=colour, linewidths=1.6, s=150, label=TERMS[term], zorder=4)
        else:
            axes.scatter(x, y, c=colour, marker=marker, s=40, label=TERMS[term], zorder=3)
    axes.axvline(0.5, color="0.8", linewidth=0.8)
    axes.set_yticks([-row for row in range(len(records))], list(records))
    axes.grid(axis="y", color="0.92")
    axes.set_xlabel("AUROC, mean over the ten classes")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Print the tables and draw the figure."""
    records = read()
    draw(records, Path(__file__).with_name("parts.png"))
    print(by_part(records), by_class(records, "divergence"), by_class(records, "nearest_embedding"), sep="\n\n")


if __name__ == "__main__":
    main()
