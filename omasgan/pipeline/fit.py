"""Step 3: the detector and the baselines learn from the normal samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from omasgan.configuration.identity import digest
from omasgan.configuration.old_names import renamed_state
from omasgan.data.dataset import Dataset, Spec
from omasgan.detectors.base import Detector
from omasgan.detectors.represented import Represented
from omasgan.pipeline import build
from omasgan.pipeline.job import Job
from omasgan.runs import folder as runs
from omasgan.training import checkpoint
from omasgan.training.stage import Workspace

DETECTOR = "detector.pt"
"""A run's file for `task=score`: what was trained, and the scores of the normal test samples."""


def fit(job: Job, dataset: Dataset, normals: Tensor, workspace: Workspace) -> Detector:
    """The trained detector; of a run that is finished but for a baseline, as it was saved."""
    if (job.folder / runs.METRICS).exists() and (job.folder / DETECTOR).exists():
        return finished_detector(job.folder, job.config["detector"], workspace)[0]
    detector = build.detector(job.config["detector"], dataset.spec, workspace)
    detector.fit(normals)
    return detector


def save(folder: Path, detector: Detector, spec: Spec, normal_scores: Tensor) -> None:
    """Write the file that `finished_detector` reads."""
    state = {"shape": list(spec.shape), "normal_scores": normal_scores, "detector": detector.state_dict()}
    checkpoint.save(folder / DETECTOR, "detector", state)


def finished_detector(folder: Path, node: Mapping[str, Any], workspace: Workspace) -> tuple[Detector, Tensor]:
    """The detector of a finished run, of the settings `node`, and its scores of the run's normal test samples.

    Raises UserError where the file is missing, damaged or of other settings.
    """
    path = folder / DETECTOR
    state = checkpoint.load(path, "detector", workspace.device)
    saved = renamed_state(state["detector"], build.representation(node))
    detector = build.detector(node, Spec(tuple(state["shape"])), workspace)
    checkpoint.restore(path, {"detector": detector}, {"detector": saved})
    return detector, state["normal_scores"]


def baselines(job: Job, dataset: Dataset, detector: Detector, workspace: Workspace) -> Iterator[tuple[str, Detector]]:
    """The baselines, untrained, with the embeddings that the detector has learned where their settings are the same.

    One that bears the detector's name, whatever its settings, would take its place, and is left out. What a baseline
    learns otherwise has a folder of its settings, where no checkpoint of others is met.
    """
    learned = build.representation(job.config["detector"])
    for name, node in job.config["baselines"].items():
        if name == job.choices["detector"]:
            continue
        own = build.representation(node)
        known = all(learned.get(part) == settings for part, settings in own.items())
        place = workspace if known else workspace.beside(f"{name}-{digest(own)}")
        baseline = build.detector(node, dataset.spec, place)
        if isinstance(baseline, Represented) and isinstance(detector, Represented) and own == learned:
            baseline.share(detector)
        yield name, baseline
