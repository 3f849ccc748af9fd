"""What a sweep ends with: its settings, the best first, how sure that order is, what matters, and what to run next."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from omasgan.configuration.sweep_names import APART, in_sweep
from omasgan.report import folders
from omasgan.report.configurations import DATA
from omasgan.report.folders import Run
from omasgan.report.parameter_effects import importances
from omasgan.report.run_table import write_run_table
from omasgan.report.settings import group_by_setting
from omasgan.report.study import Setting
from omasgan.report.sweep_analysis import Cell, Ranking, Variant, rank, varied
from omasgan.runs import folder as run_folders
from omasgan.runs.folder import main_term
from omasgan.sweeps import ranking_text as text
from omasgan.sweeps.criterion import Criterion, criterion
from omasgan.sweeps.jobs import SweepJob
from omasgan.text import CHOSEN_ON_TEST

COMPARED = (*DATA, "detector", "ablation", "experiment")
"""Keys that are compared by a sweep, and not chosen by it."""

FOLDER = "sweeps"
"""The folder, below the folder `runs`, that holds a folder with runs.csv for each sweep."""

Values = tuple[tuple[str, str], ...]
"""A setting: the values of the keys that differ between jobs, apart from seed and class."""

Command = Callable[[SweepJob], str | None]
"""The command of the final run with the settings of a job; None where it cannot be told."""


def conclude(
    jobs: Sequence[SweepJob],
    top: Path,
    objective: str | None,
    command: Command,
    study: Any = None,
    unranked: Collection[Path] = (),
) -> str:
    """Write runs.csv, and make the text that a sweep ends with.

    Parameters
    ----------
    jobs
        All jobs of the sweep.
    top
        The folder `runs`.
    objective
        `sweep.objective`.
    command
        Makes the command of the final run.
    study
        optuna's study of a search; None for a grid.
    unranked
        Folders of jobs that are only in runs.csv, such as those of pruned trials.

    Returns
    -------
    str
        For each data set and protocol: the table of settings, the best first, which of them are within the noise of
        the best, how much each parameter matters, and the command of the final run. Empty where there is no run.
    """
    found = [(job, folders.read(part)[0]) for job in jobs if job.folder for part in run_folders.find(job.folder)]
    if not any(run.choices for _, run in found):
        return ""
    runs = [run for _, run in found]
    choices = next(run.choices for run in runs if run.choices)
    overrides = [override for override in jobs[0].overrides if not override.startswith("hydra")]
    name = re.sub(r"[^\w.+-]+", "_", in_sweep(overrides, list(jobs[0].values), choices).name)
    target = top / FOLDER / name / "runs.csv"
    write_run_table(target, runs)
    settings, setting_of = group_by_setting(runs, {})
    parts = []
    for number, setting in enumerate(settings):
        members = [(found[place][0], runs[place]) for place, of in setting_of.items() if of == number]
        members = [(job, run) for job, run in members if job.folder not in unranked]
        parts.append(_of_setting(setting, members, criterion(objective, setting.protocol), command, study))
    nothing = _without_results(jobs, [job for job, run in found if run.state == "done"])
    return "\n\n".join(filter(None, [*parts, f"{nothing}a row for each run: {target}"]))


def _of_setting(
    setting: Setting, members: Sequence[tuple[SweepJob, Run]], wanted: Criterion, command: Command, study: Any
) -> str:
    """The text on one data set and protocol."""
    variants, first = _variants(members)
    if not variants:
        return ""
    ranking = rank(variants, wanted.metric, wanted.term)
    if not ranking.rows:
        known = ", ".join(dict.fromkeys(term for v in variants for run in v.runs.values() for term in run.metrics))
        return f"{setting.label}: no run has an {wanted}, which sweep.objective names: its terms are {known}"
    title = f"{setting.label}: {_named(wanted, ranking)}"
    results = [title, text.caption(ranking), text.ranking_table(ranking), text.left_out_text(ranking)]
    if len(ranking.rows) == 1:
        return _lines(results)
    effects = text.importances_text(importances(study), len(ranking.rows)) if study else text.effects_text(ranking)
    blocks = [_lines([*results, text.noise_text(ranking)]), effects]
    if chooses(variants):
        best = next(job for variant, job in zip(variants, first, strict=True) if variant is ranking.rows[0].variant)
        blocks.append(_next(command(best), wanted))
    return "\n\n".join(filter(None, blocks))


def _variants(members: Sequence[tuple[SweepJob, Run]]) -> tuple[list[Variant], list[SweepJob]]:
    """The settings that have finished runs, and a job of each; runs that differ only in seed or class are of one."""
    runs_of: dict[Values, dict[Cell, Run]] = {}
    first: dict[Values, SweepJob] = {}
    for job, run in members:
        if run.state == "done" and run.metrics:
            first.setdefault(_values(job), job)
            runs_of.setdefault(_values(job), {})[run.cls, run.seed] = run
    return [Variant(dict(values), runs) for values, runs in runs_of.items()], list(first.values())


def _values(job: SweepJob) -> Values:
    return tuple((key, value) for key, value in job.values.items() if key not in APART)


def _without_results(jobs: Sequence[SweepJob], finished: Sequence[SweepJob]) -> str:
    """A line that names the settings of which no run is finished, or nothing."""
    empty = dict.fromkeys(map(_values, jobs)).keys() - set(map(_values, finished))
    keys = list(dict.fromkeys(key for values in empty for key, _ in values))
    names = [text.label(dict(values), keys) for values in dict.fromkeys(map(_values, jobs)) if values in empty and keys]
    return f"no finished run: {text.listed(names)}\n" if names else ""


def _named(wanted: Criterion, ranking: Ranking) -> str:
    """What the settings are ranked by; the detectors' main term by its name where all have the same one."""
    terms = {main_term(dict(run.metrics)) for row in ranking.rows for run in row.variant.runs.values()}
    return str(replace(wanted, term=wanted.term or (terms.pop() if len(terms) == 1 else None)))


def _next(line: str | None, wanted: Criterion) -> str:
    """What to run next."""
    on_test = wanted.split == "test"
    if line is None:
        return CHOSEN_ON_TEST if on_test else ""
    return f"the best setting, {CHOSEN_ON_TEST}:\n  {line}" if on_test else f"final run, on the test split:\n  {line}"


def _lines(lines: Sequence[str]) -> str:
    return "\n".join(filter(None, lines))


def chooses(variants: Sequence[Variant]) -> bool:
    """Whether settings of a method are chosen among, and not only detectors, ablations or data sets compared."""
    roots = {re.split(r"[.@]", key.lstrip("+~"))[0] for key in varied(variants)}
    return bool(roots - set(COMPARED))
