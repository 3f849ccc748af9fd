"""The report's figures for the loggers: tables and plots of all that was compared; in W&B, a run of type 'report'."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omasgan.report.comparison import Scores
from omasgan.report.methods import METRICS, Study
from omasgan.report.tables import LONG, MEAN, PAIRED, long_rows, paired_rows, ranked
from omasgan.runs.logger import Identity, Logger
from omasgan.runs.record import open_record
from omasgan.text import heading
from omasgan.training.record import Record

BARS = 24
"""Bars of a plot, at most; the tables have all methods."""


def tell(folder: Path, study: Study, scores: Scores, loggers: Sequence[Logger]) -> None:
    """Tell the loggers; the record lies in `folder`, so that a later report there goes on with it."""
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
    """Tables: results, comparison, ablation and sweep; a plot of each setting's means; the means as the summary."""
    record.table("results", LONG, long_rows(study, scores, printed=True))  # W&B takes 10,000 rows
    record.table("comparison", PAIRED, paired_rows(study, scores))
    record.table("ablation", *_ablation(study))
    for setting, where in enumerate(study.settings):
        columns, rows = _sweep(study, setting)
        if len(columns) > 2:
            record.table(f"sweep of {where.label}", columns, rows)
        shown = [number for number in ranked(study, setting) if study.mean(study.methods[number], "auroc").n][:BARS]
        means = {study.methods[n].label: study.mean(study.methods[n], "auroc").mean for n in shown}
        if means:
            record.bars(f"AUROC of {where.label}", "method", "AUROC", means)
    for setting, where in enumerate(study.settings):
        for number in ranked(study, setting)[:BARS]:
            method = study.methods[number]
            row = {metric: study.mean(method, metric) for metric in METRICS}
            place = f"{where.label}/{method.label}/{MEAN}"
            record.summary({f"{place}/{metric}": cell.mean for metric, cell in row.items() if cell.n})


def _ablation(study: Study) -> tuple[list[str], list[list[object]]]:
    """A row a detector, its terms' mean AUROCs."""
    terms = list(dict.fromkeys(method.term for method in study.methods if not method.floor))
    rows: dict[tuple[int, str], dict[str, float]] = {}
    for method in study.methods:
        if not method.floor and (cell := study.mean(method, "auroc")).state == "done":
            rows.setdefault((method.setting, method.name), {})[method.term] = cell.mean
    body: list[list[object]] = [
        [study.settings[setting].label, name, *(values.get(term) for term in terms)]
        for (setting, name), values in rows.items()
    ]
    return ["setting", "detector", *map(heading, terms)], body


def _sweep(study: Study, setting: int) -> tuple[list[str], list[list[object]]]:
    """A row a combination of the settings that vary, with its own score's mean metrics."""
    swept = [study.methods[n] for n in study.of(setting) if study.methods[n].main and study.methods[n].varied]
    keys = list(dict.fromkeys(key for method in swept for key in method.varied))
    body: list[list[object]] = []
    for method in swept:
        cells = [study.mean(method, metric) for metric in METRICS]
        values = [None if (value := method.varied.get(key)) is None else str(value) for key in keys]
        body.append([method.name, *values, *(cell.mean if cell.state == "done" else None for cell in cells)])
    return ["detector", *keys, *(METRICS.values() if keys else [])], body
