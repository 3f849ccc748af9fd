"""Steps 4 and 5: the terms of every test sample, of the detector and of the baselines, and their metrics."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from omasgan.data.dataset import Dataset
from omasgan.data.protocols import IndexSplit
from omasgan.detectors.base import Detector
from omasgan.evaluation.scores import ScoreTable, metrics_of
from omasgan.pipeline import fit
from omasgan.pipeline.job import Job, Metrics
from omasgan.training.stage import Workspace


def score(job: Job, dataset: Dataset, split: IndexSplit, detector: Detector, tested: Tensor) -> dict[str, Tensor]:
    """The detector's terms of the test samples, float64 (n,) each; the detector is saved with those of the normals."""
    own = detector.terms(tested)
    fit.save(job.folder, detector, dataset.spec, own[detector.main_term][~split.abnormal])
    # A detector of one term is called by its own name, as the baselines are.
    return {job.choices["detector"] if name == "score" else name: term for name, term in own.items()}


def score_baselines(
    job: Job, dataset: Dataset, detector: Detector, normals: Tensor, tested: Tensor, workspace: Workspace
) -> dict[str, Tensor]:
    """Each baseline's score of the test samples, float64 (n,), once it has learned from the same normal samples.

    normals, tested: the very tensors that the detector was given, whose embeddings it keeps for the baselines.
    """
    scores = {}
    for name, baseline in fit.baselines(job, dataset, detector, workspace):
        baseline.fit(normals)
        scores[name] = baseline.score(tested)
    return scores


def evaluate(table: ScoreTable, split: IndexSplit, seed: int) -> Metrics:
    """The metrics of every term; none where the test samples are all normal or all abnormal."""
    both = bool(split.abnormal.any()) and not bool(split.abnormal.all())
    return metrics_of(table, seed=seed) if both else {}


def score_table(dataset: Dataset, split: IndexSplit, terms: Mapping[str, Tensor]) -> ScoreTable:
    """All scores of the tested samples, with what they are compared to."""
    chosen, tested = split.test.tolist(), split.tested(dataset)
    return ScoreTable(
        index=split.test.numpy(),
        class_index=tested.y[split.test].numpy(),
        label=split.abnormal.numpy(),
        terms={name: term.numpy() for name, term in terms.items()},
        class_names=dataset.class_names,
        names=tuple(tested.names[i] for i in chosen) if tested.names else (),
    )
