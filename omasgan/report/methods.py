"""Finds the methods that the runs compare, and the runs behind each.

A baseline that many runs report is one method, and each of its runs counts once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omasgan.report.common import shared
from omasgan.report.configurations import baselines_of, canonical, canonical_node, flatten, stands_alone
from omasgan.report.folders import Run
from omasgan.report.labels import Variant, make_distinct, variant_labels
from omasgan.report.settings import WHOLE, group_by_setting
from omasgan.report.study import BASELINES_NAME, Method, Study
from omasgan.text import heading

TOLERANCE = 1e-9
"""How far two runs of one method, class and seed may differ before the report says so."""

Methods = dict[tuple[Any, ...], Method]
"""Methods by what makes two runs one method: a variant and its term, or a baseline with its settings."""


def build_study(runs: list[Run], class_names: Mapping[int, Sequence[str]] | None = None) -> Study:
    """Find the settings and methods that the runs compare.

    Parameters
    ----------
    runs
        All runs.
    class_names
        All classes of a run's data set, for the runs where they are known.

    Returns
    -------
    Study
        The runs, their settings and methods, and a line for every method whose runs disagree.
    """
    runs = list(runs)
    settings, setting_of = group_by_setting(runs, class_names or {})
    flat = {number: flatten(runs[number]) for number in setting_of}
    variants: dict[Variant, list[int]] = {}
    for number, setting in setting_of.items():
        choices = runs[number].choices
        key = setting, choices.get("detector", "?"), choices.get("ablation", "none"), canonical(flat[number])
        variants.setdefault(key, []).append(number)
    labels = variant_labels(variants, flat, runs)
    methods: Methods = {}
    for key, members in variants.items():
        _add_variant(methods, runs, key, members, *labels[key])
    for number, setting in setting_of.items():
        _add_baselines(methods, runs, number, setting)
    result = Study(runs, settings, make_distinct(list(methods.values())), [])
    for number, where in enumerate(settings):
        common = shared(result.methods[method].done for method in result.of(number))
        where.averaged = [cls for cls in where.classes if cls in common]
    for method in result.methods:
        result.problems.extend(_disagreements(result, method))
    return result


def _add_variant(
    methods: Methods, runs: Sequence[Run], key: Variant, members: list[int], label: str, varied: dict[str, Any]
) -> None:
    """Add a method for every score of a variant of a detector. A detector that may be a baseline is added as one."""
    setting, detector, ablation, _ = key
    first = runs[members[0]]
    alone = stands_alone(first)
    terms = _terms_of(runs, members, detector)
    main = "full" if "full" in terms else detector if detector in terms else terms[0]
    for term in terms:
        if alone:
            identity, name = _baseline_identity(setting, term, first.config["detector"], first), heading(term)
        else:
            identity, name = (key, term), label if len(terms) == 1 else f"{label} · {heading(term)}"
        made = Method(setting, name + _part(first), label, term, alone, term == main, ablation, varied)
        method = methods.setdefault(identity, made)
        for number in members:
            _enter(method, runs, number, term)


def _add_baselines(methods: Methods, runs: Sequence[Run], number: int, setting: int) -> None:
    """Add the baselines that a run reports beside its own detector."""
    run = runs[number]
    for term, node in baselines_of(run).items():
        if term in run.metrics and term != run.choices.get("detector"):
            made = Method(setting, heading(term) + _part(run), BASELINES_NAME, term, True, True)
            _enter(methods.setdefault(_baseline_identity(setting, term, node, run), made), runs, number, term)


def _baseline_identity(setting: int, term: str, node: Mapping[str, Any], run: Run) -> tuple[Any, ...]:
    return setting, "baseline", term, canonical_node(node), run.config.get("test_samples")


def _part(run: Run) -> str:
    """What a method's label says of a run that was to score a part of the test samples."""
    number = run.config.get("test_samples")
    return "" if number is None else f" on {number:,} test samples"


def _terms_of(runs: Sequence[Run], members: Sequence[int], detector: str) -> list[str]:
    """The detector's scores: those of the runs, else of other runs of the detector, else the detector's name."""
    measured = [runs[m] for m in members if runs[m].metrics]
    alike = [run for run in runs if run.metrics and run.choices.get("detector") == detector]
    terms = list(dict.fromkeys(term for run in measured or alike for term in run.metrics)) or [detector]
    baselines = baselines_of(runs[members[0]])
    return [term for term in terms if term == detector or term not in baselines]


def _enter(method: Method, runs: Sequence[Run], number: int, term: str) -> None:
    """Enter a run in the method's cells."""
    run = runs[number]
    cls = run.cls or WHOLE
    method.seeds.add(run.seed)
    if run.state == "done" and term in run.metrics:
        method.done.setdefault(cls, {}).setdefault(run.seed, []).append(number)
    elif run.state != "done":
        method.rest.setdefault(cls, []).append(number)


def _disagreements(study: Study, method: Method) -> Iterator[str]:
    """Several runs of one method, class and seed should agree; where they do not, the newest counts."""
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
                    f"{study.runs[other].folder} differ; the first, which is newer, counts"
                )
                return
