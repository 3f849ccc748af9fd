"""`task=score`: score new samples with a finished run."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from omasgan.configuration.checks import check
from omasgan.configuration.identity import GROUPS
from omasgan.configuration.old_names import renamed_config
from omasgan.data import arrays, folders
from omasgan.data.dataset import Spec
from omasgan.errors import UserError
from omasgan.files import user_path, write_text
from omasgan.pipeline import build
from omasgan.pipeline.fit import finished_detector
from omasgan.runs.folder import METRICS, SUMMARY, find


def score(cfg: DictConfig, choices: Mapping[str, str], folder: Path) -> None:
    """Score an image, a folder of images at any depth or an array of samples with a finished run; write a CSV file.

    The file has a row for each sample with its name, its score, and its percentile: the fraction of the run's normal
    test samples with a lower score, 0..1.

    Raises
    ------
    UserError
        Where run or input are missing, damaged or do not fit each other, or the output exists or cannot be written.
    """
    config = check(cfg)
    for key in ("run", "input"):
        if config["score"][key] is None:
            raise UserError(
                f"task=score needs score.{key}: give score.run=<a run's folder> and score.input=<what to score>"
            )
    run_folder, source = (user_path(config["score"][key]) for key in ("run", "input"))
    target = user_path(config["score"]["output"] or "scores.csv")
    if target.is_file() and not config["score"]["overwrite"]:
        raise UserError(f"{target} exists: choose another file with score.output=..., or give score.overwrite=true")
    if (run_folder / SUMMARY).is_file():
        one = next((part for part in find(run_folder) if part != run_folder), run_folder)
        raise UserError(f"score.run={run_folder} holds a run for each class: give one of them, such as score.run={one}")
    if not (run_folder / METRICS).is_file():
        raise UserError(f"score.run={run_folder} is not the folder of a finished run: it has no metrics.json")

    trained = _trained_config(run_folder / "config.yaml")
    workspace = build.workspace({**config, **trained, "device": config["device"], "threads": config["threads"]})
    detector, normal_scores = finished_detector(run_folder, trained["detector"], workspace)

    names, x = _read(source, detector.spec)
    scores = detector.score(x)
    below = torch.searchsorted(normal_scores.cpu().sort().values, scores) / len(normal_scores)
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["name", "score", "percentile"])
    writer.writerows(zip(names, scores.tolist(), below.tolist(), strict=True))
    write_text(target, file.getvalue())
    print(f"{len(names)} scores, higher is more anomalous: {target}")


def _trained_config(path: Path) -> dict[str, Any]:
    """The configuration that a run was trained with; raises UserError where it is damaged or cannot be used."""
    try:
        written = OmegaConf.to_container(OmegaConf.load(path))
        renamed = OmegaConf.create(renamed_config(cast(dict[str, Any], written)))
        return check(renamed, groups=(*GROUPS, "baselines"))
    except Exception as error:  # a damaged file may raise anything
        reason = str(error).split("\n")[0]
        raise UserError(f"{path} is damaged, or from another version of omasgan ({reason}): train again") from error


def _read(source: Path, spec: Spec) -> tuple[list[str], Tensor]:
    """Names and samples of an image, a folder of images or an array, for a detector of samples of that shape."""
    if not source.exists():
        raise UserError(f"score.input={source} does not exist: give images, or an .npy or .csv of samples")
    is_folder = source.is_dir()
    if is_folder or source.suffix.lower() in folders.SUFFIXES:
        if not spec.is_image or spec.shape[1] != spec.shape[2]:
            what = "a folder" if is_folder else "an image"
            raise UserError(f"score.input={source} is {what}, but the run is on samples {spec.shape}: give an array")
        size, channels = spec.shape[1], spec.shape[0]
        if not is_folder:
            return [source.name], folders.read_images([source], size, channels)
        files = folders.list_images(source, recursive=True)
        kept, x = folders.readable_images(files, size, channels)
        return [files[place].relative_to(source).as_posix() for place in kept], x
    x = arrays.read_samples(source)
    if tuple(x.shape[1:]) != spec.shape:
        raise UserError(
            f"score.input={source} has samples {tuple(x.shape[1:])}, the run is on {spec.shape}: "
            "give samples of the run's shape"
        )
    return [str(index) for index in range(len(x))], x
