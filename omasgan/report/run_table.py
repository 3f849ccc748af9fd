"""The table of runs: a row for each run with the settings that differ, its state, its figures and its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omasgan.configuration.classes import CLASS_KEYS, PSEUDO_KEY
from omasgan.evaluation.objective import flat
from omasgan.files import make_folder, write_text
from omasgan.report.configurations import DATA, PLACES, TARGET, differing, flatten, leaves
from omasgan.report.folders import Run
from omasgan.text import to_csv

CHOICES = ("dataset", "protocol", "detector", "ablation")
"""The groups whose option has a column whether it differs or not."""


def run_table(runs: Sequence[Run]) -> tuple[list[str], list[list[object]]]:
    """Make the table of runs.

    Parameters
    ----------
    runs
        The runs, in the order of the rows.

    Returns
    -------
    tuple of list of str and list of list of object
        The names of the columns and the rows, with None where a run has no such value. A column for each figure is
        named as in metrics.json, such as 'test/auroc/full'.
    """
    settings = [_settings(run) for run in runs]
    varied = _varied(runs, settings)
    figures = [flat(run.objective.split, run.metrics) if run.objective else {} for run in runs]
    names = list(dict.fromkeys(name for of in figures for name in of))
    header = [*CHOICES, "class", "seed", *varied, "state", "seconds", *names, "folder"]
    rows: list[list[object]] = []
    for run, own, measured in zip(runs, settings, figures, strict=True):
        who = [*(run.choices.get(group) for group in CHOICES), run.cls or None, run.seed if run.config else None]
        seconds = sum(run.seconds.values()) if run.seconds else None
        values = [own.get(name) for name in varied]
        rows.append([*who, *values, run.state, seconds, *(measured.get(name) for name in names), str(run.folder)])
    return header, rows


def write_run_table(path: Path, runs: Sequence[Run]) -> None:
    """Write the table of runs as CSV, in which None is an empty field; its folder is made where it does not exist."""
    make_folder(path.parent)
    write_text(path, to_csv(*run_table(runs)))


def _settings(run: Run) -> dict[str, Any]:
    """The settings that determine a run's results, without those that have columns of their own."""
    if not run.config:
        return {}
    left_out = {*PLACES, *CLASS_KEYS, PSEUDO_KEY, TARGET}
    data = leaves({group: run.config.get(group) for group in DATA})
    return {**{key: value for key, value in data if key.rpartition(".")[2] not in left_out}, **flatten(run)}


def _varied(runs: Sequence[Run], settings: Sequence[dict[str, Any]]) -> list[str]:
    """The settings that differ among runs with the same choices; other choices have other settings."""
    alike: dict[tuple[str | None, ...], list[dict[str, Any]]] = {}
    for run, own in zip(runs, settings, strict=True):
        if own:
            alike.setdefault(tuple(run.choices.get(group) for group in CHOICES), []).append(own)
    return list(dict.fromkeys(name for group in alike.values() for name in differing(group)))
