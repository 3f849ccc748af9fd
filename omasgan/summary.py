"""A run over all classes: its table, a row a class and the mean, and its comparison plot."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from statistics import fmean

from omasgan.evaluation import plots
from omasgan.files import write_json, write_text
from omasgan.pipeline import Metrics
from omasgan.terminal import figures, heading, table

def means(runs: Mapping[str, Metrics], metric: str = "auroc") -> dict[str, float]:
    """The mean over classes of every term that all of them have: a run may have been made without the floors."""
    terms = [term for term in next(iter(runs.values())) if all(term in metrics for metrics in runs.values())]
    return {term: fmean(metrics[term][metric] for metrics in runs.values()) for term in terms}


def auroc_table(runs: Mapping[str, Metrics], row_name: str) -> str:
    """AUROC, a row a class, then the mean."""
    mean = means(runs)
    rows = [[name, *(figures(metrics[term]["auroc"]) for term in mean)] for name, metrics in runs.items()]
    footer = ["mean", *(figures(value) for value in mean.values())] if len(runs) > 1 else None
    return table(rows, [row_name, *(heading(term) for term in mean)], footer)


def verdict(runs: Mapping[str, Metrics], floors: Collection[str]) -> str:
    """One line: the full score beside Task 1 and beside the best floor, win or lose; empty where one is missing."""
    mean = means(runs)
    compared = [floor for floor in floors if floor in mean]
    if "full" not in mean or not compared:
        return ""
    best = max(compared, key=lambda floor: mean[floor])
    gain, lead = mean["full"] - mean["task1"], mean["full"] - mean[best]
    return (
        f"AUROC of full {figures(mean['full'])}: {gain:+.3f} against Task 1, "
        f"{lead:+.3f} against the best floor ({heading(best)}, {figures(mean[best])})"
    )


def write(folder: Path, runs: Mapping[str, Metrics], row_name: str, floors: Collection[str]) -> None:
    """Write summary.json, table.txt and comparison.png."""
    write_json(folder / "summary.json", {"mean": means(runs), "runs": runs})
    write_text(folder / "table.txt", f"{auroc_table(runs, row_name)}\n{verdict(runs, floors)}\n")
    aurocs = {name: {heading(term): metrics[term]["auroc"] for term in metrics} for name, metrics in runs.items()}
    plots.save(plots.bar_comparison(aurocs, [heading(floor) for floor in floors]), folder / "comparison.png")
