"""Reads the runs' learning curves, and thins them until those of all runs fit into the page."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from omasgan.report.folders import DamagedError, Run, one_line

MOST_VALUES = 200_000
"""Values of all learning curves in the page: about 0.6 MB of it."""

FEWEST_POINTS, MOST_POINTS = 8, 200
"""Points of one curve in the page."""

Curves = dict[str, dict[str, tuple[list[int], list[float | None]]]]
"""Learning curves: stage -> name -> (steps, values)."""

Thinned = dict[int, dict[str, dict[str, list[list[Any]]]]]
"""Thinned curves: run -> stage -> name -> [steps, values]."""


def read(folder: Path) -> Curves:
    """Read a run's learning curves from metrics.jsonl.

    A last line without its end was cut short by a kill, and is left out.

    Parameters
    ----------
    folder
        The run's folder.

    Returns
    -------
    Curves
        The steps and values by stage and name; empty where there is no such file.

    Raises
    ------
    DamagedError
        Where a line is damaged; the message names it.
    """
    path = folder / "metrics.jsonl"
    try:
        *lines, _ = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedError(one_line(f"{path} cannot be read: {error}")) from None
    found: Curves = {}
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            stage, step, _ = row.pop("stage"), int(row.pop("step")), row.pop("time")
            for name, value in row.items():
                steps, values = found.setdefault(stage, {}).setdefault(name, ([], []))
                steps.append(step)
                values.append(None if value is None else float(value))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise DamagedError(f"{path} is damaged: remove line {number}") from None
    return found


def thinned(runs: Sequence[Run]) -> tuple[Thinned, list[str]]:
    """Read the learning curves of all runs, and thin them evenly until all of them fit.

    Parameters
    ----------
    runs
        The runs; a curve is keyed by its run's place among them.

    Returns
    -------
    tuple[Thinned, list[str]]
        The curves, with values of three figures, and a line for every damaged file.
    """
    found: dict[int, Curves] = {}
    problems = []
    for number, run in enumerate(runs):
        try:
            found[number] = read(run.folder)
        except DamagedError as error:
            problems.append(str(error))
    series = sum(len(names) for stages in found.values() for names in stages.values())
    points = max(FEWEST_POINTS, min(MOST_POINTS, MOST_VALUES // max(series, 1)))
    result: Thinned = {}
    for number, stages in found.items():
        for stage, names in stages.items():
            for name, (steps, values) in names.items():
                kept = np.unique(np.linspace(0, len(steps) - 1, min(points, len(steps))).round().astype(int))
                short = [_three_figures(values[i]) for i in kept]
                result.setdefault(number, {}).setdefault(stage, {})[name] = [[steps[i] for i in kept], short]
    return result, problems


def _three_figures(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.3g}")
