"""The finished run that a command is given by the path of its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from omasgan.detectors.base import Detector
from omasgan.errors import UserError
from omasgan.files import user_path
from omasgan.pipeline import build
from omasgan.pipeline.fit import finished_detector, trained_config
from omasgan.runs.folder import METRICS, SUMMARY, find


def find_run(given: str, key: str) -> Path:
    """The folder of a finished run.

    Parameters
    ----------
    given
        The path.
    key
        The key of the configuration that has it, for messages.

    Raises
    ------
    UserError
        Where the folder is not that of one finished run.
    """
    folder = user_path(given)
    if (folder / SUMMARY).is_file():
        one = next((part for part in find(folder) if part != folder), folder)
        raise UserError(f"{key}={folder} holds a run for each class: give one of them, such as {key}={one}")
    if not (folder / METRICS).is_file():
        raise UserError(f"{key}={folder} is not the folder of a finished run: it has no metrics.json")
    return folder


def load(
    folder: Path, config: Mapping[str, Any], keys: Sequence[str] = ("device", "threads")
) -> tuple[Detector, Tensor, Mapping[str, Any]]:
    """The detector of a finished run, as it was trained except for some keys, which are taken from `config`.

    Returns
    -------
    tuple
        The detector, its scores of the run's normal test samples in rising order, float64 (n,), and the configuration
        that it was trained with.

    Raises
    ------
    UserError
        Where the run's files are damaged or from another version.
    """
    trained = trained_config(folder / "config.yaml")
    workspace = build.workspace({**config, **trained, **{key: config[key] for key in keys}})
    detector, normal_scores = finished_detector(folder, trained["detector"], workspace)
    return detector, normal_scores.cpu().sort().values, trained
