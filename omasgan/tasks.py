"""What the command can do: `task=run` trains and evaluates, `task=score` scores new samples with a finished run."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from omasgan import build, pipeline, summary
from omasgan import config as configuration
from omasgan.data import arrays, folders
from omasgan.data.dataset import Spec
from omasgan.errors import UserError
from omasgan.files import write_text
from omasgan.pipeline import Job, Metrics
from omasgan.runs import METRICS, SUMMARY, HeldError, find
from omasgan.sweeps import search

log = logging.getLogger("omasgan")


def perform(cfg: DictConfig, choices: Mapping[str, str], folder: Path) -> float | None:
    """Do the configuration's task; `folder` is the run's. What the task returns is what a search looks at."""
    tasks = {"run": run, "score": score}
    return tasks[cfg.task](cfg, choices, folder)


def run(cfg: DictConfig, choices: Mapping[str, str], folder: Path) -> float | None:
    """Train and evaluate on the protocol's class, or on each in turn, and print the table.

    Returns the mean AUROC of the detector's score over the classes; None where the test data holds no known anomaly.
    """
    config = configuration.check(cfg)
    identity = configuration.identity(cfg)
    dataset = build.dataset(config)
    whole = build.protocol(config)
    trial = search.open_trial(config["search"], choices["protocol"])
    sweep = _sweep(choices)
    runs: dict[str, Metrics] = {}
    held: HeldError | None = None
    every = whole.classes(dataset.class_names)
    for number, protocol in enumerate(every, 1):
        node = {**config["protocol"], **(vars(protocol) if len(every) > 1 else {})}
        role, name = configuration.class_of(node)
        if len(every) > 1:
            log.info("%d of %d: %s %s", number, len(every), role, name)
        place = folder / configuration.class_folder(node) if len(every) > 1 else folder
        job = Job({**config, "protocol": node}, identity, choices, place, sweep)
        try:
            runs[name or choices["dataset"]] = pipeline.run(job, dataset, protocol)
        except HeldError as error:
            held = error
            continue
        if trial is not None and trial.hopeless(number, summary.mean_auroc(runs)):
            log.info("given up: other trials were better after %d of %d classes", number, len(every))
            return summary.mean_auroc(runs)
    if held:
        raise held  # once there is nothing left for this process to do
    if len(every) > 1:
        whole_job = Job(config, identity, choices, folder, sweep)
        summary.write(folder, runs, role, config["floors"], whole_job)
    if all(runs.values()):
        print(summary.text(runs, role or "data", config["floors"]))
    else:
        print("the test data holds no anomaly that is known, so there are scores and no metrics")
    print(f"scores, metrics and plots: {folder}")
    return summary.mean_auroc(runs) if all(runs.values()) else None


def _sweep(choices: Mapping[str, str]) -> str | None:
    """What the sweep that this job is part of is called, if it is part of one."""
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return None
    return configuration.sweep_name(HydraConfig.get().overrides.task, choices)


def score(cfg: DictConfig, choices: Mapping[str, str], folder: Path) -> None:
    """Score an image, a folder of them, or an array of samples with a finished run; write a CSV with a row a sample.

    `above` is the share of the run's normal test samples that score lower: 1 is more anomalous than all of them.
    Raises UserError where run, input or output are missing or do not fit.
    """
    config = configuration.check(cfg)
    for key in ("run", "input"):
        if config["score"][key] is None:
            raise UserError(
                f"task=score needs score.{key}: give score.run=<a run's folder> and score.input=<what to score>"
            )
    run_folder, source = (Path(config["score"][key]).expanduser() for key in ("run", "input"))
    target = Path(config["score"]["output"] or "scores.csv").expanduser()
    if (run_folder / SUMMARY).is_file():
        one = next((part for part in find(run_folder) if part != run_folder), run_folder)
        raise UserError(f"score.run={run_folder} holds a run for each class: give one of them, as score.run={one}")
    if not (run_folder / METRICS).is_file():
        raise UserError(f"score.run={run_folder} is not the folder of a finished run: it has no metrics.json")

    trained = _trained_config(run_folder / "config.yaml")
    workspace = build.workspace({**trained, "device": config["device"], "threads": config["threads"]})
    detector, normal_scores = pipeline.finished_detector(run_folder, trained["detector"], workspace)

    names, x = _read(source, detector.spec)
    scores = detector.score(x)
    below = torch.searchsorted(normal_scores.cpu().sort().values, scores) / len(normal_scores)
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["name", "score", "above"])
    writer.writerows(zip(names, scores.tolist(), below.tolist(), strict=True))
    write_text(target, file.getvalue())
    print(f"{len(names)} scores, higher is more anomalous: {target}")


def _trained_config(path: Path) -> dict[str, Any]:
    """The configuration that a run was trained with. Raises UserError where it is damaged, or of another omasgan."""
    try:
        return configuration.check(cast(DictConfig, OmegaConf.load(path)))
    except Exception as error:  # a damaged file may raise anything
        reason = str(error).split("\n")[0]
        raise UserError(f"{path} is damaged, or of another version of omasgan ({reason}): train again") from error


def _read(source: Path, spec: Spec) -> tuple[list[str], Tensor]:
    """The names and samples of an image, a folder of them, or an array, for a detector of samples of that shape."""
    if not source.exists():
        raise UserError(f"score.input={source} does not exist: give images, or an .npy or .csv of samples")
    is_folder = source.is_dir()
    if is_folder or source.suffix.lower() in folders.SUFFIXES:
        if not spec.is_image or spec.shape[1] != spec.shape[2]:
            what = "a folder" if is_folder else "an image"
            raise UserError(f"score.input={source} is {what}, but the run is on samples {spec.shape}: give an array")
        files = folders.list_images(source) if is_folder else [source]
        return [file.name for file in files], folders.read_images(files, spec.shape[1], spec.shape[0])
    x = arrays.read_samples(source)
    if tuple(x.shape[1:]) != spec.shape:
        raise UserError(f"score.input={source} has samples {tuple(x.shape[1:])}, the run is on {spec.shape}")
    return [str(index) for index in range(len(x))], x
