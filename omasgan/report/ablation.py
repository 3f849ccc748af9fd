"""What an ablation compares: a detector as a whole with the terms of its score, and with itself without its parts."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from omasgan.configuration import reference
from omasgan.report.configurations import flatten, leaves
from omasgan.report.study import Method, Study
from omasgan.text import heading

WHOLE = "none"
"""The option of `ablation` that leaves nothing out."""

TERMS = ("task1", "task3", "j")
"""The terms that stand first, in the order of the method's tasks."""

SENTENCE_END = re.compile(r"(?<!Eq)\.\s")
"""Where a sentence ends; a number of an equation follows 'Eq.'."""

MOST = 20
"""Ablations of a setting at most: those of the detectors with the best mean AUROC."""


@dataclass(frozen=True)
class Row:
    """A row of an ablation's table.

    Attributes
    ----------
    title
        The term of the score, such as 'Task 1', or the option of `ablation`.
    meaning
        What the option leaves out; empty for a term.
    method
        The method, by its place in the study; None where it was not run.
    """

    title: str
    meaning: str
    method: int | None


@dataclass(frozen=True)
class Ablation:
    """A detector with some settings, and what it is compared with.

    Attributes
    ----------
    full
        The detector's own score, by its place in the study.
    rows
        The terms of the score, then the options of `ablation`, each with the same settings but for those that it sets.
    """

    full: int
    rows: tuple[Row, ...]


def ablations(study: Study, setting: int) -> list[Ablation]:
    """Find what is ablated on a data set and protocol.

    Parameters
    ----------
    study
        The runs and their methods.
    setting
        The data set and protocol, by its place in the study.

    Returns
    -------
    list[Ablation]
        An ablation for each of the best `MOST` detectors whose score has terms or that was run with an option of
        `ablation`; those that were come first, and of these the best mean AUROC.
    """
    own = [number for number in study.of(setting) if study.methods[number].main and not study.methods[number].baseline]
    flat = {number: flatten(study.runs[_first_run(study.methods[number])]) for number in own}
    partial = [number for number in own if study.methods[number].ablation != WHOLE]
    found = []
    for full in (number for number in own if study.methods[number].ablation == WHOLE):
        method = study.methods[full]
        parts = [n for n in study.of(setting) if study.methods[n].name == method.name and n != full]
        options = _options(study, full, partial, flat)
        if parts or any(row.method is not None for row in options):
            terms = [_term(study, number) for number in sorted(parts, key=lambda number: _order(study, number))]
            found.append(Ablation(full, (*terms, *options)))
    return sorted(found, key=lambda ablation: _preference(study, ablation))[:MOST]


def _first_run(method: Method) -> int:
    rest = (number for members in method.rest.values() for number in members)
    return next(iter(method.finished), None) or next(rest, 0)


def _order(study: Study, number: int) -> int:
    term = study.methods[number].term
    return TERMS.index(term) if term in TERMS else len(TERMS)


def _term(study: Study, number: int) -> Row:
    return Row(heading(study.methods[number].term), "", number)


def _preference(study: Study, ablation: Ablation) -> tuple[int, float]:
    run = sum(row.method is not None for row in ablation.rows if row.meaning)
    mean = study.mean(study.methods[ablation.full], "auroc").mean
    return -run, math.inf if math.isnan(mean) else -mean


def _options(study: Study, full: int, partial: Sequence[int], flat: Mapping[int, Mapping[str, Any]]) -> list[Row]:
    """A row for every option of `ablation` that the detector can be run with, and for the user's own."""
    detector = _detector(study, full)
    same = [number for number in partial if _detector(study, number) == detector]
    names = dict.fromkeys([*(_shipped() if detector == "omasgan" else ()), *(study.methods[n].ablation for n in same)])
    return [Row(name, _meaning(name), _with_option(study, full, name, same, flat)) for name in names]


def _detector(study: Study, number: int) -> str:
    return study.methods[number].name.split(" ")[0]


def _with_option(
    study: Study, full: int, name: str, partial: Sequence[int], flat: Mapping[int, Mapping[str, Any]]
) -> int | None:
    """The method that was run with an option of `ablation`, and else with the settings of the whole detector."""
    candidates = [number for number in partial if study.methods[number].ablation == name]
    option = _shipped().get(name)
    if option is None:  # which settings a user's own option sets is not known
        return min(candidates, key=lambda number: len(_differing(flat[number], flat[full])), default=None)
    sets = {key for key, _ in leaves(option.settings)}
    return next((number for number in candidates if _differing(flat[number], flat[full]) <= sets), None)


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    return {key for key in {*one, *other} if one.get(key) != other.get(key)}


def _meaning(name: str) -> str:
    """What an option leaves out: the first sentence of its file."""
    option = _shipped().get(name)
    return SENTENCE_END.split(option.summary)[0].rstrip(".") if option else f"the option ablation={name}"


@cache
def _shipped() -> dict[str, reference.Option]:
    """The options of `ablation` that leave something out, by name."""
    return {option.name: option for option in reference.group("ablation").options if option.name != WHOLE}
