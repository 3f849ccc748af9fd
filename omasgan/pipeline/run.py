"""One run in its six steps: data, split, fit, score, evaluate, record.

Training (step 3) gets no label and no anomaly. The labels of the test samples are used in three steps: step 2 decides
which test samples are anomalies, step 4 saves the scores of the normal ones with the detector, and step 5 computes the
metrics. `score` scores and evaluates, `outputs` records; `run_folder` checks the folder before the first step.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from omasgan.data.dataset import Dataset
from omasgan.data.protocols import IndexSplit, Protocol
from omasgan.errors import UserError
from omasgan.pipeline import anomaly_maps, build, hardest, listing, outputs, run_folder
from omasgan.pipeline.fit import fit
from omasgan.pipeline.job import Job, Metrics
from omasgan.pipeline.score import check_split, compute_metrics, keep, objective, score_baselines, score_table
from omasgan.runs import folder as runs
from omasgan.runs import results
from omasgan.runs.lock import locked
from omasgan.runs.record import open_record
from omasgan.training.stage import Workspace

log = logging.getLogger("omasgan")


def run(job: Job, dataset: Dataset, protocol: Protocol) -> Metrics:
    """Train and evaluate one run.

    An interrupted run continues from its last checkpoint. The metrics of a finished run are read from its folder; if it
    lacks a baseline, only that baseline is trained and scored.

    Parameters
    ----------
    job
        The run's configuration and folder.
    dataset
        The data (step 1). The runs of all classes share them.
    protocol
        Splits the data by their labels (step 2).

    Returns
    -------
    Metrics
        The metrics of every term and baseline; empty where the test samples have no known anomaly.

    Raises
    ------
    HeldError
        Where another process is running the run.
    UserError
        Where the folder belongs to another configuration or to other data, where training diverges, and where data
        cannot be read or files cannot be written. Once the run has begun, the error is also written to `failed.json`.
    """
    split = protocol.split(dataset.train.y, dataset.test.y, dataset.class_names)
    split = split.subset(job.config["test_samples"], split.tested(dataset).y)
    check_split(job, split)
    if not run_folder.is_done(job):
        with locked(job.folder):
            if not run_folder.is_done(job):  # another process may have finished it while this one waited for the lock
                return _locked_run(job, dataset, split)
    run_folder.check(job, dataset, split)
    metrics = finished_metrics(job.folder / runs.METRICS)
    log.info("already finished: %s", job.folder)
    return metrics


def _locked_run(job: Job, dataset: Dataset, split: IndexSplit) -> Metrics:
    workspace = build.workspace(job.config, job.folder)
    job = run_folder.prepare(job, dataset, split, workspace)
    with (
        run_folder.failure_noted(job),
        open_record(job.folder, listing.identity(job), listing.configuration(job), job.loggers) as record,
    ):
        return _steps(job, dataset, split, replace(workspace, record=record))


def _steps(job: Job, dataset: Dataset, split: IndexSplit, workspace: Workspace) -> Metrics:
    """Steps 3 to 6."""
    seconds: dict[str, float] = {}
    normals = dataset.train.at(split.train)
    with _timed(seconds, "fit"):
        detector = fit(job, dataset, normals, workspace)
    tested = split.tested(dataset).at(split.test)
    with _timed(seconds, "score"):
        own = detector.terms(tested)
    terms = keep(job, dataset, split, detector, own)
    with _timed(seconds, "baselines"):
        terms |= score_baselines(job, dataset, detector, normals, tested, workspace)
    table = score_table(dataset, split, terms)
    table.save(job.folder / "scores.npz")
    metrics = compute_metrics(table, split, job.config["seed"])
    outputs.draw(job, dataset, split, detector, table, metrics, workspace.record)
    located = anomaly_maps.locate(job, dataset, split, detector, table, workspace.record)
    tested_on = objective(job, dataset, split)
    cost = outputs.cost_of(job.folder, seconds, workspace.cost, tested_on)
    outputs.export(metrics, tested_on, cost, workspace.record)
    workspace.record.table("hardest_samples", *hardest.table(table, dataset, split))
    outputs.write_metrics(job, dataset, split, detector, metrics, tested_on, seconds, cost, located)
    return metrics


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[name] = time.monotonic() - started


def finished_metrics(path: Path) -> Metrics:
    """The metrics of every term from a run's metrics.json; raises UserError where the file is damaged."""
    try:
        return results.figures(json.loads(path.read_text()))
    except (AttributeError, KeyError, OSError, TypeError, UserError, ValueError):
        raise UserError(
            f"{path} is damaged: delete this file and run the same command again, "
            "which loads the trained networks and repeats the scoring"
        ) from None
