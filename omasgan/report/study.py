"""What the runs compare: a study, its settings and methods, and the cells of its tables.

A setting is a data set and a protocol, with all classes of it. A method is a score of a detector with its settings, or
a baseline. Every number of the tables is a cell: of a method on a class, or of a method in the mean over classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Any

from omasgan.configuration.identity import split_of
from omasgan.evaluation.objective import ON, Split
from omasgan.report.common import lacks, what_columns_are, what_means_are
from omasgan.report.folders import STATES, Run, State
from omasgan.report.statistics import interval

METRICS = {"auroc": "AUROC", "auprc": "AUPRC", "auprc_balanced": "AUPRC at 1:1", "fpr95": "FPR95"}
"""The metrics that are reported, by their name in metrics.json, and their title."""

BASELINES_NAME = "baselines"
"""What stands in place of a detector's name for baselines that runs of other detectors report."""


@dataclass
class Setting:
    """A data set under a protocol.

    Attributes
    ----------
    label
        The name that the tables show.
    dataset
        The data set's option.
    protocol
        The protocol's option.
    role
        What a class is to the protocol: 'abnormal', 'normal', or empty where there are no classes.
    classes
        The columns of the tables, without that of the mean.
    averaged
        The classes that means are over: those with which most methods are compared; see `common.shared`.
    together
        The number of classes that are singled out together in each column, at least 1.
    """

    label: str
    dataset: str
    protocol: str
    role: str
    classes: list[str] = field(default_factory=list)
    averaged: list[str] = field(default_factory=list)
    together: int = 1

    @property
    def split(self) -> Split:
        """The split that its figures are on."""
        return split_of(self.protocol)

    @property
    def heading(self) -> str:
        """The label, and which samples the figures are on."""
        return f"{self.label}, {ON[self.split]}"

    @property
    def note(self) -> str:
        """What its columns are, and which classes its means are over."""
        columns = what_columns_are(self.split, self.role, self.together)
        kind = "classes" if self.together == 1 else "sets of classes"
        return f"{columns} {what_means_are(self.averaged, self.classes, kind)}".rstrip()


@dataclass
class Method:
    """A row of the tables: a score of a detector, or a baseline.

    Attributes
    ----------
    setting
        The place of its setting in the study.
    label
        The name that the tables show, which no other method of the setting has.
    name
        The detector with the settings that tell its variants apart; all scores of a variant share it.
    term
        The score, by its name in metrics.json.
    baseline
        Whether it is a baseline.
    main
        Whether the score is the detector's own, and not a part of it.
    ablation
        The ablation's option; 'none' for the whole method.
    varied
        The settings in which the detector's variants differ, as far as this one has them.
    done
        The finished runs: class -> seed -> runs, of which the first gives the value.
    rest
        The other runs, by class.
    seeds
        The seeds of all its runs, so that a cell with fewer seeds is known to be incomplete.
    """

    setting: int
    label: str
    name: str
    term: str
    baseline: bool
    main: bool
    ablation: str = "none"
    varied: dict[str, Any] = field(default_factory=dict)
    done: dict[str, dict[int, list[int]]] = field(default_factory=dict)
    rest: dict[str, list[int]] = field(default_factory=dict)
    seeds: set[int] = field(default_factory=set)

    @property
    def finished(self) -> list[int]:
        """All finished runs, class by class and seed by seed."""
        return [number for seeds in self.done.values() for members in seeds.values() for number in members]


@dataclass(frozen=True)
class Cell:
    """A number of the tables, and what stands behind it.

    Attributes
    ----------
    state
        'done', or why there is no number: the state of a run, 'missing', or for a mean the classes that it lacks.
    mean
        The mean over seeds, or the mean over classes of the mean over seeds; NaN where there is none.
    deviation
        The standard deviation over seeds (ddof 1); NaN for fewer than two seeds.
    n
        The number of seeds.
    low, high
        The 95 % interval over test samples; NaN where it is not known.
    complete
        Whether no class or seed is missing.
    runs
        The runs behind it, by their place in the study.
    classes
        The number of classes behind it.
    """

    state: State | str
    mean: float = math.nan
    deviation: float = math.nan
    n: int = 0
    low: float = math.nan
    high: float = math.nan
    complete: bool = True
    runs: tuple[int, ...] = ()
    classes: int = 1


