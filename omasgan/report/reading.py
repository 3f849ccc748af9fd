"""Run folders, read: what they compare and what their scores say."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from omasgan.report import comparison, folders
from omasgan.report.comparison import Scores
from omasgan.report.methods import Study, study


@dataclass(frozen=True)
class Reading:
    """Run folders, read: what they compare, what their scores say, and a line for every file that is damaged."""

    study: Study
    scores: Scores
    problems: list[str]


def read(where: list[Path]) -> Reading:
    """Read all runs at or below the places."""
    found = [folders.read(folder) for folder in folders.find(where)]
    runs = [run for run, _ in found]
    problems = [problem for _, damaged in found for problem in damaged]
    names: dict[int, list[str]] = {}
    seen: set[tuple[str | None, str | None, str]] = set()
    for number, run in enumerate(runs):  # one run of a kind tells the classes of its data
        kind = run.choices.get("dataset"), run.choices.get("protocol"), str(run.config.get("dataset"))
        if run.state == "done" and run.role and kind not in seen:
            names[number] = comparison.class_names(run.folder / "scores.npz")
            seen.update([kind] if names[number] else [])
    whole = study(runs, {number: classes for number, classes in names.items() if classes})
    scores = comparison.read_scores(whole, workers=min(os.cpu_count() or 1, 8))
    return Reading(whole, scores, [*problems, *whole.problems, *scores.problems])


def counts(found: Study) -> str:
    """12 runs (10 done, 1 failed, 1 interrupted)."""
    states = [run.state for run in found.runs]
    each = ", ".join(f"{states.count(s)} {s}" for s in folders.STATES if s in states)
    return f"{len(states)} run{'s' * (len(states) != 1)} ({each})"
