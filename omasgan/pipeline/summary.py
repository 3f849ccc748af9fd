"""The results of several runs, one for each class: the table that is printed, summary.json and a comparison plot."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from omasgan.evaluation import plots
from omasgan.evaluation.objective import ON, Split, flat, metric_key
from omasgan.files import json_bytes, write_json, write_text
from omasgan.pipeline import listing
from omasgan.pipeline.job import Job, Metrics
from omasgan.pipeline.outputs import COLUMNS
from omasgan.runs.folder import main_term
from omasgan.runs.record import open_record
from omasgan.text import figures, heading, table
from omasgan.training.record import Record

AVERAGED = ("auroc", "auprc", "auprc_balanced", "fpr95")
"""The metrics whose means over the classes are shown."""


def means(runs: Mapping[str, Metrics], metric: str = "auroc") -> dict[str, float]:
    """The mean of a metric over the runs, for each term that all runs have; some runs may lack baselines."""
    terms = [term for term in next(iter(runs.values())) if all(term in metrics for metrics in runs.values())]
    return {term: fmean(metrics[term][metric] for metrics in runs.values()) for term in terms}


def auroc_table(runs: Mapping[str, Metrics], row_name: str) -> str:
    """The AUROC of every term as text, with a row for each run and, for several runs, one for the mean."""
    mean = means(runs)
    rows = [[name, *(figures(metrics[term]["auroc"]) for term in mean)] for name, metrics in runs.items()]
    footer = ["mean", *(figures(value) for value in mean.values())] if len(runs) > 1 else None
    return table(rows, [row_name, *(heading(term) for term in mean)], footer)


def verdict(runs: Mapping[str, Metrics], baselines: Collection[str]) -> str:
    """Compare the full score to Task 1 and the best baseline, in one line; empty where there is no full score."""
    mean = means(runs)
    if "full" not in mean:
        return ""
    line = f"AUROC of full {figures(mean['full'])}: {mean['full'] - mean['task1']:+.3f} against Task 1"
    compared = [baseline for baseline in baselines if baseline in mean]
    if not compared:
        return line
    best = max(compared, key=lambda baseline: mean[baseline])
    return (
        f"{line}, {mean['full'] - mean[best]:+.3f} against the best baseline ({heading(best)}, {figures(mean[best])})"
    )


def text(
    runs: Mapping[str, Metrics], row_name: str, baselines: Collection[str], split: Split, pretrained: bool = False
) -> str:
    """The text that a run prints at its end: the table, which samples it is on, and the verdict where there is one.

    `pretrained` says whether a network was used that others have trained on other images, which the text then says.
    """
    parts = (
        f"AUROC {ON[split]}{', with a pretrained network' if pretrained else ''}",
        auroc_table(runs, row_name),
        verdict(runs, baselines),
    )
    return "\n".join(part for part in parts if part)


def write(folder: Path, runs: Mapping[str, Metrics], row_name: str, baselines: Collection[str], job: Job) -> None:
    """Write summary.json, table.txt and comparison.png, and pass them to the loggers if they have changed.

    Parameters
    ----------
    folder
        The folder that holds the runs of all classes.
    runs
        Their metrics by class.
    row_name
        What a row of the table stands for, such as 'abnormal'; may be empty.
    baselines
        Names of the baselines.
    job
        The job of all classes.
    """
    mean = {metric_key(job.split, "auroc", term): value for term, value in means(runs).items()}
    values = {"mean": mean, "runs": {name: flat(job.split, metrics) for name, metrics in runs.items()}}
    target = folder / "summary.json"
    news = not target.is_file() or target.read_bytes() != json_bytes(values)
    write_json(target, values)
    write_text(folder / "table.txt", text(runs, row_name, baselines, job.split, job.pretrained) + "\n")
    aurocs = {name: {heading(term): metrics[term]["auroc"] for term in metrics} for name, metrics in runs.items()}
    plots.save(plots.bar_comparison(aurocs, [heading(baseline) for baseline in baselines]), folder / "comparison.png")
    if job.loggers and (news or job.trial):
        identity = replace(listing.identity(job), job_type="summary")
        with open_record(folder / "record", identity, listing.configuration(job), job.loggers) as record:
            tell(record, runs, row_name, job.split)
            record.picture("comparison", folder / "comparison.png")


def tell(record: Record, runs: Mapping[str, Metrics], row_name: str, split: Split) -> None:
    """Record the results of all classes: the tables `per_class` and `ablation`, bar charts, and the mean metrics."""
    rows = [
        [name, term, *(values[column] for column in COLUMNS)]
        for name, metrics in runs.items()
        for term, values in metrics.items()
    ]
    record.table("per_class", [row_name or "class", "term", *(f"{split}/{column}" for column in COLUMNS)], rows)
    mean = {metric: means(runs, metric) for metric in AVERAGED}
    columns = ["term", *(f"{split}/{metric}" for metric in AVERAGED)]
    record.table("ablation", columns, [[term, *(mean[m][term] for m in AVERAGED)] for term in mean["auroc"]])
    record.bars(f"mean {split} AUROC", "term", "AUROC", {heading(term): v for term, v in mean["auroc"].items()})
    main = main_term(mean["auroc"]) or ""
    by_class = {name: metrics[main]["auroc"] for name, metrics in runs.items()}
    record.bars(f"{split} AUROC of {heading(main)} by class", row_name or "class", "AUROC", by_class)
    record.summary(
        {metric_key(split, metric, term): v for metric in ("auroc", "auprc") for term, v in mean[metric].items()}
    )
