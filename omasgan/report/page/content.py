"""What the page shows, as plain types that JSON can hold."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from omasgan.evaluation.objective import ON
from omasgan.report.ablation import Ablation
from omasgan.report.ablation_table import table
from omasgan.report.comparison import Comparison
from omasgan.report.configurations import differing, flatten
from omasgan.report.detectors import Detectors, all_detectors, note
from omasgan.report.folders import Run
from omasgan.report.learning_curves import thinned
from omasgan.report.page.embedded_pictures import PICTURES, Pictures, Sheet
from omasgan.report.published import published
from omasgan.report.ranking import quantiles
from omasgan.report.rows import cells, columns
from omasgan.report.samples import Compared
from omasgan.report.scores import ROC_RATES, Scores
from omasgan.report.study import BASELINES_NAME, METRICS, Study, is_sweep
from omasgan.report.sweeps import Sweep, sweeps, trial_of
from omasgan.text import CHOSEN_ON_TEST, heading

Variant = tuple[int | None, str, Mapping[str, Any]]
"""A run's setting, the name of its detector's variant, and its values of the settings in which the variants differ."""


def data(study: Study, scores: Scores, shown: Pictures, problems: Sequence[str], created: str) -> dict[str, Any]:
    """Collect all that the page shows.

    Parameters
    ----------
    study
        The runs and their methods.
    scores
        What the scores of the runs say.
    shown
        The pictures that are embedded.
    problems
        What the reader should look at, a line each.
    created
        When the report was made.

    Returns
    -------
    dict[str, Any]
        The content, in which numbers have six decimals, and are None where there is none.
    """
    curves, damaged = thinned(study.runs)
    variant_of = _variants(study)
    configurations, configuration_of = _configurations(study.runs)
    return {
        "created": created,
        "metrics": METRICS,
        "quantiles": quantiles(),
        "pictures": PICTURES,
        "pictures_left_out": shown.left_out,
        "roc_rates": ROC_RATES,
        "headings": {term: heading(term) for run in study.runs for term in run.metrics},
        "configurations": configurations,
        "samples": [_samples(place, of, shown.sheets.get(place)) for place, of in scores.compared.items()],
        "settings": [_setting(study, scores, number) for number in range(len(study.settings))],
        "methods": [_method(study, scores, number) for number in range(len(study.methods))],
        "sweeps": [_sweep(sweep) for sweep in sweeps(study)],
        "detectors": [_detectors(study, found) for found in all_detectors(study, scores)],
        "ablations": [_ablation(study, scores, ablation) for ablation in scores.ablations],
        "runs": [
            {
                **_run(run, variant_of.get(number, (None, run.choices.get("detector", ""), {}))),
                **_score_plots(scores, number),
                "configuration": configuration_of.get(number),
                "curves": curves.get(number, {}),
                "pictures": shown.urls.get(number, {}),
            }
            for number, run in enumerate(study.runs)
        ],
        "problems": [*problems, *shown.problems, *damaged],
    }


def _setting(study: Study, scores: Scores, number: int) -> dict[str, Any]:
    setting, pairs = study.settings[number], scores.pairs[number]
    known = published(setting)
    return {
        **asdict(setting),
        "label": setting.heading,
        "split": setting.split,
        "on": ON[setting.split],
        "note": setting.note,
        "warning": CHOSEN_ON_TEST if setting.split == "test" and is_sweep(study, number) else "",
        "columns": columns(study, number),
        "published": asdict(known) if known else None,
        "pairs": {"methods": pairs.methods, "deviation": bfloat16(pairs.deviation)},
    }


def _method(study: Study, scores: Scores, number: int) -> dict[str, Any]:
    method = study.methods[number]
    rows = {metric: cells(study, scores, number, metric) for metric in METRICS}
    first = rows["auroc"]
    return {
        "setting": method.setting,
        "label": method.label,
        "name": method.name,
        "term": method.term,
        "heading": heading(method.term),
        "baseline": method.baseline,
        "main": method.main,
        "ablation": method.ablation,
        "varied": method.varied,
        "states": [cell.state for cell in first],
        "complete": [cell.complete for cell in first],
        "classes": first[-1].classes,
        "runs": [list(cell.runs) for cell in first[:-1]],
        "cells": {
            metric: [[_six(v) for v in (c.mean, c.deviation, c.n, c.low, c.high)] for c in row]
            for metric, row in rows.items()
        },
    }


def _ablation(study: Study, scores: Scores, ablation: Ablation) -> dict[str, Any]:
    rows = zip(ablation.rows, table(study, scores, ablation), strict=True)
    cells = [
        {**asdict(row), "cells": [{key: _six(value) for key, value in asdict(cell).items()} for cell in of]}
        for row, of in rows
    ]
    return {"full": ablation.full, "rows": cells}


def _detectors(study: Study, found: Detectors) -> dict[str, Any]:
    rows = [
        {
            "method": row.method,
            "differences": {cls: _difference(*pair) for cls, pair in row.differences.items()},
            "cost": asdict(row.cost),
            "published": asdict(row.published) if row.published else None,
            **{key: getattr(row, key) for key in ("kind", "better", "worse")},
        }
        for row in found.rows
    ]
    reference = found.reference
    return {
        "setting": found.setting,
        "reference": reference,
        "rows": rows,
        "note": note(study.methods[reference].label),
    }


def _difference(one: Comparison, p: float) -> dict[str, float | None]:
    return {"difference": _six(one.difference), "low": _six(one.low), "high": _six(one.high), "p": _six(p)}


def _sweep(sweep: Sweep) -> dict[str, Any]:
    effects = {
        metric: {term: [[key, _six(span), _six(share)] for key, span, share in found] for term, found in terms.items()}
        for metric, terms in sweep.effects.items()
    }
    return {**asdict(sweep), "effects": effects}


def _variants(study: Study) -> dict[int, Variant]:
    """The variant of every run whose setting is known."""
    found: dict[int, Variant] = {}
    for method in study.methods:
        if not method.baseline or method.name != BASELINES_NAME:
            for numbers in [*method.rest.values(), *(n for seeds in method.done.values() for n in seeds.values())]:
                for number in numbers:
                    found.setdefault(number, (method.setting, method.name, method.varied))
    return found


def _run(run: Run, variant: Variant) -> dict[str, Any]:
    setting, name, varied = variant
    return {
        "folder": str(run.folder),
        "state": run.state,
        "setting": setting,
        "name": name,
        "class": run.cls,
        "seed": run.seed,
        "trial": trial_of(run),
        "error": run.error,
        "made": run.made,
        "split": run.objective.split if run.objective else None,
        "tested": list(run.objective.abnormal) if run.objective else [],
        "seconds": {key: round(value, 1) for key, value in run.seconds.items()},
        "support": {key: {k: _six(v) for k, v in of.items()} for key, of in run.support.items()},
        "varied": varied,
        "metrics": {
            term: [_six(values.get(key, math.nan)) for key in (*METRICS, "auroc_low", "auroc_high")]
            for term, values in run.metrics.items()
        },
    }


def _score_plots(scores: Scores, number: int) -> dict[str, Any]:
    shown = scores.shown.get(number)
    return asdict(shown) if shown else {"normals": 0, "histograms": {}, "rocs": {}, "shares": {}}


def _samples(place: tuple[int, str], samples: Compared, sheet: Sheet | None) -> dict[str, Any]:
    """The samples of a setting and class that the page compares one by one."""
    setting, cls = place
    return {
        "setting": setting,
        "class": cls,
        "index": samples.index.tolist(),
        "classes": [samples.class_names[i] for i in samples.class_index.tolist()],
        "abnormal": samples.label.astype(int).tolist(),
        "names": samples.names,
        "disputed": samples.disputed,
        "sheet": asdict(sheet) if sheet else None,
    }


def _configurations(runs: Sequence[Run]) -> tuple[list[dict[str, Any]], dict[int, int]]:
    """The settings in which any two runs differ: the different combinations, and that of every run by its place."""
    place_of: dict[tuple[str, ...], int] = {}
    flat: list[dict[str, Any]] = []
    numbers: dict[int, int] = {}
    for number, run in enumerate(runs):
        if run.config:
            key = (run.identity or str(run.folder), run.choices.get("detector", ""), run.choices.get("ablation", ""))
            if key not in place_of:
                place_of[key] = len(flat)
                flat.append({"detector": key[1], "ablation": key[2], **flatten(run)})
            numbers[number] = place_of[key]
    keys = differing(flat)
    return [{key: settings[key] for key in keys if key in settings} for settings in flat], numbers


def _six(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


def bfloat16(values: np.ndarray[Any, Any]) -> str:
    """Pack numbers in two bytes each.

    Parameters
    ----------
    values
        Numbers of any shape.

    Returns
    -------
    str
        Base64 of the upper half of the bits of each as float32, rounded: three figures, as many as the width of an
        interval needs.
    """
    bits = np.ascontiguousarray(values, "<f4").view("<u4")
    rounded = np.where(np.isnan(values), np.uint32(0x7FC0), (bits + np.uint32(0x7FFF)) >> 16)
    return base64.b64encode(rounded.astype("<u2").tobytes()).decode()
