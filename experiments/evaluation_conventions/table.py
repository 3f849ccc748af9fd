"""Score the models of train.py under each convention of evaluation; write results.csv and ranks.npz, print the tables.

python experiments/evaluation_conventions/table.py --models runs/conventions    # makes the record
python experiments/evaluation_conventions/table.py                              # prints the tables of the record
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from omasgan.evaluation.metrics import auprc, auroc
from omasgan.method.score import TINY, total
from omasgan.method.settings import Inference

HERE = Path(__file__).parent

DATASETS = {"mnist": "MNIST", "cifar10": "CIFAR-10 (JPEG copy)"}

TERMS = {"task1": "Task 1", "task3": "Task 3", "j": "J", "full": "full"}

LAMBDAS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Weights of the divergence term that are tried where the test split chooses lambda."""

SEEDS = ("seed 0", "seed 1")

SETTINGS = ("seed 0", "higher learning rates")

NAMES = tuple(dict.fromkeys((*SEEDS, *SETTINGS)))
"""All models of a class."""

COLUMNS = ("dataset", "class", "convention", "term", "auroc", "auprc", "chosen")

Values = NDArray[np.float64]
Figure = tuple[float, float, str]
"""AUROC, average precision, and what the test split chose, if anything."""


class Model:
    """The scores of one model of one class.

    Parameters
    ----------
    path
        The file that train.py wrote.
    """

    def __init__(self, path: Path) -> None:
        with np.load(path) as file:
            arrays = {key: file[key] for key in file.files}
        self.abnormal = arrays.pop("label")
        self.scales = arrays.pop("scales")  # of J and of the divergence term: mean and deviation over training samples
        self.scores: dict[tuple[str, str, str], Values] = {}
        for key, values in arrays.items():
            term, statistics, step = key.split("|")
            self.scores[term, statistics, step] = values.astype(np.float64)

    def score(
        self, term: str, statistics: str = "sample", step: str = "last", weight: float = 1.0, units: str = "training"
    ) -> Values:
        """A score of every test sample; of `full` the sum J(x) + lambda f_D(G', delta_x).

        Parameters
        ----------
        term
            One of `TERMS`.
        statistics
            Which statistics batch norm used: `sample` those of training, `mixed` or `separate` those of a batch.
        step
            The step of the stage after which the network was taken; for `full`, of J's.
        weight
            lambda.
        units
            What makes the parts of `full` comparable before the sum: `training`, their mean and deviation over normal
            training samples, as in the product; `none`; or `test`, their range over the test split.
        """
        if term != "full":
            return self.scores[term, statistics, step]
        parts = [self.scores["j", statistics, step], self.scores["task3", statistics, "last"]]
        if units == "training":
            names = ("j", "divergence")
            named = dict(zip(names, map(torch.from_numpy, parts), strict=True))
            scales = dict(zip(names, self.scales.tolist(), strict=True))
            return total(named, scales, Inference(lambda_=weight)).numpy()
        if units == "test":
            parts = [(part - part.min()) / max(float(np.ptp(part)), TINY) for part in parts]
        return parts[0] + weight * parts[1]

    def steps(self, term: str) -> list[str]:
        """The steps after which the term was scored."""
        own = "j" if term == "full" else term
        return [step for name, statistics, step in self.scores if (name, statistics) == (own, "sample")]

    def figure(
        self,
        term: str,
        chosen: str = "",
        *,
        statistics: str = "sample",
        step: str = "last",
        weight: float = 1.0,
        units: str = "training",
        kept: NDArray[np.intp] | None = None,
    ) -> Figure:
        """The AUROC and average precision of `score`, over the test samples `kept` or all, and what was chosen."""
        values, abnormal = self.score(term, statistics, step, weight, units), self.abnormal
        if kept is not None:
            values, abnormal = values[kept], abnormal[kept]
        return auroc(abnormal, values), auprc(abnormal, values), chosen


Models = dict[str, Model]
"""The models of one class by name; where not all are trained, a convention that needs the others raises KeyError."""


def best(candidates: Iterable[Figure]) -> Figure:
    """The candidate with the highest AUROC."""
    return max(candidates, key=lambda figure: figure[0])


def plain(models: Models, term: str) -> Figure:
    """As the product does."""
    return models["seed 0"].figure(term)


def mixed_batches(models: Models, term: str) -> Figure:
    """Batch norm with the statistics of test batches that hold normal and abnormal samples."""
    return models["seed 0"].figure(term, statistics="mixed")


def separate_batches(models: Models, term: str) -> Figure:
    """Batch norm with the statistics of test batches that hold samples of one kind."""
    return models["seed 0"].figure(term, statistics="separate")


def raw_sum(models: Models, term: str) -> Figure:
    """The parts of the score added as they are."""
    return models["seed 0"].figure(term, units="none")


def min_max(models: Models, term: str) -> Figure:
    """Each part of the score scaled to 0..1 over the test split before the sum."""
    return models["seed 0"].figure(term, units="test")


def best_checkpoint(models: Models, term: str) -> Figure:
    """The step chosen on the test split."""
    model = models["seed 0"]
    return best(model.figure(term, f"step {step}", step=step) for step in model.steps(term))


def best_lambda(models: Models, term: str) -> Figure:
    """lambda chosen on the test split."""
    return best(models["seed 0"].figure(term, f"lambda {weight:g}", weight=weight) for weight in weights(term))


def weights(term: str) -> tuple[float, ...]:
    """The values of lambda that a term is tried with."""
    return LAMBDAS if term == "full" else (1.0,)


def best_settings(models: Models, term: str) -> Figure:
    """The settings of training chosen on the test split."""
    return best(models[name].figure(term, name) for name in SETTINGS)


