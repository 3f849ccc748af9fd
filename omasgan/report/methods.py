"""Which methods the runs compare, on which settings, and which runs stand behind each figure.

A setting is a data set and a protocol (all classes of it). A method is a term of a detector with its settings, or a
floor; a floor that many runs report is one method, and each of its figures counts once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, stdev
from typing import Any

from omasgan.configuration.identity import CLASS_KEYS, GROUPS, NOT_SCIENCE, PSEUDO, PSEUDO_KEY, SHOWN_APART, is_pseudo
from omasgan.report.folders import STATES, Run, State
from omasgan.report.statistics import interval
from omasgan.text import heading

METRICS = {"auroc": "AUROC", "auprc": "AUPRC", "auprc_balanced": "AUPRC at 1:1", "fpr95": "FPR95"}
"""What is reported, by its name in metrics.json."""

WHOLE = "all"
"""The one column of a setting that has no classes."""

MANY = 20
"""Above so many classes, only those that have runs are columns."""

DATA = ("dataset", "protocol", "abnormal_dataset")
"""Groups that make the setting; all others make the method."""

PLACES = frozenset({"root"})
"""Settings that say where data lie: they make no other method."""

TOLERANCE = 1e-9
"""Two runs' figures of one floor differ by no more, or the report says so."""


OBJECTIVE_OF_A_CHOICE = ": AUROC of pseudo-anomalies, held out of the training split"


@dataclass
class Setting:
    """A data set under a protocol; role says what a class is to it: 'abnormal', 'normal', or '' without classes."""

    label: str
    dataset: str
    protocol: str
    role: str
    classes: list[str] = field(default_factory=list)


@dataclass
class Method:
    """A row of the tables. done: class -> seed -> runs, of which the first gives the figure; rest: class -> others.

    varied: the settings in which its detector's variants differ, as far as this one has them. `seeds`: all that any
    run of it was made with, so that a cell with fewer is known to be incomplete.
    """

    setting: int
    label: str
    name: str
    term: str
    floor: bool
    main: bool
    ablation: str = "none"
    varied: dict[str, Any] = field(default_factory=dict)
    done: dict[str, dict[int, list[int]]] = field(default_factory=dict)
    rest: dict[str, list[int]] = field(default_factory=dict)
    seeds: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Cell:
    """A figure of the tables: mean over seeds (of the mean over classes), ddof 1, and what stands behind it.

    low and high bound the interval over test samples, NaN where there is none. state: 'done', or why there is no
    figure. complete: whether no class or seed is missing.
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
    """All runs and what they compare."""

    runs: list[Run]
    settings: list[Setting]
    methods: list[Method]
    problems: list[str]

    def of(self, setting: int) -> list[int]:
        """The methods of a setting."""
        return [number for number, method in enumerate(self.methods) if method.setting == setting]

    def value(self, run: int, method: Method, metric: str) -> float:
        """A run's figure of a method."""
        return self.runs[run].metrics[method.term][metric]

    def by_seed(self, method: Method, cls: str, metric: str) -> dict[int, float]:
        """A method's figures on a class, by seed."""
        return {seed: self.value(runs[0], method, metric) for seed, runs in sorted(method.done.get(cls, {}).items())}

    def cell(self, method: Method, cls: str, metric: str, deviation: float = math.nan) -> Cell:
        """A class's figure; `deviation` is that over test samples, from which its interval follows."""
        values = list(self.by_seed(method, cls, metric).values())
        rest = method.rest.get(cls, [])
        if not values:
            states = [self.runs[run].state for run in rest]
            state = next((state for state in STATES[1:] if state in states), "missing")
            return Cell(state, complete=False, runs=tuple(rest))
        runs = tuple(run for seed in sorted(method.done[cls]) for run in method.done[cls][seed])
        low, high = _interval(fmean(values), deviation)
        complete = len(values) == len(method.seeds)
        return Cell("done", fmean(values), _stdev(values), len(values), low, high, complete, runs + tuple(rest))

    def mean(self, method: Method, metric: str, deviation: float = math.nan) -> Cell:
        """The mean over classes of the mean over seeds. Its deviation is over the seeds that have every class."""
        classes = self.settings[method.setting].classes
        columns = {cls: values for cls in classes if (values := self.by_seed(method, cls, metric))}
        if not columns:
            states = {self.cell(method, cls, metric).state for cls in classes}
            runs = tuple(run for rest in method.rest.values() for run in rest)
            state = next((state for state in STATES[1:] if state in states), "missing")
            return Cell(state, complete=False, runs=runs, classes=0)
        mean = fmean(fmean(values.values()) for values in columns.values())
        seeds = set.intersection(*(set(values) for values in columns.values()))
        over_seeds = [fmean(values[seed] for values in columns.values()) for seed in sorted(seeds)]
        low, high = _interval(mean, deviation)
        complete = len(columns) == len(classes) and all(len(v) == len(method.seeds) for v in columns.values())
        runs = tuple(run for cls in columns for seed in sorted(method.done[cls]) for run in method.done[cls][seed])
        return Cell("done", mean, _stdev(over_seeds), len(seeds), low, high, complete, runs, len(columns))


