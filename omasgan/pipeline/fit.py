"""Step 3: fit the detector to the normal samples. Also builds the baselines, which `score.score_baselines` fits."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf
from torch import Tensor

from omasgan.configuration.checks import check
from omasgan.configuration.identity import GROUPS, digest
from omasgan.configuration.old_names import renamed_config, renamed_state
from omasgan.data.dataset import Dataset, Spec
from omasgan.detectors.base import Detector
from omasgan.detectors.represented import Represented
from omasgan.errors import UserError
from omasgan.pipeline import build
from omasgan.pipeline.job import Job
from omasgan.runs import folder as runs
from omasgan.training import checkpoint
from omasgan.training.batches import split
from omasgan.training.stage import Workspace

log = logging.getLogger("omasgan")

DETECTOR = "detector.pt"
"""The file of a run for `task=score`: the trained detector, and its scores of the normal test samples."""


def fit(job: Job, dataset: Dataset, normals: Tensor, workspace: Workspace) -> Detector:
    """Train the detector on the normal samples, or load it if the run is finished and lacks only some baselines.

    Parameters
    ----------
    job
        The run.
    dataset
        Gives the shape of a sample.
    normals
        The normal training samples: uint8 (n, C, H, W), or float32 rows (n, k).
    workspace
        The run's workspace.

    Raises
    ------
    UserError
        Where training diverges, or the saved detector is damaged.
    """
    if (job.folder / runs.METRICS).exists() and (job.folder / DETECTOR).exists():
        return finished_detector(job.folder, job.config["detector"], workspace)[0]
    detector = build.detector(job.config["detector"], dataset.spec, workspace)
    detector.check(len(normals))
    _check_samples(normals, job.config["budget"]["batch"])
    with workspace.debug.watch(job.folder):
        detector.fit(normals)
    return detector


def _check_samples(normals: Tensor, batch: int) -> None:
    """Raise UserError where all samples are alike, and say so where a batch has more samples than there are."""
    # In parts, of which mostly the first one tells, because the samples may be larger than memory.
    if len(normals) > 1 and all(bool((part == normals[0]).all()) for part in split(normals, 1024)):
        raise UserError(
            f"all {len(normals)} normal training samples are alike, and nothing can be learned from them: check where "
            "the data set's files come from"
        )
    if batch > len(normals):
        log.warning(
            "budget.batch is %d, but there are %d normal training samples: a batch has each of them several times",
            *(batch, len(normals)),
        )


def save(folder: Path, detector: Detector, spec: Spec, normal_scores: Tensor) -> None:
    """Write the file that `finished_detector` reads; `normal_scores` is float64 (n,)."""
    state = {"shape": list(spec.shape), "normal_scores": normal_scores, "detector": detector.state_dict()}
    checkpoint.save(folder / DETECTOR, "detector", state)


def finished_detector(folder: Path, node: Mapping[str, Any], workspace: Workspace) -> tuple[Detector, Tensor]:
    """Load the detector of a finished run.

    Parameters
    ----------
    folder
        The run's folder.
    node
        The detector's node of the configuration that the run was trained with.
    workspace
        Where the detector is placed.

    Returns
    -------
    tuple of Detector and Tensor
        The detector, and its scores of the run's normal test samples, float64 (n,).

    Raises
    ------
    UserError
        Where the file is missing or damaged, or was written with other settings.
    """
    path = folder / DETECTOR
    state = checkpoint.load(path, "detector", workspace.device)
    saved = renamed_state(state["detector"], build.representation(node))
    detector = build.detector(node, Spec(tuple(state["shape"])), workspace)
    checkpoint.restore(path, {"detector": detector}, {"detector": saved})
    return detector, state["normal_scores"]


def load_run(
    folder: Path, changed: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
) -> tuple[Detector, Tensor, dict[str, Any]]:
    """The detector of a finished run, as it was trained except for some keys of the configuration.

    Parameters
    ----------
    folder
        The run's folder.
    changed
        New values of keys that have no influence on the training, such as device and threads.
    defaults
        A configuration with the keys that a run of an earlier version may lack.

    Returns
    -------
    tuple
        The detector, its scores of the run's normal test samples in rising order, float64 (n,) on the CPU, and the
        configuration that it was trained with.

    Raises
    ------
    UserError
        Where the run's files are missing, damaged or from another version.
    """
    trained = trained_config(folder / "config.yaml")
    workspace = build.workspace({**(defaults or {}), **trained, **changed})
    detector, normal_scores = finished_detector(folder, trained["detector"], workspace)
    return detector, normal_scores.cpu().sort().values, trained


def baselines(job: Job, dataset: Dataset, detector: Detector, workspace: Workspace) -> Iterator[tuple[str, Detector]]:
    """The configured baselines, untrained.

    Where a baseline's representation comes from:

    - It has the same parts as the detector's representation: the baseline reuses the detector's embeddings.
    - It has only some of these parts: the baseline loads their checkpoints.
    - It has other parts: the baseline trains them in another folder, whose name is made from the settings of the
      representation, so that no checkpoint of other settings is in it.

    A baseline with the name of the detector is left out, because it would replace the detector's score.

    Yields
    ------
    tuple of str and Detector
        The name of a baseline, and the baseline.
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
            baseline.use_representation_of(detector)
        yield name, baseline


def trained_config(path: Path) -> dict[str, Any]:
    """The configuration that a run was trained with; raises UserError where it is damaged or cannot be used."""
    try:
        written = runs.parse_config(path.read_text(encoding="utf-8"))
        renamed = OmegaConf.create(renamed_config(cast(dict[str, Any], written)))
        return check(renamed, groups=(*GROUPS, "baselines"))
    except Exception as error:  # a damaged file may raise anything
        reason = str(error).split("\n")[0]
        raise UserError(f"{path} is damaged, or from another version of omasgan ({reason}): train again") from error
