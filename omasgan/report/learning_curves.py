"""Reads the runs' learning curves, and thins them until those of all runs fit into the page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from omasgan.report.folders import DamagedError, Run, one_line

MOST_VALUES = 200_000
"""Values of all learning curves in the page: about 0.6 MB of it."""

FEWEST_POINTS, MOST_POINTS = 8, 200
"""Points of one curve in the page."""


@dataclass
class Curve:
    """One learning curve.

    Attributes
    ----------
    steps
        The steps of its stage, in rising order, at which there is a value.
    times
        When each value was recorded, in seconds since 1970.
    values
        The values; None for one that was not finite.
    """

    steps: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)


Curves = dict[str, dict[str, Curve]]
"""Learning curves: stage -> name -> curve."""

Thinned = dict[int, dict[str, list[dict[str, Any]]]]
"""Thinned curves: run -> stage -> groups of curves with the same steps, as the page reads them."""


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
        The curves by stage and name; empty where there is no such file.

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
    try:
        rows = json.loads(f"[{','.join(lines)}]")  # one call for all lines takes a third of the time of one for each
        whole = len(rows) == len(lines)
    except ValueError:
        whole = False
    found: Curves = {}
    for number, line in enumerate(rows if whole else lines, 1):
        try:
            row = line if whole else json.loads(line)
            stage, step, time = row.pop("stage"), int(row.pop("step")), float(row.pop("time"))
            curves = found.setdefault(stage, {})
            for name, value in row.items():
                curve = curves.get(name) or curves.setdefault(name, Curve())
                curve.steps.append(step)
                curve.times.append(time)
                curve.values.append(None if value is None else float(value))
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
        The curves, and a line for every damaged file. A group has `steps`, `seconds` since the first record of its
        stage, and `values`, by name, of three figures.
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
    groups = {n: {stage: _grouped(names, points) for stage, names in stages.items()} for n, stages in found.items()}
    return {number: stages for number, stages in groups.items() if stages}, problems


def _grouped(curves: Mapping[str, Curve], points: int) -> list[dict[str, Any]]:
    """The curves of a stage, thinned to so many points each; those with the same steps share them."""
    start = min(curve.times[0] for curve in curves.values())
    groups: dict[tuple[int, ...], dict[str, Any]] = {}
    for name, curve in curves.items():
        kept = np.unique(np.linspace(0, len(curve.steps) - 1, min(points, len(curve.steps))).round().astype(int))
        steps = [curve.steps[i] for i in kept]
        seconds = [round(curve.times[i] - start, 1) for i in kept]
        group = groups.setdefault(tuple(steps), {"steps": steps, "seconds": seconds, "values": {}})
        group["values"][name] = [_three_figures(curve.values[i]) for i in kept]
    return list(groups.values())


def _three_figures(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.3g}")