def balanced(models: Models, term: str) -> Figure:
    """As many normal test samples, drawn at random, as there are anomalies."""
    model = models["seed 0"]
    anomalies, normal = np.flatnonzero(model.abnormal), np.flatnonzero(~model.abnormal)
    drawn = np.random.default_rng(0).choice(normal, min(len(anomalies), len(normal)), replace=False)
    return model.figure(term, kept=np.concatenate([anomalies, drawn]))


def worst_seed(models: Models, term: str) -> Figure:
    """The seed with the lowest AUROC."""
    return min((models[name].figure(term, name) for name in SEEDS), key=lambda figure: figure[0])


def best_seed(models: Models, term: str) -> Figure:
    """The seed with the highest AUROC."""
    return best(models[name].figure(term, name) for name in SEEDS)


def selected(models: Models, term: str) -> Figure:
    """All that the test split can choose with a sample at a time: step, lambda, settings and seed."""
    return best(
        models[name].figure(term, f"{name}, step {step}, lambda {weight:g}", step=step, weight=weight)
        for name in NAMES
        for step in models[name].steps(term)
        for weight in weights(term)
    )


def everything(models: Models, term: str) -> Figure:
    """Batches of one kind, min-max, and lambda, settings and seed chosen on the test split."""
    return best(
        models[name].figure(term, f"{name}, lambda {weight:g}", statistics="separate", weight=weight, units="test")
        for name in NAMES
        for weight in weights(term)
    )


CONVENTIONS: dict[str, Callable[[Models, str], Figure]] = {
    "one sample at a time, last step, seed 0, lambda 1": plain,
    "batch statistics, both kinds in a batch": mixed_batches,
    "batch statistics, one kind in a batch": separate_batches,
    "J and the divergence term added as they are": raw_sum,
    "min-max over the test split before the sum": min_max,
    "best step on the test split": best_checkpoint,
    "best lambda on the test split": best_lambda,
    "best of two settings on the test split": best_settings,
    "as many normal samples as anomalies": balanced,
    "worst of two seeds": worst_seed,
    "best of two seeds": best_seed,
    "best step, lambda, settings and seed on the test split": selected,
    "one kind in a batch, min-max, best lambda, settings and seed": everything,
}
"""The conventions by the first column of the table; the first one is the product's."""

Row = dict[str, str]


def evaluate(folder: Path) -> list[Row]:
    """A row of results.csv for each data set, class, convention and term; also writes ranks.npz."""
    rows: list[Row] = []
    kept: dict[str, NDArray[np.generic]] = {}
    for dataset in DATASETS:
        for cls in sorted({path.name.rpartition("-")[0] for path in (folder / dataset).glob("*.npz")}):
            paths = {name: folder / dataset / f"{cls}-{name}.npz" for name in NAMES}
            models = {name: Model(path) for name, path in paths.items() if path.exists()}
            kept |= record(f"{dataset}|{cls}", models["seed 0"])
            for (convention, function), term in product(CONVENTIONS.items(), TERMS):
                try:
                    area, precision, chosen = function(models, term)
                except KeyError:
                    continue
                values = (dataset, cls, convention, term, f"{area:.4f}", f"{precision:.4f}", chosen)
                rows.append(dict(zip(COLUMNS, values, strict=True)))
    np.savez_compressed(HERE / "ranks.npz", **kept)  # type: ignore[arg-type]
    with (HERE / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return rows


def record(name: str, model: Model) -> dict[str, NDArray[np.generic]]:
    """The arrays of ranks.npz for one class: labels, and the ranks of each term by the statistics of batch norm."""
    arrays: dict[str, NDArray[np.generic]] = {f"{name}|label": np.packbits(model.abnormal)}
    for term, statistics in product(TERMS, ("sample", "separate")):
        ranks = np.unique(model.score(term, statistics), return_inverse=True)[1]
        arrays[f"{name}|{term}|{statistics}"] = ranks.astype(np.uint16)
    return arrays


def table(rows: list[Row], dataset: str) -> str:
    """The mean over the classes by convention and term, in Markdown, with the difference to the first convention."""
    head = [f"| {DATASETS[dataset]} |", *(f" {title} |" for title in TERMS.values()), " AUPRC of full |"]
    lines = ["".join(head), "|---" * (len(TERMS) + 2) + "|"]
    for convention in CONVENTIONS:
        if not any((row["dataset"], row["convention"]) == (dataset, convention) for row in rows):
            continue
        cells = []
        for term, metric in [*((term, "auroc") for term in TERMS), ("full", "auprc")]:
            own, first = (mean(rows, dataset, name, term, metric) for name in (convention, next(iter(CONVENTIONS))))
            cells.append(f"{own:.3f}" if own == first else f"{own:.3f} ({own - first:+.3f})")
        lines.append(f"| {convention} | {' | '.join(cells)} |")
    return "\n".join(lines)


def mean(rows: list[Row], dataset: str, convention: str, term: str, metric: str) -> float:
    """The mean of a metric over the classes."""
    place = (dataset, convention, term)
    found = [float(row[metric]) for row in rows if (row["dataset"], row["convention"], row["term"]) == place]
    if not found:
        raise ValueError(f"no row has {place}: train the models of this data set, and make the record again")
    return float(np.mean(found))


def read() -> list[Row]:
    """The rows of results.csv."""
    with (HERE / "results.csv").open() as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, help="the folder that train.py wrote to")
    given = parser.parse_args().models
    made = evaluate(given) if given else read()
    print("\n\n".join(table(made, dataset) for dataset in DATASETS))