def _stdev(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else math.nan


def _interval(value: float, deviation: float) -> tuple[float, float]:
    return (math.nan, math.nan) if math.isnan(deviation) else interval(value, deviation)


def study(runs: list[Run], class_names: Mapping[int, Sequence[str]] | None = None) -> Study:
    """What the runs compare. class_names: all classes of a run's data set, where they are known."""
    runs = list(runs)
    problems: list[str] = []
    settings, setting_of = _settings(runs, class_names or {})
    flat = {number: flatten(runs[number]) for number in setting_of}
    variants: dict[tuple[int, str, str, str], list[int]] = {}
    for number, setting in setting_of.items():
        run = runs[number]
        key = setting, run.choices.get("detector", "?"), run.choices.get("ablation", "none"), _canonical(flat[number])
        variants.setdefault(key, []).append(number)
    labels = _labels(variants, flat, runs)

    methods: dict[tuple[Any, ...], Method] = {}
    for key, members in variants.items():
        setting, detector, ablation, _ = key
        floor_like = _is_plain(runs[members[0]])
        terms = _terms([runs[m] for m in members if runs[m].metrics]) or _terms(
            [r for r in runs if r.metrics and r.choices.get("detector") == detector]
        )
        own = [term for term in terms or [detector] if term == detector or term not in _floors(runs[members[0]])]
        main = "full" if "full" in own else detector if detector in own else own[0]
        label, varied = labels[key]
        for term in own:
            name = label if len(own) == 1 else f"{label} · {heading(term)}"
            identity = (
                (setting, "floor", term, _node(runs[members[0]].config["detector"])) if floor_like else (key, term)
            )
            method = methods.setdefault(
                identity,
                Method(
                    setting,
                    heading(term) if floor_like else name,
                    label,
                    term,
                    floor_like,
                    term == main,
                    ablation,
                    varied,
                ),
            )
            for number in members:
                _enter(method, runs, number, term)
    for number, setting in setting_of.items():
        run = runs[number]
        for term, node in _floors(run).items():
            if term in run.metrics and term != run.choices.get("detector"):
                method = methods.setdefault(
                    (setting, "floor", term, _node(node)), Method(setting, heading(term), "floors", term, True, True)
                )
                _enter(method, runs, number, term)
    result = Study(runs, settings, _distinct(list(methods.values())), problems)
    for method in result.methods:
        problems.extend(_disagreements(result, method))
    return result


def _enter(method: Method, runs: Sequence[Run], number: int, term: str) -> None:
    run = runs[number]
    cls = run.cls or WHOLE
    method.seeds.add(run.seed)
    if run.state == "done" and term in run.metrics:
        method.done.setdefault(cls, {}).setdefault(run.seed, []).append(number)
    elif run.state != "done":
        method.rest.setdefault(cls, []).append(number)


def _disagreements(study: Study, method: Method) -> Iterator[str]:
    """Several runs of one method, class and seed should agree; the newest counts where they do not."""
    for seeds in method.done.values():
        for numbers in seeds.values():
            numbers.sort(key=lambda number: -study.runs[number].finished)
    for cls, seeds in method.done.items():
        for seed, numbers in seeds.items():
            values = [study.value(number, method, "auroc") for number in numbers]
            if max(values) - min(values) > TOLERANCE:
                other = next(n for n, value in zip(numbers, values, strict=True) if abs(value - values[0]) > TOLERANCE)
                yield (
                    f"{method.label}, {cls}, seed {seed}: {study.runs[numbers[0]].folder} and "
                    f"{study.runs[other].folder} differ, of which the newer, the first, counts"
                )
                return


def _settings(runs: list[Run], class_names: Mapping[int, Sequence[str]]) -> tuple[list[Setting], dict[int, int]]:
    """The settings, and the setting of every run whose configuration is known; classes get their names in `runs`."""
    grouped: dict[tuple[str, str, str], list[int]] = {}
    flat: dict[tuple[str, str, str], dict[str, Any]] = {}
    for number, run in enumerate(runs):
        if not run.config:
            continue
        nodes = {group: run.config.get(group) for group in DATA}
        left_out = {*PLACES, *CLASS_KEYS, PSEUDO_KEY, "_target_"}
        leaves = {k: v for k, v in _leaves(nodes) if k.rsplit(".", 1)[-1] not in left_out}
        key = run.choices.get("dataset", "?"), run.choices.get("protocol", "?"), _canonical(leaves)
        grouped.setdefault(key, []).append(number)
        flat[key] = leaves
    settings: list[Setting] = []
    setting_of: dict[int, int] = {}
    for key, members in sorted(grouped.items()):
        alike = [flat[other] for other in grouped if other[:2] == key[:2]]
        varied = _differing(alike)
        suffix = ", ".join(f"{_short(k, varied)}={flat[key].get(k, '-')}" for k in varied)
        label = f"{key[0]} {key[1]}" + (f" ({suffix})" if suffix else "")
        if is_pseudo(key[1]):
            label += OBJECTIVE_OF_A_CHOICE
        role = next((runs[m].role for m in members if runs[m].role), "")
        names = next((list(class_names[m]) for m in members if m in class_names), [])
        for member in members:
            runs[member] = replace(runs[member], cls=_named(runs[member].cls, names))
        have = {runs[m].cls for m in members if runs[m].cls}
        if not role:
            classes = [WHOLE]
        elif have <= set(names) and len(names) <= MANY:
            classes = names
        else:
            classes = sorted(have, key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else 0, name))
        for member in members:
            setting_of[member] = len(settings)
        settings.append(Setting(label, key[0], key[1], role, classes))
    return settings, dict(sorted(setting_of.items()))


