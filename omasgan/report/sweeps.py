"""What a figure of a sweep needs beside its runs: default values, how much each setting matters, and trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omasgan.errors import UserError
from omasgan.report.defaults import defaults_of
from omasgan.report.folders import Run
from omasgan.report.parameter_effects import importances, is_grid, main_effects
from omasgan.report.study import METRICS, Method, Study
from omasgan.report.sweep_analysis import Variant, rank
from omasgan.runs.search_journal import load_study


@dataclass(frozen=True)
class Sweep:
    """The settings with which a detector has been run on a data set and protocol.

    Attributes
    ----------
    setting
        The data set and protocol, by its place in the study.
    detector
        The detector's option.
    defaults
        The default of every setting that varies, where it is known.
    grid
        Whether the runs are all combinations of the settings' values, so that the effects of two are not mixed.
    effects
        By metric and term (that of the detector's own score is empty), the main effects: setting, span and share; see
        `parameter_effects.Effect`.
    importances
        In a search, the importance of every setting by functional ANOVA of the complete trials.
    objective
        What the search maximised; or why its importances are not known. Empty for any other sweep.
    """

    setting: int
    detector: str
    defaults: Mapping[str, Any]
    grid: bool
    effects: Mapping[str, Mapping[str, list[tuple[str, float, float]]]]
    importances: Mapping[str, float]
    objective: str


def sweeps(study: Study) -> list[Sweep]:
    """Find the sweeps among the runs: detectors that have been run with several values of their settings.

    Parameters
    ----------
    study
        The runs and their methods.

    Returns
    -------
    list[Sweep]
        A sweep for every setting and detector.
    """
    grouped: dict[tuple[int, str], list[Method]] = {}
    for method in study.methods:
        if method.varied and method.ablation == "none":
            grouped.setdefault((method.setting, method.name.split(" ")[0]), []).append(method)
    return [_sweep(study, setting, detector, methods) for (setting, detector), methods in grouped.items()]


def _sweep(study: Study, setting: int, detector: str, methods: Sequence[Method]) -> Sweep:
    main = [method for method in methods if method.main]
    keys = dict.fromkeys(key for method in methods for key in method.varied)
    runs = [study.runs[number] for method in main for number in _runs(method)]
    defaults = defaults_of(runs)
    variants = [_variant(study, method) for method in main]
    terms = ["", *dict.fromkeys(method.term for method in methods)]
    searched = bool(runs) and all(trial_of(run) is not None for run in runs)
    found, objective = _importances(runs) if searched else ({}, "")
    measured = [] if searched else METRICS  # each trial of a search has values of its own, which have no main effect
    return Sweep(
        setting=setting,
        detector=detector,
        defaults={key: defaults[key] for key in keys if key in defaults},
        grid=is_grid(rank(variants).rows),
        effects={metric: {term: _effects(variants, metric, term) for term in terms} for metric in measured},
        importances=found,
        objective=objective,
    )


def _runs(method: Method) -> list[int]:
    return [*method.finished, *(number for members in method.rest.values() for number in members)]


def _variant(study: Study, method: Method) -> Variant:
    runs = {(cls, seed): study.runs[n[0]] for cls, seeds in method.done.items() for seed, n in seeds.items()}
    return Variant(method.varied, runs)


def _effects(variants: Sequence[Variant], metric: str, term: str) -> list[tuple[str, float, float]]:
    rows = rank(variants, metric, term or None).rows
    return [(effect.parameter, effect.span, effect.share) for effect in main_effects(rows)] if len(rows) > 1 else []


def trial_of(run: Run) -> int | None:
    """Return the number of the trial of a search that a run is a part of; None for a run outside a search."""
    trial = _search(run).get("trial")
    return trial if isinstance(trial, int) else None


def _search(run: Run) -> Mapping[str, Any]:
    search = run.config.get("search")
    return search if isinstance(search, dict) else {}


def _importances(runs: Sequence[Run]) -> tuple[dict[str, float], str]:
    """The importances of the search of most of the runs, and its objective; or none, and why."""
    journals = [Path(str(_search(run).get("journal"))) for run in runs]
    journal = max(dict.fromkeys(journals), key=journals.count)
    if not journal.is_file():
        return {}, f"not known, as there is no {journal}"
    try:
        study = load_study(journal)
    except (UserError, KeyError, ValueError, OSError) as error:
        return {}, f"not known, as {journal} cannot be read: {error}"
    return importances(study), str(study.user_attrs.get("objective", ""))