@dataclass
class Study:
    """All runs, and the methods that they compare.

    Attributes
    ----------
    runs
        All runs that were read.
    settings
        The settings, sorted by data set and protocol.
    methods
        The methods, sorted by setting, detectors before baselines.
    problems
        A line for everything that the reader should look at.
    """

    runs: list[Run]
    settings: list[Setting]
    methods: list[Method]
    problems: list[str]

    def of(self, setting: int) -> list[int]:
        """Return the methods of a setting, by their places in the study."""
        return [number for number, method in enumerate(self.methods) if method.setting == setting]

    def value(self, run: int, method: Method, metric: str) -> float:
        """Return a run's value of a method's metric."""
        return self.runs[run].metrics[method.term][metric]

    def by_seed(self, method: Method, cls: str, metric: str) -> dict[int, float]:
        """Return a method's values on a class, by seed in rising order."""
        return {seed: self.value(runs[0], method, metric) for seed, runs in sorted(method.done.get(cls, {}).items())}

    def cell(self, method: Method, cls: str, metric: str, deviation: float = math.nan) -> Cell:
        """Return a method's cell on a class.

        Parameters
        ----------
        method
            The row.
        cls
            The column.
        metric
            A name of `METRICS`.
        deviation
            The standard deviation over test samples, from which the interval follows; without it there is none.

        Returns
        -------
        Cell
            The mean over seeds, or why there is none.
        """
        values = list(self.by_seed(method, cls, metric).values())
        rest = method.rest.get(cls, [])
        if not values:
            states = [self.runs[run].state for run in rest]
            return Cell(_first_state(states), complete=False, runs=tuple(rest))
        runs = tuple(run for seed in sorted(method.done[cls]) for run in method.done[cls][seed])
        low, high = _interval(fmean(values), deviation)
        complete = len(values) == len(method.seeds)
        return Cell("done", fmean(values), _stdev(values), len(values), low, high, complete, runs + tuple(rest))

    def mean(self, method: Method, metric: str, deviation: float = math.nan) -> Cell:
        """Return the mean over the setting's averaged classes of a method's mean over seeds.

        Parameters
        ----------
        method
            The row.
        metric
            A name of `METRICS`.
        deviation
            The standard deviation over test samples, from which the interval follows; without it there is none.

        Returns
        -------
        Cell
            The mean, whose deviation is over the seeds that have every class; or why there is none, such as that the
            method lacks a class.
        """
        setting = self.settings[method.setting]
        columns = {cls: values for cls in setting.averaged if (values := self.by_seed(method, cls, metric))}
        if len(columns) < len(setting.averaged) or not columns:
            runs = tuple(run for cls in setting.classes for run in self.cell(method, cls, metric).runs)
            if any(method.done.values()):
                state = lacks([cls for cls in setting.averaged if cls not in columns])
            else:
                state = _first_state([self.cell(method, cls, metric).state for cls in setting.classes])
            return Cell(state, complete=False, runs=runs, classes=len(columns))
        mean = fmean(fmean(values.values()) for values in columns.values())
        seeds = set.intersection(*(set(values) for values in columns.values()))
        over_seeds = [fmean(values[seed] for values in columns.values()) for seed in sorted(seeds)]
        low, high = _interval(mean, deviation)
        complete = all(len(values) == len(method.seeds) for values in columns.values())
        runs = tuple(run for cls in columns for seed in sorted(method.done[cls]) for run in method.done[cls][seed])
        return Cell("done", mean, _stdev(over_seeds), len(seeds), low, high, complete, runs, len(columns))


def is_sweep(study: Study, setting: int) -> bool:
    """Whether a detector of a setting has been run with several values of its own settings."""
    return any(study.methods[n].varied for n in study.of(setting) if not study.methods[n].baseline)


def _first_state(states: Sequence[State | str]) -> State | str:
    """The first state, in the order of `STATES`, that is among the given."""
    return next((state for state in STATES[1:] if state in states), "missing")


def _stdev(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else math.nan


def _interval(value: float, deviation: float) -> tuple[float, float]:
    return (math.nan, math.nan) if math.isnan(deviation) else interval(value, deviation)
