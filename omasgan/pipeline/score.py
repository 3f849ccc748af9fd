"""Steps 4 and 5: score the test samples with the detector and the baselines, and have the metrics computed.

AUROC and all other metrics are computed in `evaluation.metrics`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from torch import Tensor

from omasgan.data.dataset import Columns, Dataset
from omasgan.data.protocols import IndexSplit
from omasgan.detectors.base import Detector
from omasgan.errors import UserError
from omasgan.evaluation.objective import Objective
from omasgan.evaluation.scores import ScoreTable, metrics_of
from omasgan.files import write_json
from omasgan.pipeline import fit
from omasgan.pipeline.job import Job, Metrics
from omasgan.runs import folder as runs
from omasgan.training.stage import Workspace

COLUMNS = "columns.json"
"""The file of a run on a table that says which columns it has learned from."""


def columns_of(folder: Path) -> Columns | None:
    """The columns of the table that a run has learned from; None for a run on other data."""
    stored = runs.read(folder / COLUMNS)
    if not stored:
        return None
    names, medians = (None if stored[key] is None else tuple(stored[key]) for key in ("names", "medians"))
    return Columns(names, medians, stored["label"])


def keep(
    job: Job, dataset: Dataset, split: IndexSplit, detector: Detector, own: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Save the detector with its scores of the normal test samples, and give its terms their names in the run.

    Parameters
    ----------
    job, dataset, split, detector
        The run.
    own
        The detector's terms of the test samples, float64 (n,) each.
    """
    fit.save(job.folder, detector, dataset.spec, own[detector.main_term][~split.abnormal])
    if dataset.columns is not None:
        write_json(job.folder / COLUMNS, asdict(dataset.columns))
    # A term named `score` gets the detector's name, as the terms of baselines do.
    return {job.choices["detector"] if name == "score" else name: term for name, term in own.items()}


def score_baselines(
    job: Job, dataset: Dataset, detector: Detector, normals: Tensor, tested: Tensor, workspace: Workspace
) -> dict[str, Tensor]:
    """Train each baseline on the normal samples; its scores of the test samples by name, float64 (n,) each.

    Pass the very tensors `normals` and `tested` that the detector was given, so that their embeddings are reused.
    """
    scores = {}
    for name, baseline in fit.baselines(job, dataset, detector, workspace):
        baseline.fit(normals)
        scores[name] = baseline.score(tested)
    return scores


def compute_metrics(table: ScoreTable, split: IndexSplit, seed: int) -> Metrics:
    """The metrics of every term, from `evaluation`; empty where the test samples have no anomalies.

    Test samples without normal ones do not get this far, because the protocol refuses them.
    """
    both = bool(split.abnormal.any()) and not bool(split.abnormal.all())
    return metrics_of(table, seed=seed) if both else {}


def check_split(job: Job, split: IndexSplit) -> None:
    """Raise UserError where the name of the protocol's option does not say which split its test samples are from."""
    if (job.split == "pseudo") != (split.within == "train"):
        raise UserError(
            f"protocol={job.choices['protocol']} tests samples of the {split.within} split: the name of a protocol "
            "begins with pseudo if, and only if, its test samples are from the training split; rename its YAML file"
        )


def objective(job: Job, dataset: Dataset, split: IndexSplit) -> Objective:
    """The samples that the run's figures are on."""
    abnormal = split.tested(dataset).y[split.test[split.abnormal]]
    names = tuple(dataset.class_names[index] for index in sorted(set(abnormal.tolist())))
    return Objective(job.split, names, len(split.test) - len(abnormal), len(abnormal))


def score_table(dataset: Dataset, split: IndexSplit, terms: Mapping[str, Tensor]) -> ScoreTable:
    """The table of the test samples: their labels, classes and names, and all terms."""
    chosen, tested = split.test.tolist(), split.tested(dataset)
    return ScoreTable(
        index=split.test.numpy(),
        class_index=tested.y[split.test].numpy(),
        label=split.abnormal.numpy(),
        terms={name: term.numpy() for name, term in terms.items()},
        class_names=dataset.class_names,
        names=tuple(tested.names[i] for i in chosen) if tested.names else (),
    )
