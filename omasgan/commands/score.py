"""`task=score`: score new samples with a finished run."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from omegaconf import DictConfig
from PIL import Image
from torch import Tensor

from omasgan.commands import new_samples
from omasgan.commands.finished_run import find_run
from omasgan.configuration.checks import check
from omasgan.configuration.validation import check_value
from omasgan.detectors.base import Detector
from omasgan.errors import UserError
from omasgan.evaluation import plots
from omasgan.evaluation.conformal import p_values
from omasgan.evaluation.map_plots import map_sheet, overlay
from omasgan.files import make_folder, user_path, write_atomically, write_text
from omasgan.pipeline.fit import load_run
from omasgan.pipeline.score import columns_of
from omasgan.training.settings import PositiveFraction

SHEET = 16
"""Images of the sheet of the highest scores, and images whose maps are made at a time."""


def score(cfg: DictConfig, choices: Mapping[str, str], folder: Path) -> None:
    """Score images or an array of samples with a finished run; write a CSV file.

    The file has a row for each sample: its file, its score, and how that compares with the n normal test samples of the
    run. `p_value` is as in `evaluation.conformal`, and `anomalous` says whether it is at most `score.alpha`.
    `percentile` is the fraction of them with a lower score.

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
    check_value("score.alpha", config["score"]["alpha"], PositiveFraction)
    target = user_path(config["score"]["output"] or "scores.csv")
    maps, sheet = target.with_name(f"{target.stem}_maps"), target.with_name(f"{target.stem}_maps.png")
    for path in (target, *((maps, sheet) if config["score"]["maps"] else ())):
        if _would_be_lost(path) and not config["score"]["overwrite"]:
            raise UserError(f"{path} exists: choose another file with score.output=..., or give score.overwrite=true")
    run_folder = find_run(config["score"]["run"], "score.run")
    own = {key: config[key] for key in ("device", "threads", "feature_cache")}
    detector, normal_scores, trained = load_run(run_folder, own, config)
    known = (detector.spec, columns_of(run_folder), trained["dataset"])
    names, x = new_samples.read(str(config["score"]["input"]), *known)
    scores = detector.score(x)
    if config["score"]["maps"]:
        _write_maps(maps, sheet, names, x, detector, scores)
    chances = torch.from_numpy(p_values(scores.numpy(), normal_scores.numpy()))
    anomalous = at_most(chances, config["score"]["alpha"], config["score"]["false_discovery_rate"])
    below = torch.searchsorted(normal_scores, scores) / len(normal_scores)
    columns = (scores, chances, anomalous, below)
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["file", "score", "p_value", "anomalous", "percentile"])
    writer.writerows(zip(names, *(column.tolist() for column in columns), strict=True))
    write_text(target, file.getvalue())
    print(f"{len(names)} scores, higher is more anomalous, {int(anomalous.sum())} anomalous: {target}")


def at_most(p_values: Tensor, alpha: float, false_discovery_rate: bool) -> Tensor:
    """Which samples are anomalous, bool (n,).

    Parameters
    ----------
    p_values
        (n,).
    alpha
        The largest p-value of an anomaly; with `false_discovery_rate`, the largest expected fraction of normal samples
        among those that are called anomalous.
    false_discovery_rate
        Whether the p-values are compared together, by the procedure of Benjamini and Hochberg.

    References
    ----------
    Benjamini and Hochberg 1995, "Controlling the false discovery rate".

    Examples
    --------
    >>> at_most(torch.tensor([0.04, 0.5, 0.01]), 0.05, False)
    tensor([ True, False,  True])
    >>> at_most(torch.tensor([0.04, 0.5, 0.01]), 0.05, True)
    tensor([False, False,  True])
    """
    if not false_discovery_rate or not len(p_values):
        return p_values <= alpha
    ordered = p_values.sort().values
    passed = ordered <= alpha * torch.arange(1, len(ordered) + 1) / len(ordered)
    return p_values <= ordered[passed.nonzero().max()] if passed.any() else torch.zeros_like(p_values, dtype=torch.bool)


def _would_be_lost(path: Path) -> bool:
    """Whether there is a file, or a folder with files in it."""
    return path.is_file() or (path.is_dir() and path.suffix == "" and any(path.iterdir()))


def _write_maps(folder: Path, sheet: Path, names: Sequence[str], x: Tensor, detector: Detector, scores: Tensor) -> None:
    """Write the anomaly map of each image, over the image, and a sheet of those with the highest scores."""
    kept: dict[int, Tensor] = {}
    worst = scores.argsort(descending=True)[:SHEET].tolist()
    for first in range(0, len(x), SHEET):
        maps = detector.maps(x[first : first + SHEET])
        if maps is None:
            raise UserError(
                "score.maps=true, but the run's detector has no anomaly maps: train it with "
                "representation=pretrained_patches or pixel_patches, or leave score.maps out"
            )
        for place, anomaly_map in enumerate(maps, first):
            path = folder / f"{names[place].lstrip('/').removesuffix('.png')}.png"
            make_folder(path.parent)
            picture = Image.fromarray(overlay(x[place], anomaly_map))
            write_atomically(path, lambda file, picture=picture: picture.save(file, format="png"))  # type: ignore[misc]
            kept |= {place: anomaly_map} if place in worst else {}
    titles = [f"{names[place]}  {scores[place]:.3g}" for place in worst]
    plots.save(map_sheet(x[worst], torch.stack([kept[place] for place in worst]), titles), sheet)
    print(f"anomaly maps: {folder}, the highest scores: {sheet}")
