"""Write the record of a study of many detectors: results.csv, costs.csv, scores.npz, auroc.png and the README's table.

    # detectors that are already in the record stay, so that detectors can be added one by one
    python experiments/rivals.py runs/mnist_loo experiments/rivals_mnist_loo --omasgan experiments/mnist_loo

Each detector has one configuration. Its terms are written as detector.term: its own score, and the hidden-layer scores
of RaPP. OMASGAN and the baselines are not trained again: their figures are those of the record named by --omasgan, for
the classes and seeds of the study. As in the other studies, scores.npz holds the rank of every test sample's score,
under the key class|seed|term; which samples are anomalies is under class|seed|term|label.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from study import TERMS, Results, read_results, write_results

from omasgan.evaluation.scores import ScoreTable
from omasgan.report import folders
from omasgan.report.significance import LEVEL, holm
from omasgan.report.statistics import Z95, Ranked, two_sided

RAPP = ("sap", "nap")
"""Terms that are stored beside a detector's own score."""

FROM_OMASGAN = ("full", "nearest_embedding", "nearest_autoencoder", "nearest_neighbour", "pca")
"""Terms that are taken from the record of OMASGAN; the whole score is the reference of all comparisons."""

COSTS = ("training_seconds", "scoring_seconds", "parameters")

Ranks = dict[str, NDArray[np.generic]]
Costs = dict[tuple[str, str, int], list[float]]
"""The costs by detector, class and seed."""


def collect(runs: Path) -> tuple[Results, Ranks, Costs]:
    """Read the finished runs below a folder; SystemExit where there is none, or a detector has two configurations."""
    results: Results = {}
    ranks: Ranks = {}
    costs: Costs = {}
    identities: dict[str, str] = {}
    for path in sorted(runs.glob("*/seed_*/*/metrics.json")):
        run, _ = folders.read(path.parent)
        name, cls, seed = run.choices["detector"], run.cls, run.seed
        if identities.setdefault(name, run.identity) != run.identity:
            sys.exit(f"{runs} holds several configurations of {name}: {identities[name]} and {run.identity}; keep one")
        wanted = [next(iter(run.metrics)), *(term for term in RAPP if term in run.metrics)]
        table = ScoreTable.load(path.parent / "scores.npz", only=wanted)
        if run.is_partial:
            name = f"{name} on {len(table):,}"
        for term in wanted:
            own = f"{name}.{term}"
            results[cls, seed, own] = run.metrics[term]
            ranks[f"{cls}|{seed}|{own}"] = np.unique(table.terms[term], return_inverse=True)[1].astype(np.uint16)
            ranks[f"{cls}|{seed}|{own}|label"] = np.packbits(table.label)
        costs[name, cls, seed] = [math.nan if (v := getattr(run.cost, key)) is None else v for key in COSTS]
    if not results:
        sys.exit(f"{runs} holds no finished run")
    return results, ranks, costs


def kept(target: Path) -> tuple[Results, Ranks, Costs]:
    """Read a record; all three are empty where there is none yet."""
    if not (target / "results.csv").exists():
        return {}, {}, {}
    results = read_results(target / "results.csv")
    with np.load(target / "scores.npz") as record:
        ranks = dict(record)
    with (target / "costs.csv").open() as file:
        costs = {
            (row["detector"], row["class"], int(row["seed"])): [float(row[key]) for key in COSTS]
            for row in csv.DictReader(file)
        }
    return results, ranks, costs


def joined(old: tuple[Results, Ranks, Costs], new: tuple[Results, Ranks, Costs]) -> tuple[Results, Ranks, Costs]:
    """The new detectors, and those of the old record that are not among them."""
    made = {name for name, _, _ in new[2]}
    results = {key: value for key, value in old[0].items() if key[2].rpartition(".")[0] not in made}
    ranks = {key: value for key, value in old[1].items() if key.split("|")[2].rpartition(".")[0] not in made}
    costs = {key: value for key, value in old[2].items() if key[0] not in made}
    return {**results, **new[0]}, {**ranks, **new[1]}, {**costs, **new[2]}