def _named(cls: str, names: Sequence[str]) -> str:
    """A class by its name where a run was given its index; with a pseudo-anomaly, both."""
    parts = [
        names[int(part)] if part not in names and part.isdecimal() and int(part) < len(names) else part
        for part in cls.split(PSEUDO)
    ]
    return PSEUDO.join(parts)


def flatten(run: Run) -> dict[str, Any]:
    """A run's science settings but for data, class and seed, by their place; a `_target_` by its option's name."""
    leaves = {}
    left_out = {*NOT_SCIENCE, *SHOWN_APART, *DATA}
    config = {k: v for k, v in run.config.items() if k not in left_out}
    if isinstance(config.get("detector"), dict):  # it repeats the groups that it is built from
        config["detector"] = {k: v for k, v in config["detector"].items() if k not in GROUPS}
        if _is_plain(run):
            config = {"detector": config["detector"]}
    for key, value in _leaves(config):
        place, _, last = key.rpartition(".")
        if last == "_target_":
            if place in run.choices and place != "detector":
                leaves[place] = value if run.choices[place] == "default" else run.choices[place]
        elif last not in PLACES:
            leaves[key] = value
    # What an option is called says nothing of what it holds, and an override makes two of one name differ.
    for group in ("boundary", "inference", "optimisation", "retraining", "budget"):
        leaves.pop(group, None)
    return leaves


def _leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _canonical(leaves: Mapping[str, Any]) -> str:
    return json.dumps(json.loads(json.dumps(leaves, default=str), parse_int=float), sort_keys=True)


def _node(node: Mapping[str, Any]) -> str:
    return _canonical(dict(_leaves(node)))


def _is_plain(run: Run) -> bool:
    """Whether the detector is made from its own settings alone, as the floors are, and so may be one of them."""
    node = run.config.get("detector")
    return isinstance(node, dict) and not any(isinstance(value, dict) for value in node.values())


def _floors(run: Run) -> dict[str, Any]:
    floors = run.config.get("floors")
    return {str(k): v for k, v in floors.items() if isinstance(v, dict)} if isinstance(floors, dict) else {}


def _terms(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(term for run in runs for term in run.metrics))


def _labels(
    variants: Mapping[tuple[int, str, str, str], list[int]], flat: Mapping[int, dict[str, Any]], runs: Sequence[Run]
) -> dict[tuple[int, str, str, str], tuple[str, dict[str, Any]]]:
    """A name for every variant of a detector: its own, and the settings in which it differs from its like."""
    alike: dict[tuple[int, str, str], list[Mapping[str, Any]]] = {}
    for key, members in variants.items():
        alike.setdefault(key[:3], []).append(flat[members[0]])
    differing = {group: _differing(leaves) for group, leaves in alike.items()}
    labels = {}
    for key, members in variants.items():
        varied = differing[key[:3]]
        values = {k: flat[members[0]][k] for k in varied if k in flat[members[0]]}
        name = key[1] if key[2] == "none" else f"{key[1]} {key[2]}"
        told = [f"{_short(k, varied)}={_plain(v)}" for k, v in values.items()]
        if len(told) > 4:
            told = [*told[:3], f"{len(told) - 3} more", runs[members[0]].identity]
        labels[key] = " ".join([name, *told]), values
    return labels


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value)


def _differing(flat: Sequence[Mapping[str, Any]]) -> list[str]:
    """The settings whose values differ."""
    keys = dict.fromkeys(key for leaves in flat for key in leaves)
    return [key for key in keys if len({repr(_number(leaves.get(key, math.nan))) for leaves in flat}) > 1]


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _short(key: str, keys: Sequence[str]) -> str:
    last = key.rpartition(".")[2]
    return last.rstrip("_") if sum(other.rpartition(".")[2] == last for other in keys) == 1 else key


def _distinct(methods: list[Method]) -> list[Method]:
    """Ordered: by setting, detectors before floors; a label that two methods of a setting share gets a number."""
    methods.sort(key=lambda method: (method.setting, method.floor))
    seen: dict[tuple[int, str], int] = {}
    for method in methods:
        number = seen[method.setting, method.label] = seen.get((method.setting, method.label), 0) + 1
        if number > 1:
            method.label += f" ({number})"
    return methods
