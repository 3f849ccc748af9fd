"""Step 6: write the metrics and plots of a run, and pass them to its loggers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omasgan.data.dataset import Dataset
from omasgan.data.protocols import IndexSplit
from omasgan.data.support import boundary_report
from omasgan.detectors.base import Detector
from omasgan.evaluation import plots
from omasgan.evaluation.objective import Objective, metric_key
from omasgan.evaluation.scores import ScoreTable
from omasgan.files import make_folder, write_json
from omasgan.pipeline.job import Job, Metrics
from omasgan.pipeline.run_folder import write_config
from omasgan.runs import folder as runs
from omasgan.runs import results
from omasgan.runs.lock import starter
from omasgan.runs.record import history
from omasgan.training.cost import Cost
from omasgan.training.record import Record

COLUMNS = ("auroc", "auroc_low", "auroc_high", "auprc", "auprc_balanced", "fpr95", "prevalence")
"""Metrics of a table of terms, in the order of its columns."""

GRID_SAMPLES = 36
"""Images of each source in the plot of samples."""

PLANE_SAMPLES = 2000
"""Points of each source in the plot of two-dimensional data."""

SUPPORT_SAMPLES = 8192
"""Samples of each generator that are compared to a known support."""


def write_metrics(
    job: Job,
    dataset: Dataset,
    split: IndexSplit,
    detector: Detector,
    metrics: Metrics,
    tested: Objective,
    seconds: Mapping[str, float],
    cost: Mapping[str, Any],
    located: Mapping[str, Any],
) -> None:
    """Write metrics.json and write config.yaml again. A run that has a metrics.json is finished.

    Parameters
    ----------
    job, dataset, split, detector
        The run.
    metrics
        The metrics by term.
    tested
        The samples that they are on.
    seconds
        Duration of each step, in seconds.
    cost
        What the run's detector costs; see `cost_of`.
    located
        The metrics of its anomaly maps by name; empty without masks.
    """
    # If a baseline is added to a finished run, the times of the run's first training and scoring are kept.
    before = runs.read(job.folder / runs.METRICS).get("seconds", {})
    seconds = {**seconds, **{name: before[name] for name in ("fit", "score") if name in before}}
    figures = results.content(metrics, tested)
    whole = {**figures, "seconds": seconds, "cost": cost, "support": support(dataset, detector)}
    whole |= {"localisation": dict(located)} if located else {}
    write_json(
        job.folder / runs.METRICS, {**whole, "tested": split.tested(dataset).digest, runs.FINISHED_BY: starter()}
    )
    write_config(job)  # the baselines may have changed since the run began


def cost_of(folder: Path, seconds: Mapping[str, float], trained: Cost, tested: Objective) -> dict[str, Any]:
    """What the run's detector costs, as `results.cost` reads it; for a run that is finished already, what it says.

    Parameters
    ----------
    folder
        The run's folder.
    seconds
        Duration of each step, in seconds.
    trained
        What the stages of training have cost.
    tested
        Gives the number of test samples.
    """
    if before := runs.read(folder / runs.METRICS):
        return asdict(results.cost(before))
    training = seconds["fit"] + trained.earlier
    scoring = 1000 * seconds["score"] / (tested.n_normal + tested.n_abnormal)
    return asdict(results.Cost(None if math.isnan(training) else training, scoring, trained.parameters))


def support(dataset: Dataset, detector: Detector) -> dict[str, Any]:
    """The `BoundaryReport` of each generator on a toy data set, whose support is known; empty for other data."""
    if dataset.support is None:
        return {}
    samples = detector.samples(SUPPORT_SAMPLES)
    return {name: asdict(boundary_report(x, dataset.support)) for name, x in samples.items()}


def draw(
    job: Job,
    dataset: Dataset,
    split: IndexSplit,
    detector: Detector,
    table: ScoreTable,
    metrics: Metrics,
    record: Record,
) -> None:
    """Draw all plots of the run into its folder, and add them to the record."""
    folder = job.folder / "plots"
    make_folder(folder)
    figures = {}
    if metrics:
        figures["score_histograms"] = plots.score_histograms(table)
        figures["roc_curves"] = plots.roc_curves(table)
        figures["pr_curves"] = plots.pr_curves(table)
    curves = history(job.folder)
    if curves:
        figures["loss_curves"] = plots.loss_curves(curves)
    generated = detector.samples(GRID_SAMPLES if dataset.spec.is_image else PLANE_SAMPLES)
    if generated and dataset.spec.is_image:
        figures["samples"] = plots.sample_grid({"real": dataset.train.x[split.train[:GRID_SAMPLES]], **generated})
    elif generated and dataset.spec.shape == (2,):
        figures["plane"] = plots.plane(
            dataset.train.x[split.train[:PLANE_SAMPLES]],
            generated,
            detector.score,
            split.tested(dataset).x[split.test[split.abnormal]][:PLANE_SAMPLES] if split.abnormal.any() else None,
        )
    for name, figure in figures.items():
        path = folder / f"{name}.png"
        plots.save(figure, path)
        record.picture(name, path)


def export(metrics: Metrics, tested: Objective, cost: Mapping[str, Any], record: Record) -> None:
    """Pass the metrics of every term to the loggers as the table `ablation`; AUROC and AUPRC also as the summary.

    The summary also says which samples they are on, and what the detector costs.
    """
    columns = [f"{tested.split}/{column}" for column in COLUMNS]
    record.table("ablation", ["term", *columns], [[term, *(m[c] for c in COLUMNS)] for term, m in metrics.items()])
    record.summary(
        {metric_key(tested.split, name, term): m[name] for term, m in metrics.items() for name in ("auroc", "auprc")}
    )
    told = {**asdict(tested), "abnormal": ", ".join(tested.abnormal)}
    record.summary({f"objective/{name}": value for name, value in told.items()})
    record.summary({f"cost/{name}": value for name, value in cost.items() if value is not None})
