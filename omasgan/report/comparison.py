"""The scores of all runs, read once: intervals, histograms, ROC curves, and every pair of methods compared."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omasgan.errors import UserError
from omasgan.evaluation.scores import ScoreTable
from omasgan.report.methods import Study
from omasgan.report.statistics import Z95, Ranked, two_sided

BINS = 24
ROC_POINTS = 26

PAIRS = 200_000
"""Deviations of differences that the page holds at most, over all settings: 0.5 MB of it."""

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Digest:
    """What the report keeps of one run's scores. contributions: by term, in the order of `index`."""

    index: NDArray[np.int64]
    samples: str
    contributions: dict[str, Array]
    histograms: dict[str, dict[str, Any]]
    rocs: dict[str, list[float]]


@dataclass
class Pairs:
    """The deviation of the difference of any two of `methods`: (M, M, C + 1), the last for the mean over the classes
    that both have; NaN where they have no sample in common.
    """

    methods: list[int]
    deviation: Array


@dataclass
class Scores:
    """What all scores say. deviation: (method, class, or '' for the mean) -> that of the AUROC over test samples."""

    deviation: dict[tuple[int, str], float] = field(default_factory=dict)
    pairs: list[Pairs] = field(default_factory=list)
    digests: dict[int, tuple[dict[str, dict[str, Any]], dict[str, list[float]]]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Comparison:
    """Two methods' AUROCs on the same test samples: first minus second, with its interval and p-value."""

    first: int
    second: int
    cls: str
    difference: float
    low: float
    high: float
    p: float


def class_names(path: Path) -> list[str]:
    """All classes of a run's data set, from its scores; none where they cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return [str(name) for name in file["class_names"].tolist()]
    except Exception:  # the file is read whole later, and named then
        return []


def digest(path: Path, compared: Collection[str], shown: Collection[str]) -> Digest:
    """Read a run's scores: contributions of the compared terms, pictures of the shown. UserError, naming the file."""
    table = ScoreTable.load(path, only={*compared, *shown})
    made, histograms, rocs = {}, {}, {}
    for term in dict.fromkeys([*compared, *shown]):
        if (
            term not in table.terms
            or not 0 < table.label.sum() < len(table)
            or not np.isfinite(table.terms[term]).all()
        ):
            raise UserError(f"{path} has no scores of {term} to compare; delete the run and train again")
        ranked = Ranked.of(table.label, table.terms[term])
        if term in compared:
            made[term] = ranked.contributions()[1]
        if term in shown:
            histograms[term], rocs[term] = ranked.histogram(BINS), ranked.roc(ROC_POINTS)
    samples = hashlib.sha256(table.index.tobytes() + table.label.tobytes()).hexdigest()
    return Digest(table.index, samples, made, histograms, rocs)


def read_scores(study: Study, workers: int) -> Scores:
    """Every run's scores, each file read once; a floor that many runs report is taken from one of them."""
    result = Scores()
    wanted: dict[int, dict[str, list[tuple[int, str]]]] = {}
    for number, method in enumerate(study.methods):
        for cls, seeds in method.done.items():
            for members in seeds.values():
                wanted.setdefault(members[0], {}).setdefault(method.term, []).append((number, cls))
    shown: dict[int, list[str]] = {}
    for method in study.methods:
        if not method.floor:
            for number in (n for seeds in method.done.values() for members in seeds.values() for n in members):
                shown.setdefault(number, []).append(method.term)

    def work(number: int) -> Digest | str:
        try:
            path = study.runs[number].folder / "scores.npz"
            return digest(path, wanted.get(number, {}), shown.get(number, []))
        except UserError as error:
            return str(error)

    sums: dict[tuple[int, str], Array] = {}
    counts: dict[tuple[int, str], int] = {}
    samples: dict[tuple[int, str], tuple[str, NDArray[np.int64], int]] = {}
    numbers = sorted({*wanted, *shown})
    with ThreadPoolExecutor(workers) as pool:  # most of it is inflating and sorting, which need no interpreter lock
        for number, found in zip(numbers, pool.map(work, numbers), strict=True):
            if isinstance(found, str):
                result.problems.append(found)
                continue
            result.digests[number] = found.histograms, found.rocs
            for term, uses in wanted.get(number, {}).items():
                for method_number, cls in uses:
                    place = study.methods[method_number].setting, cls
                    first = samples.setdefault(place, (found.samples, found.index, number))
                    if first[0] != found.samples:
                        result.problems.append(
                            f"{study.runs[number].folder / 'scores.npz'}: its test samples are not those of "
                            f"{study.runs[first[2]].folder}, so it is compared with nothing"
                        )
                        break
                    key = method_number, cls
                    sums[key] = sums[key] + found.contributions[term] if key in sums else found.contributions[term]
                    counts[key] = counts.get(key, 0) + 1
    result.problems = list(dict.fromkeys(result.problems))
    for key in list(sums):
        if counts[key] == len(study.methods[key[0]].done[key[1]]):
            sums[key] = sums[key] / np.float32(counts[key])
        else:
            del sums[key]  # a seed's scores are missing, so the mean's deviation is not known
    for setting in range(len(study.settings)):
        _compare(
            study, setting, sums, {cls: index for (s, cls), (_, index, _) in samples.items() if s == setting}, result
        )
    return result


def _compare(
    study: Study, setting: int, sums: dict[tuple[int, str], Array], index: dict[str, NDArray[np.int64]], result: Scores
) -> None:
    classes = study.settings[setting].classes
    members = [number for number in study.of(setting) if any((number, cls) in sums for cls in classes)]
    size = 1 + max((int(places.max()) for places in index.values()), default=0)
    for number in members:
        have = [cls for cls in classes if (number, cls) in sums]
        total = np.zeros(size, np.float32)
        for cls in have:
            total[index[cls]] += sums[number, cls]
            result.deviation[number, cls] = float(np.linalg.norm(sums[number, cls]))
        if set(have) == set(study.methods[number].done):
            result.deviation[number, ""] = float(np.linalg.norm(total)) / len(have)

    # All pairs where they fit; else those of the methods' own scores first.
    room = math.isqrt(2 * PAIRS // len(study.settings) // (len(classes) + 1))
    chosen = sorted(sorted(members, key=lambda number: not study.methods[number].main)[:room])
    rows = np.zeros((len(chosen), len(classes), size), np.float32)
    have_class = np.zeros((len(chosen), len(classes)), np.float32)
    for i, number in enumerate(chosen):
        for c, cls in enumerate(classes):
            if (number, cls) in sums:
                rows[i, c, index[cls]] = sums[number, cls]
                have_class[i, c] = 1
    result.pairs.append(Pairs(chosen, _deviations(rows, have_class)))


def _deviations(rows: Array, have: Array) -> Array:
    """The deviation of every difference (M, M, C + 1), from contributions (M, C, n); have (M, C): whose exist."""
    m, c, n = rows.shape
    flat = rows.reshape(m * c, n)
    products = (flat @ flat.T).reshape(m, c, m, c)
    own = np.einsum("icid->icd", products)  # (M, C, C)
    result = np.full((m, m, c + 1), np.nan, np.float32)
    for i in range(m):
        both = have[i] * have  # (M, C)
        with_i = products[i].transpose(1, 0, 2)  # (M, C of i, C of j)
        variance = own[i][None] + own - with_i - with_i.transpose(0, 2, 1)
        variance *= both[:, :, None] * both[:, None, :]
        each = np.sqrt(np.maximum(np.einsum("jcc->jc", variance), 0))
        result[i, :, :c] = np.where(both > 0, each, np.nan)
        number = both.sum(axis=1)
        total = np.sqrt(np.maximum(variance.sum(axis=(1, 2)), 0)) / np.maximum(number, 1)
        result[i, :, c] = np.where(number > 0, total, np.nan)
    result[result < np.float32(1e-7)] = 0  # what rounding leaves of a difference of equal scores
    return result


def comparisons(study: Study, pairs: Pairs, first: int, second: int) -> Iterator[Comparison]:
    """First against second: on every class that both have, then in the mean over those classes (its class is '').

    None at all where the two were not scored on the same test samples.
    """
    if first not in pairs.methods or second not in pairs.methods:
        return
    classes = study.settings[study.methods[first].setting].classes
    i, j = pairs.methods.index(first), pairs.methods.index(second)
    differences = []
    for column, cls in enumerate([*classes, ""]):
        deviation = float(pairs.deviation[i, j, column])
        if math.isnan(deviation):
            continue
        if cls:
            a, b = (fmean(study.by_seed(study.methods[m], cls, "auroc").values()) for m in (first, second))
            differences.append(a - b)
        value = differences[-1] if cls else fmean(differences)
        spread = Z95 * deviation
        yield Comparison(first, second, cls, value, value - spread, value + spread, two_sided(value, deviation))


def headline_pairs(study: Study, pairs: Pairs, limit: int) -> Sequence[tuple[int, int]]:
    """The pairs that the tables list: of the methods' own scores, at most `limit` methods, the best of them."""

    def rank(number: int) -> float:
        mean = study.mean(study.methods[number], "auroc").mean
        return -mean

    main = sorted((number for number in pairs.methods if study.methods[number].main), key=rank)[:limit]
    return list(itertools.combinations(main, 2))