def with_omasgan(results: Results, ranks: Ranks, record: Path) -> tuple[Results, Ranks]:
    """The results and ranks with those of OMASGAN and the baselines, for the classes and seeds of the study."""
    results, ranks = dict(results), dict(ranks)
    places = {(cls, seed) for cls, seed, _ in results}
    for (cls, seed, term), metrics in read_results(record / "results.csv").items():
        if (cls, seed) in places and term in FROM_OMASGAN:
            results[cls, seed, term] = metrics
    with np.load(record / "scores.npz") as file:
        for cls, seed in places:
            for term in FROM_OMASGAN:
                if (name := f"{cls}|{seed}|{term}") in file.files:
                    ranks[name], ranks[f"{name}|label"] = file[name], file[f"{cls}|{seed}|label"]
    return results, ranks


def write_costs(costs: Costs, path: Path) -> None:
    """Write costs.csv, with one row for each detector, class and seed."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["detector", "class", "seed", *COSTS])
        writer.writerows([*key, *(f"{value:.6g}" for value in values)] for key, values in sorted(costs.items()))


def means(results: Results, classes: list[str]) -> dict[str, NDArray[np.float64]]:
    """By term, the AUROCs of the classes (C,), each the mean over seeds; terms that lack a class are left out."""
    found: dict[str, dict[str, list[float]]] = {}
    for (cls, _, term), metrics in sorted(results.items()):
        found.setdefault(term, {}).setdefault(cls, []).append(metrics["auroc"])
    return {
        term: np.array([np.mean(of[cls]) for cls in classes]) for term, of in found.items() if set(of) >= set(classes)
    }


def contributions(ranks: Ranks, cls: str, term: str) -> NDArray[np.float64] | None:
    """What each test sample contributes to the AUROC's deviation, in the mean over seeds (n,); None without ranks."""
    keys = [key for key in ranks if key.startswith(f"{cls}|") and key.endswith(f"|{term}")]
    made = []
    for key in keys:
        label = np.unpackbits(ranks[f"{key}|label"].astype(np.uint8))[: len(ranks[key])].astype(bool)
        made.append(Ranked.of(label, ranks[key].astype(np.float64)).contributions()[1])
    return np.mean(made, axis=0) if made else None


def significance(
    differences: NDArray[np.float64], deviations: list[NDArray[np.float64]]
) -> tuple[NDArray[np.bool_], float]:
    """In which classes two AUROCs differ clearly, and half the 95 % interval of the mean difference (DeLong, Holm).

    Parameters
    ----------
    differences
        The difference in each class (C,).
    deviations
        For each class, the difference of the `contributions` of the test samples (n,).
    """
    p = [two_sided(float(d), float(np.linalg.norm(each))) for d, each in zip(differences, deviations, strict=True)]
    half = Z95 * float(np.linalg.norm(np.sum(deviations, axis=0))) / len(differences)
    return np.array(holm(p)) < LEVEL, half


def compare(ranks: Ranks, values: Mapping[str, NDArray[np.float64]], classes: list[str], term: str) -> list[str]:
    """The difference to OMASGAN with its 95 % interval, and the numbers of classes better and worse (DeLong, Holm)."""
    if term == "full" or "full" not in values:
        return ["–", "–"]
    differences, deviations = values[term] - values["full"], []
    for cls in classes:
        own, other = contributions(ranks, cls, term), contributions(ranks, cls, "full")
        if own is None:  # a baseline whose ranks are not stored
            return ["–", "–"]
        if other is None or own.shape != other.shape:  # on a part of the test samples
            return [f"{differences.mean():+.3f}", "other samples"]
        deviations.append(own - other)
    clear, half = significance(differences, deviations)
    counts = f"{(clear & (differences > 0)).sum()}, {(clear & (differences < 0)).sum()}"
    return [f"{differences.mean():+.3f} ± {half:.3f}", counts]


def heading(term: str) -> str:
    """How the table calls a term: the detector, with the term where it is not the detector's own score."""
    if term in TERMS:
        return "**omasgan**" if term == "full" else TERMS[term]
    detector, _, own = term.rpartition(".")
    return f"{detector}, {own}" if own in RAPP else detector


