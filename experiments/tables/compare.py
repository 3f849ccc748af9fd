"""OMASGAN and detectors of PyOD on small tables: one class of a data set of scikit-learn is normal, the others are not.

    pip install pyod
    python experiments/tables/compare.py experiments/tables    # writes results.csv, and prints the README's table
    python experiments/tables/compare.py                       # prints the table from results.csv

Seven in ten normal rows are for training, the others and all anomalies for the test. Every detector gets the same rows,
standardised by the training rows, and has the defaults of its library.
"""

from __future__ import annotations

import csv
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn import datasets
from sklearn.metrics import roc_auc_score

SETS = ("breast_cancer", "wine", "iris", "digits")
SEEDS = (0, 1, 2)
DETECTORS = ("OMASGAN", "KNN", "ECOD", "IForest", "DeepSVDD", "LUNAR")
TERMS = ("OMASGAN: j", "OMASGAN: divergence")
"""J alone, and the distance to the memory bank alone."""

Rows = NDArray[np.float64]


def tables() -> Iterator[tuple[str, Rows, NDArray[np.bool_]]]:
    """The name of each table, its rows, and which are anomalies."""
    for name in SETS:
        bunch = getattr(datasets, f"load_{name}")()
        for normal, title in enumerate(bunch.target_names):
            yield f"{name} {title}", bunch.data.astype(np.float64), bunch.target != normal


def split(x: Rows, abnormal: NDArray[np.bool_], seed: int) -> tuple[Rows, Rows, NDArray[np.bool_]]:
    """Training rows, test rows, and which of these are anomalies; standardised by the training rows."""
    normal = np.random.default_rng(seed).permutation(np.flatnonzero(~abnormal))
    cut = round(0.7 * len(normal))
    test = np.concatenate([normal[cut:], np.flatnonzero(abnormal)])
    deviation = x[normal[:cut]].std(axis=0)
    scaled = (x - x[normal[:cut]].mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    return scaled[normal[:cut]], scaled[test], abnormal[test]


def scores(name: str, train: Rows, test: Rows, seed: int) -> dict[str, Any]:
    """The scores of the test rows, by the name of the detector or of its term."""
    if name == "OMASGAN":
        from omasgan import OMASGAN

        terms = OMASGAN(seed=seed, held_out=0).fit(train).terms(test)
        return {"OMASGAN": terms["full"], **{term: terms[term.rpartition(" ")[2]] for term in TERMS}}
    import torch
    from pyod.models import deep_svdd, ecod, iforest, knn, lunar

    torch.manual_seed(seed)
    make = {
        "KNN": knn.KNN,
        "ECOD": ecod.ECOD,
        "IForest": lambda: iforest.IForest(random_state=seed),
        "DeepSVDD": lambda: deep_svdd.DeepSVDD(n_features=train.shape[1], random_state=seed, verbose=0),
        "LUNAR": lunar.LUNAR,
    }
    model = make[name]().fit(train)
    if name == "ECOD":  # ranks the rows of a batch with one another, and most rows of the test are anomalies
        return {name: np.concatenate([model.decision_function(row[None]) for row in test])}
    return {name: model.decision_function(test)}


def run(path: Path) -> None:
    """Write a line for each table, seed and detector."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["table", "seed", "detector", "auroc", "seconds", "training_rows"])
        for title, x, abnormal in tables():
            for seed in SEEDS:
                train, test, label = split(x, abnormal, seed)
                for detector in DETECTORS:
                    began = time.monotonic()
                    for name, found in scores(detector, train, test, seed).items():
                        seconds = time.monotonic() - began
                        writer.writerow([title, seed, name, roc_auc_score(label, found), f"{seconds:.2f}", len(train)])
                file.flush()


def markdown(path: Path) -> str:
    """The README's table: means over the seeds by data set and over all tables, mean ranks, and seconds."""
    with path.open() as file:
        rows = list(csv.DictReader(file))
    titles, names = (list(dict.fromkeys(row[key] for row in rows)) for key in ("table", "detector"))
    values: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        values.setdefault((row["table"], row["detector"]), []).append(float(row["auroc"]))
    aurocs = np.array([[np.mean(values[title, name]) for name in names] for title in titles])
    whole = [place for place, name in enumerate(names) if name not in TERMS]
    ranks = dict(zip(whole, rankdata(-aurocs[:, whole], axis=1).mean(axis=0), strict=True))
    lines = [f"| | {' | '.join(SETS)} | all | mean rank | seconds |", f"|---|{'---|' * (len(SETS) + 3)}"]
    for place in sorted(range(len(names)), key=lambda place: -aurocs[:, place].mean()):
        of_sets = [aurocs[[title.startswith(name) for title in titles], place].mean() for name in SETS]
        seconds = np.median([float(row["seconds"]) for row in rows if row["detector"] == names[place]])
        rank = f"{ranks[place]:.2f}" if place in ranks else ""
        cells = [*(f"{value:.3f}" for value in (*of_sets, aurocs[:, place].mean())), rank, f"{seconds:.2f}"]
        lines.append(f"| {names[place]} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    record = Path(__file__).parent / "results.csv"
    if len(sys.argv) > 1:
        record = Path(sys.argv[1]) / "results.csv"
        run(record)
    print(markdown(record))
