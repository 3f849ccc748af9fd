"""Hands the report to the loggers: tables and plots of all that was compared; in W&B a run of the type 'report'."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omasgan.report.detectors import DETECTORS, detector_rows
from omasgan.report.rows import LONG, MEAN, PAIRED, long_rows, paired_rows, ranked
from omasgan.report.scores import Scores
from omasgan.report.study import METRICS, Study
from omasgan.runs.logger import Identity, Logger
from omasgan.runs.record import open_record
from omasgan.text import heading
from omasgan.training.record import Record

BARS = 24
"""Bars of a plot, and methods of a setting in the summary, at most; the tables have more."""


def tell(folder: Path, study: Study, scores: Scores, loggers: Sequence[Logger]) -> None:
    """Hand the report to the loggers; nothing is done where there is no setting or no logger.

    Parameters
    ----------
    folder
        Where the record of the report lies, so that a later report in the same folder continues it.
    study
        The methods and their values.
    scores
        What the scores of the runs say.
    loggers
        The loggers; W&B's says to which project the report is exported.
    """
    if not loggers or not study.settings:
        return
    labels = [setting.label for setting in study.settings]
    identity = Identity(
        name=f"report on {', '.join(labels)}"[:120],
        group=labels[0] if len(labels) == 1 else "several settings",
        job_type="report",
        tags=tuple(dict.fromkeys(name for setting in study.settings for name in (setting.dataset, setting.protocol))),
    )
    config = {"settings": labels, "runs": [str(run.folder) for run in study.runs]}
    with open_record(folder, identity, config, loggers) as record:
        write(record, study, scores)


def write(record: Record, study: Study, scores: Scores) -> None:
    """Write the tables, a plot of each setting's means, and the means as summary.

    Parameters
    ----------
    record
        The open record of the W&B run.
    study
        The methods and their values.
    scores
        What the scores of the runs say.
    """
    record.table("results", LONG, long_rows(study, scores, printed=True))  # W&B takes 10,000 rows
    record.table("comparison", PAIRED, paired_rows(study, scores))
    record.table("detectors", DETECTORS, detector_rows(study, scores))
    record.table("ablation", *_ablation(study))
    for setting, where in enumerate(study.settings):
        columns, rows = _sweep(study, setting)
        if len(columns) > 2:
            record.table(f"{where.split} sweep of {where.label}", columns, rows)
        shown = [number for number in ranked(study, setting) if study.mean(study.methods[number], "auroc").n][:BARS]
        means = {study.methods[n].label: study.mean(study.methods[n], "auroc").mean for n in shown}
        if means:
            record.bars(f"{where.split} AUROC of {where.label}", "method", "AUROC", means)
    for setting, where in enumerate(study.settings):
        for number in ranked(study, setting)[:BARS]:
            method = study.methods[number]
            row = {metric: study.mean(method, metric) for metric in METRICS}
            place = f"{where.label}/{method.label}/{MEAN}"
            record.summary({f"{where.split}/{place}/{metric}": cell.mean for metric, cell in row.items() if cell.n})


def _ablation(study: Study) -> tuple[list[str], list[list[object]]]:
    """The columns and rows of the ablation: a row a detector, with the mean AUROC of each of its terms."""
    terms = list(dict.fromkeys(method.term for method in study.methods if not method.baseline))
    rows: dict[tuple[int, str], dict[str, float]] = {}
    for method in study.methods:
        if not method.baseline and (cell := study.mean(method, "auroc")).state == "done":
            rows.setdefault((method.setting, method.name), {})[method.term] = cell.mean
    body: list[list[object]] = [
        [study.settings[setting].label, name, *(values.get(term) for term in terms)]
        for (setting, name), values in rows.items()
    ]
    return ["setting", "detector", *map(heading, terms)], body


def _sweep(study: Study, setting: int) -> tuple[list[str], list[list[object]]]:
    """The columns and rows of a sweep: a row a combination of the settings that vary, with its means of all metrics."""
    swept = [study.methods[n] for n in study.of(setting) if study.methods[n].main and study.methods[n].varied]
    keys = list(dict.fromkeys(key for method in swept for key in method.varied))
    body: list[list[object]] = []
    for method in swept:
        cells = [study.mean(method, metric) for metric in METRICS]
        values = [None if (value := method.varied.get(key)) is None else str(value) for key in keys]
        body.append([method.name, *values, *(cell.mean if cell.state == "done" else None for cell in cells)])
    return ["detector", *keys, *(METRICS.values() if keys else [])], body