def markdown(results: Results, ranks: Ranks, costs: Costs) -> str:
    """The README's table, the best mean rank first; then the detectors that lack classes."""
    classes = sorted({cls for cls, _, _ in results})
    values = means(results, classes)
    order = rankdata(-np.array(list(values.values())).round(6), axis=0)
    mean_rank = dict(zip(values, order.mean(axis=1), strict=True))
    head = ["detector", "mean rank", "mean AUROC", "deviation over classes", "difference to omasgan"]
    lines = [
        "| " + " | ".join([*head, "classes better, worse", "training, s", "1,000 samples, s", "parameters"]) + " |",
        "|---" * 9 + "|",
    ]
    for term in sorted(values, key=lambda term: mean_rank[term]):
        cost = [_number(value) for value in mean_cost(costs, term)]
        numbers = [f"{mean_rank[term]:.1f}", f"{values[term].mean():.3f}", f"{values[term].std(ddof=1):.3f}"]
        lines.append("| " + " | ".join([heading(term), *numbers, *compare(ranks, values, classes, term), *cost]) + " |")
    short = sorted({term for _, _, term in results} - set(values))
    return "\n".join([*lines, *(f"\nNot every class: {', '.join(map(heading, short))}." for _ in short[:1])])


def mean_cost(costs: Costs, term: str) -> list[float]:
    """The means over the runs of a term's detector; NaN where none has recorded them."""
    own = [cost for (name, _, _), cost in costs.items() if name == term.rpartition(".")[0]]
    return np.mean(own, axis=0).tolist() if own else [math.nan] * len(COSTS)


def _number(value: float) -> str:
    if math.isnan(value):
        return "–"
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def by_class(results: Results) -> str:
    """A table of the AUROC of every detector on every class, the best mean first."""
    classes = sorted({cls for cls, _, _ in results})
    lines = [f"| detector | {' | '.join(classes)} | mean |", "|---" * (len(classes) + 2) + "|"]
    for term, row in sorted(means(results, classes).items(), key=lambda item: -item[1].mean()):
        lines.append(f"| {heading(term)} | {' | '.join(f'{value:.3f}' for value in row)} | {row.mean():.3f} |")
    return "\n".join(lines)


def draw(results: Results, costs: Costs, path: Path) -> None:
    """Draw the mean AUROC over the seconds of training of one class, a point for each detector's own score."""
    classes = sorted({cls for cls, _, _ in results})
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for term, row in means(results, classes).items():
        seconds = mean_cost(costs, term)[0]
        if seconds > 0 and not term.endswith(RAPP):
            axes.semilogx(seconds, row.mean(), "o", color="tab:blue")
            axes.annotate(heading(term), (seconds, row.mean()), (4, 4), textcoords="offset points", fontsize=8)
    for term, colour in (("full", "tab:red"), ("nearest_neighbour", "tab:green")):
        if (row := means(results, classes).get(term)) is not None:
            axes.axhline(row.mean(), color=colour, linewidth=0.9, label="omasgan" if term == "full" else TERMS[term])
    axes.axhline(0.5, color="0.8", linewidth=0.8, zorder=0)
    axes.set(xlabel="seconds of training, one class", ylabel="mean AUROC")
    for which in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        which("{x:g}")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def read(target: Path, omasgan: Path) -> tuple[Results, Ranks, Costs]:
    """Read a record together with that of OMASGAN."""
    results, ranks, costs = kept(target)
    return *with_omasgan(results, ranks, omasgan), costs


def main(runs: Path, target: Path, omasgan: Path) -> None:
    """Write the files that the module's docstring names, and print the tables."""
    results, ranks, costs = joined(kept(target), collect(runs))
    target.mkdir(parents=True, exist_ok=True)
    write_results(results, target / "results.csv")
    write_costs(costs, target / "costs.csv")
    np.savez_compressed(target / "scores.npz", **ranks)
    every, ranks, costs = read(target, omasgan)
    draw(every, costs, target / "auroc.png")
    print(markdown(every, ranks, costs), by_class(every), sep="\n\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, help="the folder of the runs, such as runs/mnist_loo")
    parser.add_argument("target", type=Path, help="the folder of the study's record")
    parser.add_argument("--omasgan", type=Path, required=True, help="the record of OMASGAN on the same split")
    given = parser.parse_args()
    main(given.runs, given.target, given.omasgan)
