"""Reads run folders: what they compare, and what their scores say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omasgan.report import folders
from omasgan.report.folders import Run
from omasgan.report.methods import build_study
from omasgan.report.scores import Scores, class_names, read_scores
from omasgan.report.study import Study


@dataclass(frozen=True)
class Reading:
    """All that the report shows.

    Attributes
    ----------
    study
        The runs, and the methods that they compare.
    scores
        What the scores of the runs say.
    problems
        A line for every file that is damaged, and for all else that the reader should look at.
    """

    study: Study
    scores: Scores
    problems: list[str]


def read(where: list[Path]) -> Reading:
    """Read all runs at or below some folders.

    Parameters
    ----------
    where
        Run folders, or folders that hold some at any depth.

    Returns
    -------
    Reading
        All that the report shows.

    Raises
    ------
    UserError
        Where there is no run.
    """
    found = [folders.read(folder) for folder in folders.find(where)]
    runs = [run for run, _ in found]
    problems = [problem for _, damaged in found for problem in damaged]
    study = build_study(runs, _class_names(runs))
    scores = read_scores(study, workers=min(os.cpu_count() or 1, 8))
    return Reading(study, scores, [*problems, *study.problems, *scores.problems])


def _class_names(runs: Sequence[Run]) -> dict[int, list[str]]:
    """All classes of the runs' data sets, by run; one run of a data set and protocol tells them."""

    def kind(run: Run) -> tuple[str | None, str | None, str]:
        return run.choices.get("dataset"), run.choices.get("protocol"), str(run.config.get("dataset"))

    names: dict[tuple[str | None, str | None, str], list[str]] = {}
    for run in runs:
        if run.state == "done" and run.role and not names.get(kind(run)):
            names[kind(run)] = class_names(run.folder / "scores.npz")
    return {number: found for number, run in enumerate(runs) if (found := names.get(kind(run)))}


def counts(study: Study) -> str:
    """Return how many runs there are of each state: '12 runs (10 done, 1 failed, 1 interrupted)'."""
    states = [run.state for run in study.runs]
    each = ", ".join(f"{states.count(s)} {s}" for s in folders.STATES if s in states)
    return f"{len(states)} run{'s' * (len(states) != 1)} ({each})"
