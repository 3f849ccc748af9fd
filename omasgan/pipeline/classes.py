"""A run over all classes: its table, a row a class and the mean, and its comparison plot."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from omasgan.evaluation import plots
from omasgan.files import json_bytes, write_json, write_text
from omasgan.pipeline.run import Job, Metrics
from omasgan.runs.folder import main_term
from omasgan.runs.logger import loggers
from omasgan.runs.record import open_record
from omasgan.text import figures, heading, table
from omasgan.training.record import Record


def means(runs: Mapping[str, Metrics], metric: str = "auroc") -> dict[str, float]:
    """The mean over classes of every term that all of them have: a run may have been made without the floors."""
    terms = [term for term in next(iter(runs.values())) if all(term in metrics for metrics in runs.values())]
    return {term: fmean(metrics[term][metric] for metrics in runs.values()) for term in terms}


def mean_auroc(runs: Mapping[str, Metrics]) -> float:
    """The mean AUROC of the detector's score over the runs, each of which has one."""
    return fmean(metrics[main_term(metrics) or ""]["auroc"] for metrics in runs.values())


def auroc_table(runs: Mapping[str, Metrics], row_name: str) -> str:
    """AUROC, a row a class, then the mean."""
    mean = means(runs)
    rows = [[name, *(figures(metrics[term]["auroc"]) for term in mean)] for name, metrics in runs.items()]
    footer = ["mean", *(figures(value) for value in mean.values())] if len(runs) > 1 else None
    return table(rows, [row_name, *(heading(term) for term in mean)], footer)


def verdict(runs: Mapping[str, Metrics], floors: Collection[str]) -> str:
    """One line: the full score beside Task 1 and, if there are floors, the best of them, win or lose; else empty."""
    mean = means(runs)
    if "full" not in mean:
        return ""
    line = f"AUROC of full {figures(mean['full'])}: {mean['full'] - mean['task1']:+.3f} against Task 1"
    compared = [floor for floor in floors if floor in mean]
    if not compared:
        return line
    best = max(compared, key=lambda floor: mean[floor])
    return f"{line}, {mean['full'] - mean[best]:+.3f} against the best floor ({heading(best)}, {figures(mean[best])})"


def text(runs: Mapping[str, Metrics], row_name: str, floors: Collection[str]) -> str:
    """What a run shows at its end: the table and the verdict, if there is one."""
    return "\n".join(part for part in (auroc_table(runs, row_name), verdict(runs, floors)) if part)


def write(folder: Path, runs: Mapping[str, Metrics], row_name: str, floors: Collection[str], job: Job) -> None:
    """Write summary.json, table.txt and comparison.png, and tell the loggers of them unless they have been told."""
    values = {"mean": means(runs), "runs": runs}
    target = folder / "summary.json"
    news = not target.is_file() or target.read_bytes() != json_bytes(values)
    write_json(target, values)
    write_text(folder / "table.txt", text(runs, row_name, floors) + "\n")
    aurocs = {name: {heading(term): metrics[term]["auroc"] for term in metrics} for name, metrics in runs.items()}
    plots.save(plots.bar_comparison(aurocs, [heading(floor) for floor in floors]), folder / "comparison.png")
    chosen = loggers(job.config["logger"])
    if news and chosen:
        identity = replace(job.wandb, job_type="summary")
        with open_record(folder / "record", identity, dict(job.config), chosen) as record:
            tell(record, runs, row_name)
            record.picture("comparison", folder / "comparison.png")


def tell(record: Record, runs: Mapping[str, Metrics], row_name: str) -> None:
    """Hand over all classes' results: tables per_class and ablation, their plots, and the means as the summary."""
    columns = ["auroc", "auroc_low", "auroc_high", "auprc", "auprc_balanced", "fpr95", "prevalence"]
    rows = [
        [name, term, *(values[column] for column in columns)]
        for name, metrics in runs.items()
        for term, values in metrics.items()
    ]
    record.table("per_class", [row_name or "class", "term", *columns], rows)
    shown = ("auroc", "auprc", "auprc_balanced", "fpr95")
    mean = {metric: means(runs, metric) for metric in shown}
    record.table("ablation", ["term", *shown], [[term, *(mean[m][term] for m in shown)] for term in mean["auroc"]])
    record.bars("mean AUROC", "term", "AUROC", {heading(term): value for term, value in mean["auroc"].items()})
    main = main_term(mean["auroc"]) or ""
    by_class = {name: metrics[main]["auroc"] for name, metrics in runs.items()}
    record.bars(f"AUROC of {heading(main)} by class", row_name or "class", "AUROC", by_class)
    record.summary({f"{term}/{metric}": value for metric in ("auroc", "auprc") for term, value in mean[metric].items()})
