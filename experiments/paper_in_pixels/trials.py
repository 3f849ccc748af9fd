"""Try the hypotheses of this study on pseudo-anomalies, and write trials.csv, b.png and the table of the README.

python experiments/paper_in_pixels/trials.py runs --train data=~/.cache/omasgan    # trains what is missing
python experiments/paper_in_pixels/trials.py runs                                  # makes the record from the runs
python experiments/paper_in_pixels/trials.py                                       # prints the table of the record
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import yaml

from omasgan.pipeline.fit import load_run
from omasgan.report.folders import read

HERE = Path(__file__).parent

BASE = (
    *("experiment=mnist_loo_pixels", "protocol=pseudo_loo", "protocol.abnormal_class=7,2,6,4", "baselines=none"),
    *("inference.divergence_term=variational", "inference.lambda_=1", "inference.j_scale=probability"),
    *("architecture.width=16", "budget.task1=1000", "budget.critic=150", "budget.task2=150", "budget.task3=300"),
    *("budget.j=200", "budget.batch=64", "boundary.N=128", "boundary.Q=512"),
)
"""The paper's score in pixels, with networks and schedules of about a minute."""

DEFAULTS: Mapping[str, Any] = {
    "boundary.generator": "weights",
    "boundary.blur": 0.0,
    "boundary.space": "samples",
    "boundary.trained": True,
    "inference.blur": 0.0,
    "inference.negatives": "boundary",
    "inference.mixing_min": 1.0,
    "inference.mixing_max": 1.0,
    "inference.divergence_term": "variational",
}

LATENT_MAP = {"boundary.generator": "latent_map"}
MIXED = {"inference.mixing_min": 0.3, "inference.mixing_max": 0.7}


def blur(deviation: float) -> dict[str, Any]:
    """A blur before the critic and J."""
    return {"boundary.blur": deviation, "inference.blur": deviation}


TRIALS: Mapping[str, Mapping[str, Any]] = {
    "all weights of B are trained, no blur": {},
    "B = G, no Task 2": {"boundary.trained": False},
    "H1: B on the images of G": LATENT_MAP,
    "H1, H2: B on the images of G, blur 1.5": LATENT_MAP | blur(1.5),
    "H2: blur 1.5 before J alone": {"inference.blur": 1.5},
    "H2: blur 1.5 before the critic alone": {"boundary.blur": 1.5},
    "H2: blur 1.5 before both": blur(1.5),
    "H2: blur 2.5 before both": blur(2.5),
    "H3: d and s in features of D": {"boundary.space": "features"},
    "H5: f_D as a likelihood under G'": {"inference.divergence_term": "likelihood"},
    "blur 1.5 before both, J learns mixup": blur(1.5) | MIXED | {"inference.negatives": "mixup"},
    "blur 1.5 before both, J learns pasted rectangles": blur(1.5) | {"inference.negatives": "cut_paste"},
}
"""What each trial changes; the numbers are those of the hypotheses in the README."""

CLASSES = {7: 2, 2: 7, 6: 1, 4: 9}
"""The class that is left out of everything, and the class that is used as the anomaly in its place."""

TERMS = {"task1": "Task 1", "task3": "Task 3", "j": "J", "divergence": "f_D", "full": "full"}

COLUMNS = ("trial", "pseudo_class", "term", "auroc")

Row = dict[str, str]


def train(runs: Path, words: Sequence[str]) -> None:
    """Train and score each trial; what is finished is not made again."""
    for changed in TRIALS.values():
        settings = [f"{key}={str(value).lower()}" for key, value in changed.items()]
        command = [sys.executable, "-m", "omasgan", "-m", *BASE, *settings, f"runs={runs}", "threads=1", *words]
        subprocess.run(command, check=True)


def finished(runs: Path) -> dict[tuple[str, int], Path]:
    """The folders of the finished runs by trial and pseudo-anomaly; raises ValueError where one is missing."""
    found = {}
    for path in sorted(runs.rglob("metrics.json")):
        config = yaml.safe_load((path.parent / "config.yaml").read_text())
        if "pseudo" not in path.parts[-5] or (config["seed"], config["budget"]["task1"]) != (0, 1000):
            continue  # another run in the same folder
        detector = config["detector"]["detector"]
        settings = {}
        for key, value in DEFAULTS.items():
            group, _, name = key.partition(".")
            settings[key] = detector[group].get(name, value)
        for trial, changed in TRIALS.items():
            if settings == DEFAULTS | dict(changed):
                found[trial, CLASSES[int(config["protocol"]["abnormal_class"])]] = path.parent
    if missing := [f"{trial}, {cls}" for trial in TRIALS for cls in CLASSES.values() if (trial, cls) not in found]:
        raise ValueError(f"{runs} has no finished run of {'; '.join(missing)}: train them with --train")
    return found


def collect(folders: Mapping[tuple[str, int], Path]) -> list[Row]:
    """A row of trials.csv for each trial, pseudo-anomaly and term."""
    rows = []
    for (name, cls), folder in folders.items():
        metrics = read(folder)[0].metrics
        for term in TERMS:
            values = (name, str(cls), term, f"{metrics[term]['auroc']:.4f}")
            rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def table(rows: list[Row]) -> str:
    """A row for each trial: J for each pseudo-anomaly, and the mean of each term, in Markdown."""
    classes = list(CLASSES.values())
    heads = [*(f"J, {cls}" for cls in classes), *(f"{title}, mean" for title in TERMS.values())]
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    values = {(row["trial"], int(row["pseudo_class"]), row["term"]): float(row["auroc"]) for row in rows}
    for name in TRIALS:
        cells = [values[name, cls, "j"] for cls in classes]
        cells += [float(np.mean([values[name, cls, term] for cls in classes])) for term in TERMS]
        lines.append(f"| {name} | {' | '.join(f'{cell:.3f}' for cell in cells)} |")
    return "\n".join(lines)


def draw(folders: Mapping[tuple[str, int], Path], cls: int = 2, shown: int = 16) -> None:
    """Write b.png: samples of B of each trial with this pseudo-anomaly."""
    figure, axes = plt.subplots(len(TRIALS), 1, figsize=(9, 0.85 * len(TRIALS)), layout="constrained")
    for axis, name in zip(axes, TRIALS, strict=True):
        detector = load_run(folders[name, cls], {"device": "cpu", "threads": 1})[0]
        images = detector.samples(shown)["B"][:, 0].numpy()
        axis.imshow(np.concatenate(list(images), axis=1), cmap="gray")
        axis.set_title(name, fontsize=8, loc="left")
        axis.axis("off")
    figure.savefig(HERE / "b.png", dpi=100)
    plt.close(figure)


def recorded() -> list[Row]:
    """The rows of trials.csv."""
    with (HERE / "trials.csv").open() as file:
        return list(csv.DictReader(file))


def record(runs: Path) -> None:
    """Write trials.csv and b.png."""
    folders = finished(runs)
    with (HERE / "trials.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(collect(folders))
    draw(folders)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="?", help="the folder of the runs")
    parser.add_argument("--train", nargs="*", help="first train what is missing, with these settings")
    given = parser.parse_args()
    if given.train is not None and given.runs is None:
        parser.error("--train needs the folder of the runs")
    if given.train is not None:
        train(given.runs, given.train)
    if given.runs is not None:
        record(given.runs)
    print(table(recorded()))
