"""Reads the scores of all runs, each file once, for intervals, histograms, ROC curves and comparisons."""

from __future__ import annotations

import multiprocessing
from collections.abc import Collection
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omasgan.configuration import old_names
from omasgan.errors import UserError
from omasgan.evaluation.scores import ScoreTable
from omasgan.report.ablation import Ablation, ablations
from omasgan.report.comparison import Array, Pairs, compare_all, deviations_of
from omasgan.report.samples import Compared, choose, fingerprint_of, packed, runs_by_cell
from omasgan.report.statistics import Ranked
from omasgan.report.study import Study

BINS = 24
"""Bins of a histogram."""

ROC_RATES = sorted({*(n / 25 for n in range(26)), *(m * 10**-e for e in (4, 3, 2) for m in (1, 2, 5)), 0.03})
"""The false-positive rates at which a ROC curve is kept: evenly spaced, and more of the small ones."""

MANY = 200
"""Files of scores from which on processes read them instead of threads; starting the processes takes a second."""

Place = tuple[int, str]
"""A method and a class, or a setting and a class."""

Wanted = dict[int, dict[str, list[Place]]]
"""For every run, the terms that are compared, each with the methods and classes that it is compared for."""


@dataclass(frozen=True)
class Shown:
    """What the page draws of the scores of one run.

    Attributes
    ----------
    normals
        The number of normal test samples, which bounds how small a false-positive rate can be.
    histograms
        By term, the histogram of the scores.
    rocs
        By term, the true-positive rates at `ROC_RATES`.
    shares
        By term, the shares of lower scores of the samples that are compared, as `omasgan.report.samples.packed` packs
        them; empty where the run's test samples are not those.
    """

    normals: int
    histograms: dict[str, dict[str, Any]]
    rocs: dict[str, list[float]]
    shares: dict[str, str]


@dataclass(frozen=True)
class Digest:
    """What the report keeps of the scores of one run, with n test samples.

    Attributes
    ----------
    index
        (n,), the samples' places in the official split.
    samples
        A text that is equal for equal test samples and labels.
    contributions
        By term (n,), the samples' contributions to the AUROC, in the order of `index`.
    shown
        What the page draws.
    """

    index: NDArray[np.int64]
    samples: str
    contributions: dict[str, Array]
    shown: Shown


