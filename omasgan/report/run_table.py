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
    values = [values_of(run) for run in runs]
    figures = list(dict.fromkeys(name for run in runs for name in _figures(run)))
    header = [*CHOICES, "class", "seed", *varied(runs), "state", "seconds", *figures, "folder"]
    return header, [[own.get(name) for name in header] for own in values]


def values_of(run: Run) -> dict[str, object]:
    """All that is known of a run by the name of its column: options, class, seed, every setting, state and figures."""
    return {
        **{group: run.choices.get(group) for group in CHOICES},
        "class": run.cls or None,
        "seed": run.seed if run.config else None,
        **_settings(run),
        "state": str(run.state),
        "seconds": sum(run.seconds.values()) if run.seconds else None,
        **_figures(run),
        "folder": str(run.folder),
    }


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


def _figures(run: Run) -> dict[str, float]:
    return flat(run.objective.split, run.metrics) if run.objective else {}


def varied(runs: Sequence[Run]) -> list[str]:
    """The settings that differ among runs with the same choices; other choices have other settings."""
    settings = [_settings(run) for run in runs]
    alike: dict[tuple[str | None, ...], list[dict[str, Any]]] = {}
    for run, own in zip(runs, settings, strict=True):
        if own:
            alike.setdefault(tuple(run.choices.get(group) for group in CHOICES), []).append(own)
    return list(dict.fromkeys(name for group in alike.values() for name in differing(group)))
