"""Chooses and sorts runs by their settings and figures, for `task=list`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from omasgan.errors import UserError
from omasgan.evaluation.objective import SPLITS
from omasgan.report.folders import Run
from omasgan.report.run_table import values_of
from omasgan.report.sweep_analysis import LOWER_IS_BETTER
from omasgan.text import did_you_mean

CONDITION = re.compile(r"\s*([^<>=!\s]+)\s*(<=|>=|!=|==?|<|>)\s*(.+?)\s*")

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def chosen(runs: Sequence[Run], where: str | None, sort: str | None) -> list[Run]:
    """The runs that meet all conditions, sorted.

    Parameters
    ----------
    runs
        The runs.
    where
        Conditions such as 'mu>1, state=done'; numbers are compared as numbers, everything else as text. A run that
        lacks the setting or figure does not meet the condition. None for none.
    sort
        A setting or figure; of a figure the best is the first. Runs that lack it are last. None keeps the order.

    Raises
    ------
    UserError
        For a condition that cannot be read, and a setting or figure that no run has.
    """
    values = {run.folder: values_of(run) for run in runs}
    names = list(dict.fromkeys(name for own in values.values() for name in own))
    found = list(runs)
    for condition in where.split(",") if where else []:
        name, meets = _condition(condition, names)
        found = [run for run in found if meets(values[run.folder].get(name))]
    if sort is None:
        return found
    name = _column("list.sort", sort, names)
    split, _, figure = name.partition("/")
    falling = split in SPLITS and figure.partition("/")[0] not in LOWER_IS_BETTER
    known = [run for run in found if values[run.folder].get(name) is not None]
    known.sort(key=lambda run: _sortable(values[run.folder], name), reverse=falling)
    return [*known, *(run for run in found if values[run.folder].get(name) is None)]


def _condition(text: str, names: Collection[str]) -> tuple[str, Callable[[object], bool]]:
    parsed = CONDITION.fullmatch(text)
    if parsed is None:
        raise UserError(
            f"list.where: '{text.strip()}' is no condition: give a setting or figure, one of "
            f"{' '.join(COMPARISONS)}, and a value, as in mu>1 or state=done"
        )
    given, sign, value = parsed.groups()
    wanted = _number(value)
    if isinstance(wanted, str) and sign not in ("=", "==", "!="):
        raise UserError(f"list.where: '{text.strip()}' compares with '{value}', which is no number: use = or !=")

    def meets(own: object) -> bool:
        own = _number(str(own)) if own is not None else None
        return own is not None and type(own) is type(wanted) and COMPARISONS[sign](own, wanted)

    return _column("list.where", given, names), meets


def _column(key: str, given: str, names: Collection[str]) -> str:
    """The full name of a setting or figure, of which the last part is enough where no other has the same."""
    if given in names:
        return given
    ending = [name for name in names if name.rpartition(".")[2].rstrip("_") == given]
    if len(ending) == 1:
        return ending[0]
    if ending:
        raise UserError(f"{key}: '{given}' may be {' or '.join(ending)}: give the full name")
    raise UserError(f"{key}: no run has a setting or figure '{given}'{did_you_mean(given, names)}")


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _sortable(values: Mapping[str, object], name: str) -> tuple[bool, float, str]:
    """Numbers before texts."""
    number = _number(str(values[name]))
    return (False, number, "") if isinstance(number, float) else (True, 0.0, number)
