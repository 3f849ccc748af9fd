"""Which settings would have been chosen without the reported class? A nested choice from the recorded trials.

    python experiments/nested_choice/nested.py

Settings were chosen by trials on pseudo-anomalies: each leaves two classes out of the training split, one as if it were
the anomaly, and the one half the list away. For a reported class, this script leaves out the trials in which it was one
of the two, and chooses again by the mean of the others. The trials are the tables in the READMEs of the studies.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

EXPERIMENTS = Path(__file__).parents[1]

CLASSES = 10

TABLES = {
    "MNIST, leave-one-out": ("mnist_loo/README.md", "| embedding | 2 | 7 | 1 | 9 | mean |"),
    "Fashion-MNIST, leave-one-out": (
        "fashion_mnist_loo/README.md",
        "| embedding | 7 | 9 | 2 | 6 | mean | mean at exponent .5 |",
    ),
}
"""The table of trials of each data set: its README, and its heading."""

NOT_OFFERED = ("(before", "the sum of the logarithms", "this at .7", "at the same weight")
"""Rows that are no choice: an earlier version, and what no setting gives (parts are weighted by their columns)."""


def trials(name: str) -> tuple[list[int], dict[str, list[float]], str]:
    """The pseudo-anomalies, their AUROCs by setting, and the setting that was chosen."""
    place, heading = TABLES[name]
    lines = (EXPERIMENTS / place).read_text().splitlines()
    start = lines.index(heading)
    classes = [int(cell) for cell in heading.split("|")[2:] if cell.strip().isdigit()]
    found, chosen = {}, ""
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not any(words in cells[0] for words in NOT_OFFERED):
            setting = cells[0].partition(" (chosen")[0]
            chosen = setting if setting != cells[0] else chosen
            found[setting] = [float(cell) for cell in cells[1 : 1 + len(classes)]]
    return classes, found, chosen


def nested(classes: list[int], found: dict[str, list[float]]) -> dict[int, tuple[str, list[int]]]:
    """For each reported class, the setting with the best mean without its trials, and the trials that are left."""
    choices = {}
    for reported in range(CLASSES):
        left = [i for i, pseudo in enumerate(classes) if reported not in (pseudo, (pseudo + CLASSES // 2) % CLASSES)]
        means = {setting: float(np.mean([values[i] for i in left])) for setting, values in found.items()}
        choices[reported] = (max(means, key=lambda setting: means[setting]), [classes[i] for i in left])
    return choices


def table(name: str) -> str:
    """The nested choice of each reported class in Markdown; the choice of all trials is shown as 'as chosen'."""
    classes, found, chosen = trials(name)
    lines = [f"| {name}: reported class | trials without it | choice |", "|---|---|---|"]
    for reported, (setting, left) in nested(classes, found).items():
        told = "as chosen" if setting == chosen else setting
        lines.append(f"| {reported} | {', '.join(map(str, left))} | {told} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print("\n\n".join(table(name) for name in TABLES))