@dataclass
class Scores:
    """What the scores of all runs say.

    Attributes
    ----------
    deviation
        By method and class, the standard deviation of the AUROC over test samples; the class of the mean is empty.
    pairs
        The comparisons, by setting.
    shown
        By run, what the page draws of its scores.
    compared
        By setting and class, the samples that the page compares one by one.
    ablations
        The ablations of all settings.
    ablated
        By method, whole detector and class, the standard deviation of the difference of their AUROCs over test samples;
        the class of the mean is empty.
    problems
        A line for every file that is damaged, or whose test samples are not those of its setting.
    """

    deviation: dict[tuple[int, str], float] = field(default_factory=dict)
    pairs: list[Pairs] = field(default_factory=list)
    shown: dict[int, Shown] = field(default_factory=dict)
    compared: dict[Place, Compared] = field(default_factory=dict)
    ablations: list[Ablation] = field(default_factory=list)
    ablated: dict[tuple[int, int, str], float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def class_names(path: Path) -> list[str]:
    """Return all classes of a run's data set, from its scores; none where the file cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return [str(name) for name in file["class_names"].tolist()]
    except Exception:  # `digest` reads the file again, and says what is wrong with it
        return []


def digest(path: Path, compared: Collection[str], shown: Collection[str], samples: Compared | None = None) -> Digest:
    """Read a run's scores.

    Parameters
    ----------
    path
        The run's scores.npz.
    compared
        The terms whose contributions are kept.
    shown
        The terms whose histograms and ROC curves are kept.
    samples
        The samples that the page compares one by one.

    Returns
    -------
    Digest
        What the report keeps of the scores.

    Raises
    ------
    UserError
        Where the file, or a term in it, cannot be used; the message names the file.
    """
    table = ScoreTable.load(path, only={*compared, *shown}, renamed=old_names.TERMS)
    fingerprint = fingerprint_of(table)
    made = {}
    drawn = Shown(int((~table.label).sum()), {}, {}, {})
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
            drawn.histograms[term], drawn.rocs[term] = ranked.histogram(BINS), ranked.roc(ROC_RATES)
            if samples is not None and samples.fingerprint == fingerprint:
                drawn.shares[term] = packed(ranked.shares_below()[samples.rows])
    return Digest(table.index, fingerprint, made, drawn)


def read_scores(study: Study, workers: int) -> Scores:
    """Read the scores of every run, and compare all methods.

    Parameters
    ----------
    study
        The runs and their methods. The scores of a baseline are taken from one of the runs that report it.
    workers
        How many files are read at once.

    Returns
    -------
    Scores
        Intervals, comparisons, histograms and ROC curves.
    """
    compared, shown = _compared_terms(study), _shown_terms(study)
    result = Scores(compared=choose(study))
    cell_of = {number: place for place, numbers in runs_by_cell(study).items() for number in numbers}

    sums = _Sums(study)
    # The first run says which samples a setting compares; one that was to score a part of them comes last.
    numbers = sorted({*compared, *shown}, key=lambda number: (study.runs[number].is_partial, number))
    wanted = [
        (
            study.runs[number].folder / "scores.npz",
            list(compared.get(number, {})),
            shown.get(number, []),
            result.compared.get(cell_of.get(number, (-1, ""))),
        )
        for number in numbers
    ]
    with _pool(workers, len(numbers)) as pool:
        for number, found in zip(numbers, pool.map(_digest_or_problem, wanted, chunksize=8), strict=True):
            if isinstance(found, str):
                result.problems.append(found)
                continue
            result.shown[number] = found.shown
            result.problems += sums.add(number, found, compared.get(number, {}))
    result.problems = list(dict.fromkeys(result.problems))
    means = sums.means()
    for setting in range(len(study.settings)):
        index = sums.index_of(setting)
        deviation, pairs = compare_all(study, setting, means, index)
        result.deviation |= deviation
        result.pairs.append(pairs)
        ablated = ablations(study, setting)
        result.ablations += ablated
        against = [(row.method, one.full) for one in ablated for row in one.rows if row.method is not None]
        result.ablated |= deviations_of(study, setting, against, means, index)
    return result


def _pool(workers: int, files: int) -> Executor:
    """What reads so many files at once."""
    if files < MANY:
        return ThreadPoolExecutor(workers)
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("forkserver"))


def _digest_or_problem(wanted: tuple[Path, list[str], list[str], Compared | None]) -> Digest | str:
    """The digest of a file, or what is wrong with the file."""
    try:
        return digest(*wanted)
    except UserError as error:
        return str(error)


def _compared_terms(study: Study) -> Wanted:
    """Of every method, class and seed, the first run gives the contributions."""
    wanted: Wanted = {}
    for number, method in enumerate(study.methods):
        for cls, seeds in method.done.items():
            for members in seeds.values():
                wanted.setdefault(members[0], {}).setdefault(method.term, []).append((number, cls))
    return wanted


def _shown_terms(study: Study) -> dict[int, list[str]]:
    """By run, the terms of its own detector, which the page draws."""
    shown: dict[int, list[str]] = {}
    for method in study.methods:
        if not method.baseline:
            for number in method.finished:
                shown.setdefault(number, []).append(method.term)
    return shown


class _Sums:
    """The contributions of every method on every class, summed over its seeds."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.sums: dict[Place, Array] = {}
        self.counts: dict[Place, int] = {}
        self.samples: dict[Place, tuple[str, NDArray[np.int64], int]] = {}  # by setting and class, from the first run

    def add(self, number: int, found: Digest, uses: dict[str, list[Place]]) -> list[str]:
        """Add a run's contributions; return a line where its test samples are not those of the setting and class."""
        problems = []
        for term, places in uses.items():
            for method, cls in places:
                place = self.study.methods[method].setting, cls
                samples, _, first = self.samples.setdefault(place, (found.samples, found.index, number))
                if samples != found.samples and self.study.runs[number].is_partial:
                    break  # as its label says
                if samples != found.samples:
                    problems.append(
                        f"{self.study.runs[number].folder / 'scores.npz'}: its test samples are not those of "
                        f"{self.study.runs[first].folder}, so it is not compared"
                    )
                    break
                key, values = (method, cls), found.contributions[term]
                self.sums[key] = self.sums[key] + values if key in self.sums else values
                self.counts[key] = self.counts.get(key, 0) + 1
        return problems

    def means(self) -> dict[Place, Array]:
        """The means over seeds, without those for which the scores of a seed are missing."""
        return {
            (method, cls): values / np.float32(self.counts[method, cls])
            for (method, cls), values in self.sums.items()
            if self.counts[method, cls] == len(self.study.methods[method].done[cls])
        }

    def index_of(self, setting: int) -> dict[str, NDArray[np.int64]]:
        """By class, the test samples' places in the official split."""
        return {cls: index for (of, cls), (_, index, _) in self.samples.items() if of == setting}
